"""streaQ: 50 jobs at once, acknowledged when done, results off (ttl=0).

https://streaq.readthedocs.io/ ("at least once"; 7.2.0, November 2026).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from streaq import Worker

from grimbots.tests.bench.queue.contract import CONCURRENCY, PADDING, Send, main, run


def _make_worker(url: str) -> tuple[Worker[Any], Any]:
    worker = Worker[Any](redis_url=url, concurrency=CONCURRENCY)
    return worker, worker.task(name="run", ttl=0)(run)


@asynccontextmanager
async def open_send(url: str) -> AsyncIterator[Send]:
    """Give a function that enqueues one job."""
    worker, task = _make_worker(url)

    async def send(n: int, ms: int) -> None:
        await task.enqueue(n, ms, PADDING)

    async with worker:
        yield send


def work(url: str, slot: int = 0) -> None:
    """Run jobs until killed."""
    _make_worker(url)[0].run_sync()


if __name__ == "__main__":
    main(open_send, work)
