"""A process that works on a queue and is made to suffer: `python -m ... <redis url> <slot> <folder>`.

Under a parent, which gives it its slot, the slot is called "-".

Its tasks append what they do to `<folder>/effects`, a line each: what is there has happened, whoever died after it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from grimbots.conf.loops import LoopWatch, Patience
from grimbots.handlers.commands.notices import READY, notify
from grimbots.queue.dispatcher import Queue
from grimbots.queue.task import Task
from grimbots.queue.worker import Worker
from grimbots.tests.queue.desks import SLOTS, make_task

STUCK_SECONDS = "VICTIM_STUCK_SECONDS"  # the name of a variable: how long its loop may be stuck


@dataclass(frozen=True)
class Place:
    """What the tasks get: their queue, and where to write."""

    queue: Queue
    folder: Path

    def write(self, *words: object) -> None:
        """Append one line."""
        with (self.folder / "effects").open("a", encoding="ascii") as file:
            file.write(" ".join(map(str, words)) + "\n")


async def work(place: Place, *, n: int) -> None:
    """Take a moment, then do the effect."""
    place.write("start", n)
    await asyncio.sleep(0.02)
    place.queue.guard()
    place.write("effect", n)


async def wait_for_word(place: Place, *, n: int) -> None:
    """Do the effect when the file `go` is there."""
    place.write("start", n)
    while not (place.folder / "go").exists():
        await asyncio.sleep(0.01)
    place.queue.guard()
    place.write("effect", n)


async def die(place: Place) -> None:
    """Kill the process."""
    place.write("die", os.getpid())
    os.kill(os.getpid(), signal.SIGKILL)


async def block(place: Place) -> None:
    """Hold the event loop for ever."""
    place.write("block", os.getpid())
    while True:
        pass


async def block_once(place: Place) -> None:
    """Hold the event loop for ever the first time, and do the effect the second."""
    first = not (place.folder / "blocked").exists()
    (place.folder / "blocked").touch()
    if first:
        await block(place)
    place.write("effect", 0)


TASKS: dict[str, Task[...]] = {
    "test.work": make_task(work, "test.work"),
    "test.wait": make_task(wait_for_word, "test.wait"),
    "test.die": make_task(die, "test.die"),
    "test.block": make_task(block, "test.block"),
    "test.block_once": make_task(block_once, "test.block_once"),
}


async def suffer(url: str, slot: int, folder: Path) -> None:
    """Work until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    queue = Queue(url, consumer_host="victim", slot=slot, queue_slots=SLOTS)
    with LoopWatch(Patience(stuck_seconds=float(os.environ.get(STUCK_SECONDS, "30")))):
        await queue.start()
        worker = Worker(queue, Place(queue, folder), tasks=TASKS)
        working = worker.start()
        notify(READY)
        await asyncio.wait({asyncio.create_task(stop.wait()), working}, return_when=asyncio.FIRST_COMPLETED)
        await worker.drain()
        await queue.stop()


if __name__ == "__main__":
    own_slot = os.environ["GRIMBOTS_SLOT"] if sys.argv[2] == "-" else sys.argv[2]
    asyncio.run(suffer(sys.argv[1], int(own_slot), Path(sys.argv[3])))
