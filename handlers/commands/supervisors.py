"""Keeping the processes of `grimbots dev` alive: one that dies is started again and said so; all end together."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

from grimbots.handlers.commands.embedded.children import CannotStart, Child, stop, wait

SHORT_LIFE_SECONDS = 2.0
PAUSE_SECONDS = 1.0
DRAIN_SECONDS = 30.0  # a little more than the server gives its own jobs

Start = Callable[[], Awaitable[Child]]


class Supervisor:
    """Owns children. They are stopped in the opposite order of their `add`, which may run side by side."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._places = itertools.count()
        self._living: dict[int, Child] = {}
        self._keepers: list[asyncio.Task[None]] = []

    async def add(self, start: Start) -> None:
        """Start a child and keep it alive from now on.

        Raises:
            CannotStart: it does not start the first time.
        """
        place = next(self._places)
        self._living[place] = await start()
        self._keepers.append(asyncio.create_task(self._keep(place, start)))

    async def close(self) -> None:
        """Stop every child, the last one first."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for place in sorted(self._living, reverse=True):
            await stop(self._living[place], DRAIN_SECONDS)

    async def _keep(self, place: int, start: Start) -> None:
        loop = asyncio.get_running_loop()
        while True:
            child, started_at = self._living[place], loop.time()
            code = await wait(child)
            self._say(f"{child.name} ended ({_describe(code)}): starting it again")
            if loop.time() - started_at < SHORT_LIFE_SECONDS:
                await asyncio.sleep(PAUSE_SECONDS)
            self._living[place] = await self._start_again(start)

    async def _start_again(self, start: Start) -> Child:
        """Try until it starts: what it needs (a store) may be starting again itself."""
        while True:
            try:
                return await start()
            except CannotStart as error:
                self._say(str(error))
                await asyncio.sleep(PAUSE_SECONDS)


def _describe(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


async def is_listening(host: str, port: int) -> bool:
    """Tell whether something accepts connections there."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True
