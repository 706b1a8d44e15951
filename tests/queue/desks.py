"""Queues and workers of the tests: started on an address, drained behind the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from grimbots.queue.connections import RedisAway
from grimbots.queue.dispatcher import Queue
from grimbots.queue.heartbeat import DEFAULT_TIMING, Timing
from grimbots.queue.job import Job
from grimbots.queue.store import Store
from grimbots.queue.task import Done, Task
from grimbots.queue.worker import Worker

SLOTS = {"tasks": 50, "webhook": 20, "gateway": 20, "checks": 5, "campaigns": 10}
PATIENCE_SECONDS, DRAIN_SECONDS = 30.0, 10.0

Function = Callable[..., Awaitable[Done | None]]


def make_task(
    function: Function, name: str = "test.run", queue: str = "tasks", timeout_seconds: float = 30, attempts: int = 8
) -> Task[Any]:
    """Make a task that stands in no registry."""
    return Task(name, function, queue=queue, timeout_seconds=timeout_seconds, attempts=attempts)


def make_job(task: Task[Any], id: str, chat: str = "", source: str = "b1", **payload: Any) -> Job:  # noqa: A002
    """Make a job of account 1."""
    return task.job(id=id, source=source, account="1", group=chat, **payload)


@asynccontextmanager
async def open_queue(
    url: str, slot: int = 0, group_cap: int = 1000, slots: dict[str, int] = SLOTS, replicas: int = 0
) -> AsyncIterator[Queue]:
    """Give a started queue."""
    queue = Queue(url, consumer_host="test", slot=slot, queue_slots=slots, group_cap=group_cap, replicas=replicas)
    await queue.start()
    try:
        yield queue
    finally:
        await queue.stop()


@asynccontextmanager
async def run_worker(
    queue: Queue,
    *tasks: Task[Any],
    context: Any = None,
    timing: Timing = DEFAULT_TIMING,
) -> AsyncIterator[Worker]:
    """Give a worker that runs, drained at the end."""
    registry = {task.name: task for task in tasks}
    worker = Worker(queue, context, tasks=registry, timing=timing)
    working = worker.start()
    try:
        yield worker
    finally:
        await worker.drain(DRAIN_SECONDS)
        await asyncio.gather(working, return_exceptions=True)


async def connect(store: Store) -> None:
    """Connect a store, again where a machine that stalls was not quick enough."""

    async def try_once() -> bool:
        try:
            await store.connect()
        except RedisAway:
            return False
        return True

    await wait_until(try_once, 60)


async def wait_until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until a condition holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(0.005)
