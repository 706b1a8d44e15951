"""The one door to Postgres: `await db.payments.find(account_id=1, payment_id=2)` runs the statement `find` of
`sql/queries/payments.sql`.

    async with db.transaction() as tx:        # commits when left, rolls back on an exception or a cancellation
        lead = await tx.leads.lock(bot_id=7, chat_id=8)

A row is a named tuple; jsonb comes as Python values, timestamptz as aware UTC datetimes, bytea as bytes, numeric as
Decimal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

from grimbots.conf import metrics
from grimbots.sql.adapters import Json
from grimbots.sql.connections import Connection
from grimbots.sql.diallers import Dialler
from grimbots.sql.errors import DatabaseUnavailable, StatementTimeout, UniqueViolation
from grimbots.sql.listeners import Listener
from grimbots.sql.pools import Pool, Usage
from grimbots.sql.statements import LATER, VERBS, Catalog, Statement, load

__all__ = ["Database", "DatabaseUnavailable", "Json", "Row", "StatementTimeout", "Transaction", "UniqueViolation"]

QUERIES = Path(__file__).parent / "queries"

TIMES = {verb: metrics.database_query_seconds.labels(verb) for verb in VERBS}

ANSWER_GRACE_SECONDS = 5.0
"""How long after the server's own limit for a statement its answer may still come; then the server counts as gone."""

Row = Any
"""A named tuple with the columns of its statement."""


class Aggregate:
    """The statements of one file of `sql/queries/` as methods that take their parameters by name."""

    def __init__(self, title: str, statements: Mapping[str, Statement], run: Callable[..., Awaitable[Any]]) -> None:
        self._title, self._statements, self._run = title, statements, run

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        statement = self._statements.get(name)
        if statement is None:
            raise AttributeError(f"no statement {self._title}.{name}; there are {', '.join(self._statements)}")

        async def call(**parameters: Any) -> Any:
            statement.check(parameters)
            return await self._run(statement, parameters)

        return call


class _Door(ABC):
    """What Database and Transaction share: aggregates as attributes."""

    _catalog: Catalog

    def __getattr__(self, name: str) -> Aggregate:
        statements = None if name.startswith("_") else self._catalog.get(name)
        if statements is None:
            known = ", ".join(self._catalog) or "none, since it is not open"
            raise AttributeError(f"{type(self).__name__} has no {name}; its aggregates are {known}")
        return Aggregate(name, statements, self._run)

    @abstractmethod
    async def _run(self, statement: Statement, parameters: Mapping[str, Any]) -> Any: ...


