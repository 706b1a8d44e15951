"""SAQ: 50 jobs at once; `retries` lets its sweep run a dead worker's jobs again; no result is kept (ttl=-1).

https://saq-py.readthedocs.io/ and the docstring of saq.job.Job (0.26.4, November 2026).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from saq import Queue, Worker

from grimbots.tests.bench.queue.contract import CONCURRENCY, PADDING, Send, main, run


async def _run(context: dict[str, Any], *, n: int, ms: int, padding: str) -> None:
    await run(n, ms, padding)


@asynccontextmanager
async def open_send(url: str) -> AsyncIterator[Send]:
    """Give a function that enqueues one job."""
    queue = Queue.from_url(url)
    await queue.connect()
    yield lambda n, ms: queue.enqueue("run", n=n, ms=ms, padding=PADDING, retries=3, ttl=-1)
    await queue.disconnect()


async def _work(url: str) -> None:
    queue = Queue.from_url(url)
    await queue.connect()
    await Worker(queue, functions=[("run", _run)], concurrency=CONCURRENCY).start()


def work(url: str, slot: int = 0) -> None:
    """Run jobs until killed."""
    asyncio.run(_work(url))


if __name__ == "__main__":
    main(open_send, work)
