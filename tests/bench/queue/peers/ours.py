"""GrimBots' queue: ordered per chat (5 sources, 200 chats), every enqueue durable before it returns, 50 slots."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from grimbots.queue.job import Job
from grimbots.tests.bench.queue.contract import CONCURRENCY, PADDING, Send, main, run
from grimbots.tests.queue.desks import make_job, make_task, open_queue, run_worker

SOURCES, CHATS = 5, 200
GROUP_CAP = 1_000_000


async def _run(context: None, *, n: int, ms: int, padding: str) -> None:
    await run(n, ms, padding)


TASK = make_task(_run, "bench.run")


def make_numbered_job(n: int, ms: int) -> Job:
    """Make job `n`: its chat and source follow from its number."""
    return make_job(TASK, str(n), chat=str(n % CHATS), source=f"b{n % SOURCES}", n=n, ms=ms, padding=PADDING)


@asynccontextmanager
async def open_send(url: str) -> AsyncIterator[Send]:
    """Give a function that enqueues one job; those of one loop tick share a round trip."""
    async with open_queue(url, slot=9, group_cap=GROUP_CAP) as queue:
        yield lambda n, ms: queue.enqueue(make_numbered_job(n, ms))


async def _work(url: str, slot: int) -> None:
    async with open_queue(url, slot=slot, slots={"tasks": CONCURRENCY}) as queue, run_worker(queue, TASK):
        gc.freeze()  # as server.py does
        await asyncio.Event().wait()


def work(url: str, slot: int = 0) -> None:
    """Run jobs until killed."""
    asyncio.run(_work(url, slot))


if __name__ == "__main__":
    main(open_send, work)
