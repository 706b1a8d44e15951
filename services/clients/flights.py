"""One call under way per key: whoever asks for the same meanwhile gets its outcome, so a hundred cost what one does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Flights:
    """The calls under way. One goes on when who began it is cancelled: others may wait for it."""

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Future[Any]] = {}

    async def join(self, key: str, start: Callable[[], Awaitable[T]]) -> T:
        """Wait for the call of this key that is under way, else start it; returns or raises what it does."""
        flight = self._under_way.get(key)
        if flight is None:
            flight = self._under_way[key] = asyncio.ensure_future(start())
            flight.add_done_callback(lambda done: self._end(key, done))
        outcome: T = await asyncio.shield(flight)
        return outcome

    def _end(self, key: str, flight: asyncio.Future[Any]) -> None:
        del self._under_way[key]
        if not flight.cancelled():
            flight.exception()  # looked at, should nobody wait any more
