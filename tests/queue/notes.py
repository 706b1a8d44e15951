"""Jobs that note that they ran, and looks at what became of them."""

from __future__ import annotations

import asyncio

from grimbots.queue.dispatcher import Queue
from grimbots.queue.sightings import State


class Notes:
    """A context that remembers what ran."""

    def __init__(self) -> None:
        self.ran: list[int] = []
        self.now = 0
        self.most = 0
        self.go = asyncio.Event()


async def note_run(context: Notes, *, n: int) -> None:
    """A job that notes its number."""
    context.ran.append(n)


async def wait_for_go(context: Notes, *, n: int) -> None:
    """A job that notes its number and waits for `go`."""
    context.ran.append(n)
    context.now += 1
    context.most = max(context.most, context.now)
    try:
        await context.go.wait()
    finally:
        context.now -= 1


async def is_settled(queue: Queue, jobs: int, name: str = "tasks") -> bool:
    """Tell whether so many jobs of a queue are settled."""
    counts = await queue.reads.count_jobs()
    return name in counts and counts[name].settled == jobs


async def find_state(queue: Queue, id: str) -> State | None:  # noqa: A002
    """Give where a job stands."""
    seen = await queue.reads.find_job(id)
    return seen.state if seen else None
