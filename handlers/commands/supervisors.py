"""Keeping processes alive: one that ends is started again and said so; all can be renewed, and end together."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

from grimbots.handlers.commands.embedded.children import CannotStart, Child, stop, wait

SHORT_LIFE_SECONDS = 2.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 10.0
DRAIN_SECONDS = 40.0  # the server gives its jobs 25, then farewells that Redis may not answer

Start = Callable[[], Awaitable[Child]]
Say = Callable[[str], None]


class Supervisor:
    """Owns children. They are stopped in the opposite order of their `add`, which may run side by side."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._places = itertools.count()
        self._keepers: dict[int, Keeper] = {}

    async def add(self, start: Start) -> None:
        """Start a child and keep it alive from now on.

        Raises:
            CannotStart: it does not start the first time.
        """
        place = next(self._places)
        self._keepers[place] = Keeper(await start(), start, self._say)

    async def renew(self) -> None:
        """Replace every child by a new one, one after the other, each ready before the next one's turn."""
        for place in sorted(self._keepers):
            await self._keepers[place].renew()

    async def close(self) -> None:
        """Stop every child, the last one first."""
        for place in sorted(self._keepers, reverse=True):
            await self._keepers[place].close()

    async def close_together(self) -> None:
        """Stop every child at the same time."""
        await asyncio.gather(*(keeper.close() for keeper in self._keepers.values()))


class Keeper:
    """Keeps one child alive. A child that ends young is started again after a pause, which grows while that goes on."""

    def __init__(self, child: Child, start: Start, say: Say) -> None:
        self._child = child
        self._start = start
        self._say = say
        self._failures = 0
        self._is_ending = False
        self._ready = asyncio.Event()
        self._ready.set()
        self._keeping = asyncio.create_task(self._keep())

    async def renew(self) -> None:
        """Stop the child in good order and wait until its successor is ready."""
        await self._ready.wait()  # one that is just being started may have read the old settings
        self._ready.clear()
        self._is_ending = True
        await stop(self._child, DRAIN_SECONDS)
        await self._ready.wait()

    async def close(self) -> None:
        """Stop the child for good."""
        self._keeping.cancel()
        await asyncio.gather(self._keeping, return_exceptions=True)
        await stop(self._child, DRAIN_SECONDS)

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            started_at = loop.time()
            code = await wait(self._child)
            self._ready.clear()
            self._note_end(code, loop.time() - started_at)
            self._child = await self._start_again()
            self._is_ending = False
            self._ready.set()

    def _note_end(self, code: int, life_seconds: float) -> None:
        if self._is_ending:
            self._failures = 0
            self._say(f"{self._child.name} has stopped: starting a new one")
            return
        self._failures = self._failures + 1 if life_seconds < SHORT_LIFE_SECONDS else 0
        self._say(f"{self._child.name} ended ({_describe(code)}): starting it again")

    async def _start_again(self) -> Child:
        """Try until it starts: what it needs (a store) may be starting again itself."""
        while True:
            await asyncio.sleep(find_pause(self._failures))
            try:
                return await self._start()
            except (CannotStart, OSError) as error:
                self._say(str(error))
                self._failures += 1


def find_pause(failures: int) -> float:
    """Give the seconds to wait after so many failures in a row."""
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 20)) if failures else 0.0


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
