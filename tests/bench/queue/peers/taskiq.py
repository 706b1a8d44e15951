"""taskiq-redis, its stream broker, the one with acknowledgements: 50 jobs at once, acknowledged when done.

https://github.com/taskiq-python/taskiq-redis (README, "Brokers": the lock's timeout is for workers that get killed;
1.2.4, November 2026). The stream keeps what is done unless `maxlen` cuts it, which may cut what is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from taskiq.acks import AcknowledgeType
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

from grimbots.tests.bench.queue.contract import CONCURRENCY, PADDING, Send, main, run


def _make_broker(url: str) -> tuple[RedisStreamBroker, Any]:
    broker = RedisStreamBroker(url, unacknowledged_lock_timeout=10)
    return broker, broker.register_task(run, task_name="run")


@asynccontextmanager
async def open_send(url: str) -> AsyncIterator[Send]:
    """Give a function that enqueues one job."""
    broker, task = _make_broker(url)
    await broker.startup()
    yield lambda n, ms: task.kiq(n, ms, PADDING)
    await broker.shutdown()


async def _work(url: str) -> None:
    broker, _ = _make_broker(url)
    broker.is_worker_process = True
    await run_receiver_task(
        broker, max_async_tasks=CONCURRENCY, run_startup=True, ack_time=AcknowledgeType.WHEN_EXECUTED
    )


def work(url: str, slot: int = 0) -> None:
    """Run jobs until killed."""
    asyncio.run(_work(url))


if __name__ == "__main__":
    main(open_send, work)