class _Waiting:
    """Statements of a transaction that are sent along with its next one."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self._sql = b""

    async def add(self, connection: Connection, statement: Statement, parameters: Mapping[str, Any]) -> None:
        self._sql += await _render(connection, statement, parameters) + b";\n"
        self.titles.append(statement.title)

    def take(self, connection: Connection) -> tuple[bytes, list[str]]:
        """Give what goes before the next statement, with BEGIN where none has gone, and the titles of it."""
        begin = b"" if connection.is_in_transaction else b"BEGIN;\n"
        sql, titles = begin + self._sql, self.titles
        self._sql, self.titles = b"", []
        return sql, titles


class Transaction(_Door):
    """One transaction on one session; its statements run one at a time. Made and ended by `Database.transaction()`.

    BEGIN goes along with the first statement, and a statement that gives nothing (`:later`) with the next one or with
    COMMIT: round trips less, and none for a block that runs nothing.
    """

    def __init__(self, catalog: Catalog, connection: Connection) -> None:
        self._catalog = catalog
        self._connection: Connection | None = connection
        self._waiting = _Waiting()

    async def _run(self, statement: Statement, parameters: Mapping[str, Any]) -> Any:
        if self._connection is None:
            raise RuntimeError(f"{statement.title}() after its transaction ended")
        if statement.kind == LATER:
            await self._waiting.add(self._connection, statement, parameters)
            return None
        return await _execute(self._connection, statement, parameters, self._waiting)

    async def _commit(self, connection: Connection) -> None:
        if not connection.is_in_transaction and not self._waiting.titles:
            return
        before, titles = self._waiting.take(connection)
        try:
            cursor = await connection.run(before + b"COMMIT")
        except Exception as error:
            _note(error, titles)
            await _roll_back(connection)
            raise
        if cursor.statusmessage != "COMMIT":
            raise RuntimeError("rolled back: a statement of the transaction failed and its error was swallowed")

    def _end(self) -> None:
        self._connection = None


class Database(_Door):
    """A pool of sessions and the named statements.

    Args:
        dsn: a libpq URL or string; several hosts are tried in turn.
        size: most sessions at a time, listeners not counted.
        timeout_seconds: how long a caller waits for a session.
        statement_timeout_seconds: the server's limit for one statement.
        queries: the folder of the named statements.
    """

    def __init__(
        self,
        dsn: str,
        size: int = 10,
        timeout_seconds: float = 5.0,
        statement_timeout_seconds: float = 10.0,
        queries: Path = QUERIES,
    ) -> None:
        self._dialler = Dialler(dsn, statement_timeout_seconds)
        self._pool = Pool(self._dialler, size, timeout_seconds, statement_timeout_seconds + ANSWER_GRACE_SECONDS)
        self._queries = queries
        self._catalog: Catalog = {}
        self._listeners: set[Listener] = set()

    async def open(self) -> None:
        """Read the named statements. Sessions are dialled when they are needed, so Postgres may be away.

        Raises:
            QueryFileError: a file of statements breaks a rule.
        """
        self._catalog = load(self._queries)

    async def close(self) -> None:
        """End every session; whoever waits gets DatabaseUnavailable, listeners end."""
        for listener in list(self._listeners):
            await listener.close()
        await self._pool.close()

    def usage(self) -> Usage:
        """Tell how much of the pool is taken now."""
        return self._pool.usage()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Run the block in one transaction.

        Raises:
            DatabaseUnavailable: also when the answer to COMMIT got lost: then the change may stand.
            RuntimeError: the block swallowed the error of a statement, so Postgres could only roll back.
        """
        async with self._pool.session() as connection:
            transaction = Transaction(self._catalog, connection)
            try:
                yield transaction
            except Exception:
                await _roll_back(connection)
                raise
            finally:  # on a cancellation too: then the pool closes the session, which rolls back
                transaction._end()
            await transaction._commit(connection)

    async def listen(self, channel: str) -> AsyncGenerator[str, None]:
        """Give the payloads notified on `channel`, and "" after each connect: anything may have changed meanwhile.

        Lost sessions are dialled again; `close()` ends it.
        """
        listener = Listener(self._dialler, channel)
        self._listeners.add(listener)
        try:
            async with aclosing(listener.payloads()) as payloads:
                async for payload in payloads:
                    yield payload
        finally:
            self._listeners.discard(listener)
            await listener.close()

    async def _run(self, statement: Statement, parameters: Mapping[str, Any]) -> Any:
        async with self._pool.session() as connection:
            return await _execute(connection, statement, parameters)


async def _execute(
    connection: Connection, statement: Statement, parameters: Mapping[str, Any], waiting: _Waiting | None = None
) -> Any:
    started, titles = monotonic(), list[str]()
    try:
        sql = await _render(connection, statement, parameters)
        if waiting is not None:
            before, titles = waiting.take(connection)
            sql = before + sql
        return statement.read(await connection.run(sql))
    except Exception as error:
        _note(error, [*titles, statement.title])
        raise
    finally:
        TIMES[statement.verb].observe(monotonic() - started)


async def _render(connection: Connection, statement: Statement, parameters: Mapping[str, Any]) -> bytes:
    if statement.is_preparable:
        await connection.prepare(statement)
    return connection.render(statement.execute_sql, parameters or None)


def _note(error: Exception, titles: Sequence[str]) -> None:
    """Tell in which statements an error arose."""
    error.add_note(f"in the statement{'s' * (len(titles) > 1)} {', '.join(titles)}" if titles else "in COMMIT")


async def _roll_back(connection: Connection) -> None:
    if connection.is_in_transaction:
        with suppress(DatabaseUnavailable):  # the session is gone, and the transaction with it
            await connection.run("ROLLBACK")
