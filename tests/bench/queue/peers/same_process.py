"""GrimBots' queue as the product runs it: the process that enqueues is the one that works. For single jobs only."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from functools import partial

from grimbots.queue.job import Accepted
from grimbots.queue.sightings import State
from grimbots.tests.bench.queue.contract import CONCURRENCY, Send, main
from grimbots.tests.bench.queue.peers.ours import TASK, make_numbered_job
from grimbots.tests.queue.desks import open_queue, run_worker, wait_until


@asynccontextmanager
async def open_send(url: str) -> AsyncIterator[Send]:
    """Give a function that enqueues one job beside a worker, which is let go when it has run them all."""
    sent: list[int] = []
    async with open_queue(url, slots={"tasks": CONCURRENCY}) as queue, run_worker(queue, TASK) as worker:
        await wait_until(worker.is_working)

        def send(n: int, ms: int) -> Awaitable[Accepted]:
            sent.append(n)
            return queue.enqueue(make_numbered_job(n, ms))

        async def is_done(n: int) -> bool:
            seen = await queue.reads.find_job(str(n))
            return seen is not None and seen.state is State.DONE

        yield send
        for n in sent:
            await wait_until(partial(is_done, n))


def work(url: str) -> None:
    """Do nothing: whoever enqueues works."""
    threading.Event().wait()


if __name__ == "__main__":
    main(open_send, work)
