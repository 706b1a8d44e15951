"""A process that works in the storm: `python -m ... <redis url> <ledger>`. Its slot comes from GRIMBOTS_SLOT.

Its two tasks keep the rules of every task of the product: the row is the truth, the job a hint; the guard comes right
before the call; what surely did not happen is put back; the result is written by whoever knows it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from typing import Any

from grimbots.conf import logs
from grimbots.conf.loops import LoopWatch
from grimbots.handlers.commands.notices import READY, notify
from grimbots.queue.attempts import CURRENT
from grimbots.queue.dispatcher import Queue
from grimbots.queue.job import Job
from grimbots.queue.task import Done, LeaseLost
from grimbots.queue.worker import Worker
from grimbots.tests.queue.desks import SLOTS, make_task

HOST, SOURCE, ACCOUNT = "chaos", "b1", "1"
PREPARE_SECONDS = 0.02  # from the row to the guard: who is frozen here past his lease wakes with a call in his hands


class World:
    """The ledger, as a worker speaks with it, and the worker's queue."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}

    async def open(self, path: str) -> None:
        """Connect and say who we are."""
        reader, self._writer = await asyncio.open_unix_connection(path)
        self._writer.write(b"%d\n" % os.getpid())
        self._reading = asyncio.create_task(self._read(reader))

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._reading

    async def ask(self, verb: str, *arguments: Any) -> Any:
        """Ask and wait for the answer."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps([number, verb, *arguments]).encode() + b"\n")
        return await answer

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            number, answer = json.loads(line)
            waiting = self._answers.pop(number)
            if not waiting.done():
                waiting.set_result(answer)


async def handle(world: World, *, job: str, chat: str, n: int, policy: str) -> Done:
    """Apply an update: its effects are planned as rows, then each gets a job at the head of the chat."""
    return Done([make_send(name, chat) for name in await world.ask("plan", job, chat, n, policy)])


async def send(world: World, *, name: str) -> None:
    """Do one planned effect."""
    attempt = CURRENT.get()
    assert attempt is not None
    fence = attempt.claimed.fence
    if not await world.ask("begin", name, fence):
        return
    await asyncio.sleep(PREPARE_SECONDS)
    try:
        world.queue.guard()
    except LeaseLost:
        await world.ask("put_back", name)
        raise
    await world.ask("call", name, fence)
    await world.ask("finish", name)


HANDLE, SEND = make_task(handle, "chaos.handle", queue="webhook"), make_task(send, "chaos.send")


def make_update(chat: str, n: int, policy: str) -> Job:
    """Make the job of a chat's n-th update."""
    name = f"{chat}:{n}"
    return HANDLE.job(id=name, source=SOURCE, account=ACCOUNT, group=chat, job=name, chat=chat, n=n, policy=policy)


def make_send(name: str, chat: str) -> Job:
    """Make the job of an effect."""
    return SEND.job(id=name, source=SOURCE, account=ACCOUNT, group=chat, name=name)


async def work(url: str, ledger: str) -> None:
    """Work until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    queue = Queue(url, consumer_host=HOST, slot=int(os.environ["GRIMBOTS_SLOT"]), queue_slots=SLOTS)
    world = World(queue)
    with LoopWatch():
        await queue.start()
        worker = Worker(queue, world, tasks={task.name: task for task in (HANDLE, SEND)})
        await world.open(ledger)
        working = worker.start()
        notify(READY)
        await asyncio.wait({asyncio.create_task(stop.wait()), working}, return_when=asyncio.FIRST_COMPLETED)
        await worker.drain()
        await queue.stop()
        await world.close()


if __name__ == "__main__":
    logs.set_up("INFO")
    asyncio.run(work(*sys.argv[1:]))
