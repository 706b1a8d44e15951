"""RQ, its simple worker: one job at a time, no fork. `Retry` brings an abandoned job back; without it, it is failed.

https://python-rq.org/docs/exceptions/#retrying-failed-jobs (3.0.0, November 2026). RQ has no concurrency in a process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis import Redis  # noqa: TID251 (RQ takes no other)
from rq import Queue, Retry, SimpleWorker, Worker

from grimbots.tests.bench.queue.contract import PADDING, Send, main, run_blocking


@asynccontextmanager
async def open_send(url: str) -> AsyncIterator[Send]:
    """Give a function that enqueues one job; it blocks, so callers wait in line."""
    queue = Queue("bench", connection=Redis.from_url(url))

    async def send(n: int, ms: int) -> None:
        queue.enqueue(run_blocking, n, ms, PADDING, retry=Retry(max=3), result_ttl=0)

    yield send


def work_with(worker: type[Worker] | type[SimpleWorker], url: str) -> None:
    """Run jobs with a class of worker until killed."""
    connection = Redis.from_url(url)
    worker([Queue("bench", connection=connection)], connection=connection).work(logging_level="ERROR")


def work(url: str, slot: int = 0) -> None:
    """Run jobs until killed."""
    work_with(SimpleWorker, url)


if __name__ == "__main__":
    main(open_send, work)
