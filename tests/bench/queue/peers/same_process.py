"""GrimBots' queue as the product runs it: the process that enqueues is the one that works. For single jobs only."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from grimbots.tests.bench.queue.contract import CONCURRENCY, Send, main
from grimbots.tests.bench.queue.peers.ours import TASK, make_numbered_job
from grimbots.tests.queue.desks import open_queue, run_worker, wait_until


@asynccontextmanager
async def open_send(url: str) -> AsyncIterator[Send]:
    """Give a function that enqueues one job beside a worker."""
    async with open_queue(url, slots={"tasks": CONCURRENCY}) as queue, run_worker(queue, TASK) as worker:
        await wait_until(worker.is_working)
        yield lambda n, ms: queue.enqueue(make_numbered_job(n, ms))


def work(url: str) -> None:
    """Do nothing: whoever enqueues works."""
    threading.Event().wait()


if __name__ == "__main__":
    main(open_send, work)
