"""dramatiq: 50 threads, acknowledged when done (at-least-once by itself), its default middleware.

https://dramatiq.io/guide.html and `dramatiq.Worker`, which its command starts in each process (2.2.1, November 2026).
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from grimbots.tests.bench.queue.contract import CONCURRENCY, PADDING, Send, main, run_blocking


def _make_actor(url: str) -> Any:
    broker = RedisBroker(url=url)
    dramatiq.set_broker(broker)
    return dramatiq.actor(run_blocking, actor_name="run")


@asynccontextmanager
async def open_send(url: str) -> AsyncIterator[Send]:
    """Give a function that enqueues one job; it blocks, so callers wait in line."""
    actor = _make_actor(url)

    async def send(n: int, ms: int) -> None:
        actor.send(n, ms, PADDING)

    yield send


def work(url: str, slot: int = 0) -> None:
    """Run jobs until killed."""
    dramatiq.Worker(_make_actor(url).broker, worker_threads=CONCURRENCY).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(open_send, work)
