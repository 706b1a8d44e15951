"""One session with Postgres on the event loop: aiopg's Connection over a session dialled elsewhere.

It cures the faults of aiopg 1.4.0; each cure is one named test of `tests/sql/test_faults.py`.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Mapping
from typing import Any

import psycopg2
from aiopg.connection import Connection as AiopgConnection
from aiopg.utils import ClosableQueue
from psycopg2 import extensions

from grimbots.sql.errors import DatabaseUnavailable, StatementTimeout
from grimbots.sql.statements import Statement

UNAVAILABLE_CODES = ("08", "25006", "53", "57P")
"""SQLSTATEs, or their beginnings, after which a session is useless: connection lost, a primary that became a standby,
out of resources, shutdown. Source: https://www.postgresql.org/docs/15/errcodes-appendix.html"""

PLAIN_COMMANDS = {"BEGIN", "COMMIT", "DELETE", "INSERT", "MERGE", "NOTIFY", "ROLLBACK", "SELECT", "UPDATE"}
"""Commands that leave nothing behind in the session. After any other (SET, LISTEN ...) nobody else may get it."""


class Connection(AiopgConnection):
    """A session that runs one statement at a time.

    Args:
        raw: psycopg2's connection in asynchronous mode, with its session open.
        answer_timeout_seconds: after this long without an answer the server counts as gone.
    """

    def __init__(self, raw: Any, answer_timeout_seconds: float) -> None:
        # The fields of aiopg's initialiser, which is not called because it would dial on the loop.
        self._loop = asyncio.get_running_loop()
        self._conn, self._dsn = raw, raw.dsn
        self._timeout, self._echo, self._waiter, self._writing = answer_timeout_seconds, False, None, False
        self._last_usage = self._loop.time()
        self._notifies: asyncio.Queue[Any] = asyncio.Queue()
        self._notifies_proxy = ClosableQueue(self._notifies, self._loop)
        self._weakref = weakref.ref(self)
        # libpq closes its descriptor when it likes, and its number may be another socket's a moment later. The loop
        # watches a duplicate that only we close: nothing dead stays registered, nobody else's registration is removed.
        self._fileno: int | None = os.dup(raw.fileno())
        self._loop.add_reader(self._fileno, self._ready, self._weakref)
        self._is_plain = True
        self._prepared: set[str] = set()

    @property
    def is_in_transaction(self) -> bool:
        """Tell whether a transaction is open, or failed and not yet rolled back; also where the session was lost."""
        return bool(self._conn.get_transaction_status() != extensions.TRANSACTION_STATUS_IDLE)

    @property
    def is_reusable(self) -> bool:
        """Tell whether somebody else may get this session: open, in no transaction, nothing left behind."""
        return not self.closed and self._is_plain and not self.is_in_transaction

    async def prepare(self, statement: Statement) -> None:
        """Make the session know a statement, once: what Postgres need not read and plan again costs it half.

        Raises:
            What `run` does.
        """
        if statement.title not in self._prepared:
            await self._execute(statement.prepare_sql)
            self._prepared.add(statement.title)

    def render(self, sql: str, parameters: Mapping[str, Any] | None = None) -> bytes:
        """Put the parameters into a statement, to be run along with others.

        Raises:
            DatabaseUnavailable: the session is lost.
        """
        try:
            rendered: bytes = self._conn.cursor().mogrify(sql, parameters)
        except psycopg2.InterfaceError as error:
            raise _lose(error) from error
        return rendered

    async def run(self, sql: str | bytes, parameters: Mapping[str, Any] | None = None) -> Any:
        """Run one statement, or several, and answer psycopg2's cursor with all rows of the last one received.

        Raises:
            DatabaseUnavailable: the session is lost, and closed.
            StatementTimeout: the server cancelled the statement.
            psycopg2.Error: the server refused the statement.
        """
        raw = await self._execute(sql, parameters)
        self._is_plain = self._is_plain and raw.statusmessage.split()[0] in PLAIN_COMMANDS
        return raw

    async def _execute(self, sql: str | bytes, parameters: Mapping[str, Any] | None = None) -> Any:
        waiter = self._create_waiter("run")
        try:
            cursor = self._send(sql, parameters)
            await self._poll(waiter, self._timeout)
        except TimeoutError as error:
            raise DatabaseUnavailable(f"no answer from Postgres in {self._timeout:g} s") from error
        except extensions.QueryCanceledError as error:
            raise StatementTimeout(str(error).strip()) from error
        except psycopg2.Error as error:
            if self._is_lost(error):
                self._close()
                raise _lose(error) from error
            error.args = (_shorten(error),)
            raise
        if self.closed:  # by somebody who ends all sessions, between the answer and us
            raise DatabaseUnavailable("the connection to Postgres was closed")
        return cursor

    def _send(self, sql: str | bytes, parameters: Mapping[str, Any] | None) -> Any:
        try:
            cursor = self._conn.cursor()
            cursor.execute(sql, parameters)
        except BaseException:
            self._waiter = None
            raise
        return cursor

    async def listen(self, channel: str) -> None:
        """Have the notifications of `channel` sent to this session."""
        await self.run(f"LISTEN {extensions.quote_ident(channel, self._conn)}")

    async def next_payload(self) -> str:
        """Wait for a notification and give its payload.

        Raises:
            DatabaseUnavailable: the session is lost.
        """
        try:
            notification = await self.notifies.get()
        except psycopg2.Error as error:
            raise _lose(error) from error
        return str(notification.payload)

    def _is_lost(self, error: psycopg2.Error) -> bool:
        return bool(self.closed) or (error.pgcode or "").startswith(UNAVAILABLE_CODES)

    async def _poll(self, waiter: asyncio.Future[None], timeout: float) -> None:
        """Wait for the answer. aiopg's own makes an asyncio.CancelledError of a statement the server cancelled."""
        self._advance()
        alarm = self._loop.call_later(timeout, _give_up, waiter)  # a third of what asyncio.timeout costs
        try:
            await waiter
        except (asyncio.CancelledError, TimeoutError):
            self._close()  # the answer may still come, and must not be taken for the next statement's
            raise
        finally:
            alarm.cancel()
            self._waiter = None

    @staticmethod
    def _ready(weak_self: weakref.ref[Any]) -> None:
        connection = weak_self()
        if connection is not None:
            connection._advance()

    def _advance(self) -> None:
        """Let libpq read and write what it can, hand out notifications, wake the statement that is done."""
        waiter = self._waiter
        try:
            state = self._conn.poll()
        except (psycopg2.Warning, psycopg2.Error) as error:
            self._watch_writable(False)
            if waiter is not None and not waiter.done():
                waiter.set_exception(error)
            if self._conn.closed:
                self._notifies_proxy.close(error)
                self._close()
            return
        while self._conn.notifies:
            self._notifies.put_nowait(self._conn.notifies.pop(0))
        self._watch_writable(state == extensions.POLL_WRITE)
        if state == extensions.POLL_OK and waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _watch_writable(self, wanted: bool) -> None:
        if wanted == self._writing or self._fileno is None:
            return
        if wanted:
            self._loop.add_writer(self._fileno, self._ready, self._weakref)
        else:
            self._loop.remove_writer(self._fileno)
        self._writing = wanted

    def _close(self) -> None:
        super()._close()
        if self._fileno is not None:
            os.close(self._fileno)
            self._fileno = None


def _give_up(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


def _lose(error: psycopg2.Error) -> DatabaseUnavailable:
    return DatabaseUnavailable(f"connection to Postgres lost: {_shorten(error)}")


def _shorten(error: psycopg2.Error) -> str:
    """Give the error's first sentence: what follows (DETAIL, LINE) repeats values, and those may be personal."""
    return error.diag.message_primary or str(error).strip()
