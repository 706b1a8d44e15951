"""Listening to a channel (NOTIFY) for ever, on a session of its own that is dialled again whenever it is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress

from grimbots.sql.diallers import Dialler
from grimbots.sql.errors import DatabaseUnavailable
from grimbots.sql.pools import Pool

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 5.0
ANSWER_TIMEOUT_SECONDS = 30.0
"""For a session, and for the answer to LISTEN."""

log = logging.getLogger(__name__)


class Listener:
    """One channel's payloads, to be read once."""

    def __init__(self, dialler: Dialler, channel: str) -> None:
        self._channel = channel
        self._pool = Pool(dialler, 1, ANSWER_TIMEOUT_SECONDS, ANSWER_TIMEOUT_SECONDS)
        self._is_closing = asyncio.Event()

    async def payloads(self) -> AsyncGenerator[str, None]:
        """Give "" after each connect, then what is notified."""
        pause_seconds = FIRST_PAUSE_SECONDS
        while not self._is_closing.is_set():
            try:
                async with self._pool.session() as connection:
                    await connection.listen(self._channel)
                    pause_seconds = FIRST_PAUSE_SECONDS
                    yield ""
                    while True:
                        yield await connection.next_payload()
            except DatabaseUnavailable as error:
                await self._pause(pause_seconds, error)
                pause_seconds = min(pause_seconds * 2, LONGEST_PAUSE_SECONDS)

    async def close(self) -> None:
        """End the session and whoever reads it."""
        self._is_closing.set()
        await self._pool.close()

    async def _pause(self, seconds: float, error: DatabaseUnavailable) -> None:
        if self._is_closing.is_set():
            return
        log.warning("not listening to %s: %s; again in %g s", self._channel, error, seconds)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_closing.wait(), seconds)
