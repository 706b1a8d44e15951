"""Celery: a pool of 50 threads, acks_late and reject_on_worker_lost, results off, no gossip between workers.

https://docs.celeryq.dev/en/stable/userguide/tasks.html#Task.acks_late and .../getting-started/backends-and-brokers/
redis.html#visibility-timeout (an hour by default; 5.7.0, November 2026).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from celery import Celery

from grimbots.tests.bench.queue.contract import CONCURRENCY, PADDING, Send, main, run_blocking


def _make_app(url: str) -> Celery:
    app = Celery("bench", broker=url)
    app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, task_ignore_result=True)
    app.task(name="run")(run_blocking)
    return app


@asynccontextmanager
async def open_send(url: str) -> AsyncIterator[Send]:
    """Give a function that enqueues one job; it blocks, so callers wait in line."""
    app = _make_app(url)

    async def send(n: int, ms: int) -> None:
        app.send_task("run", (n, ms, PADDING))

    yield send


def work(url: str, slot: int = 0) -> None:
    """Run jobs until killed."""
    quiet = ["--loglevel=ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    _make_app(url).worker_main(["worker", "--pool=threads", f"--concurrency={CONCURRENCY}", *quiet])


if __name__ == "__main__":
    main(open_send, work)
