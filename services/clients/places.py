"""The places of a party: so many requests at once, as many more in a line, and nobody in it for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

WAIT_SECONDS = 1.0  # whoever waits holds a job's slot meanwhile, which another party's job could use


class NoPlace(Exception):
    """Every place was taken, and the line was full or did not move in time."""


class Places:
    """First come, first served. The line is as long as there are places: who stands behind it would wait in vain."""

    def __init__(self, places: int, wait_seconds: float = WAIT_SECONDS) -> None:
        self._free = asyncio.Semaphore(places)
        self._line_limit = places
        self._wait_seconds = wait_seconds
        self._waiting = 0

    @asynccontextmanager
    async def hold(self, most_seconds: float) -> AsyncIterator[None]:
        """Hold a place for as long as the block lasts.

        Raises:
            NoPlace: the line is full, or it took longer than `most_seconds` or the longest wait.
        """
        if self._free.locked():
            await self._wait(min(most_seconds, self._wait_seconds))
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    async def _wait(self, seconds: float) -> None:
        if self._waiting >= self._line_limit:
            raise NoPlace(f"{self._waiting} requests wait already")
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise NoPlace(f"no place came free within {seconds:g} s") from error
        finally:
            self._waiting -= 1
