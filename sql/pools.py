"""The pool: sessions are handed to waiters in the order they came, requests before jobs, and dialled by the pool, never
by a waiter.

So a cancelled waiter leaves nothing behind (its dial goes on and serves somebody else), a hanging dial stops nobody
who could have a session that came back, and every way a place becomes free wakes the next waiter.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from grimbots.conf.precedence import comes_first
from grimbots.sql.connections import Connection
from grimbots.sql.diallers import Dialler
from grimbots.sql.errors import DatabaseUnavailable


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a pool is taken: sessions lent and allowed, and callers who wait for one."""

    pool_size: int
    pool_in_use: int
    pool_waiting: int


class Pool:
    """At most `size` sessions.

    Args:
        timeout_seconds: how long a caller waits for a session.
        answer_timeout_seconds: how long a statement's answer may take before the server counts as gone.
    """

    def __init__(self, dialler: Dialler, size: int, timeout_seconds: float, answer_timeout_seconds: float) -> None:
        self._dialler, self._size = dialler, size
        self._timeout_seconds, self._answer_timeout_seconds = timeout_seconds, answer_timeout_seconds
        self._idle: list[Connection] = []  # the last used on top, so that few sessions stay warm
        self._busy: set[Connection] = set()
        self._dials: set[asyncio.Future[Any]] = set()
        self._urgent: deque[asyncio.Future[Connection]] = deque()
        self._others: deque[asyncio.Future[Connection]] = deque()
        self._is_closed = False
        # Threads of our own: a hanging Postgres must not fill the loop's, which look up names for everybody.
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="postgres-dial")

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Connection]:
        """Lend a session.

        Raises:
            DatabaseUnavailable: none could be dialled, or none became free in time.
        """
        connection = await self._acquire()
        try:
            yield connection
        finally:
            self._release(connection)

    def usage(self) -> Usage:
        """Tell how much is taken now."""
        return Usage(self._size, len(self._busy), self._count_waiters())

    async def close(self) -> None:
        """Close every session, lent ones too, refuse the waiters, and see running dials end."""
        self._is_closed = True
        while self._count_waiters():
            self._refuse("the database is closed")
        for connection in [*self._idle, *self._busy]:
            await connection.close()
        self._idle.clear()
        if self._dials:
            await asyncio.wait(self._dials)
        self._threads.shutdown(wait=False)

    async def _acquire(self) -> Connection:
        if self._is_closed:
            raise DatabaseUnavailable("the database is closed")
        while self._idle:
            connection = self._idle.pop()
            if connection.is_reusable:
                self._busy.add(connection)
                return connection
        return await self._wait()

    async def _wait(self) -> Connection:
        waiter: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        (self._urgent if comes_first.get() else self._others).append(waiter)
        self._dial()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await waiter
        except TimeoutError as error:
            self._leave(waiter)
            raise DatabaseUnavailable(self._describe_shortage()) from error
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def _describe_shortage(self) -> str:
        return (
            f"no connection to Postgres became free in {self._timeout_seconds:g} s"
            f" ({len(self._busy)} of {self._size} in use, {len(self._dials)} being opened)"
        )

    def _leave(self, waiter: asyncio.Future[Connection]) -> None:
        """Take a waiter out who was cancelled; what it was given in the same moment goes to the next."""
        line = next((line for line in (self._urgent, self._others) if waiter in line), None)
        if line is not None:
            line.remove(waiter)
        elif not waiter.cancelled() and waiter.exception() is None:
            self._release(waiter.result())

    def _release(self, connection: Connection) -> None:
        self._busy.discard(connection)
        if connection.is_reusable:
            self._offer(connection)
        else:
            connection._close()
            self._dial()

    def _offer(self, connection: Connection) -> None:
        waiter = self._next_waiter()
        if waiter is not None:
            self._busy.add(connection)
            waiter.set_result(connection)
        elif self._is_closed:
            connection._close()
        else:
            self._idle.append(connection)

    def _refuse(self, message: str, cause: BaseException | None = None) -> None:
        waiter = self._next_waiter()
        if waiter is not None:
            error = DatabaseUnavailable(message)
            error.__cause__ = cause
            waiter.set_exception(error)

    def _next_waiter(self) -> asyncio.Future[Connection] | None:
        while line := self._urgent or self._others:
            waiter = line.popleft()
            if not waiter.done():
                return waiter
        return None

    def _count_waiters(self) -> int:
        return len(self._urgent) + len(self._others)

    def _dial(self) -> None:
        """Start as many dials as there are waiters without one and places free."""
        while (
            len(self._dials) < self._count_waiters()
            and len(self._dials) + len(self._busy) + len(self._idle) < self._size
        ):
            dial = asyncio.get_running_loop().run_in_executor(self._threads, self._dialler.dial)
            self._dials.add(dial)
            dial.add_done_callback(self._conclude)

    def _conclude(self, dial: asyncio.Future[Any]) -> None:
        self._dials.discard(dial)
        error = dial.exception()
        if error is None:
            self._offer(Connection(dial.result(), self._answer_timeout_seconds))
        else:
            self._refuse(f"cannot connect to Postgres: {str(error).strip()}", error)
        self._dial()
