"""Store: the sandbox's SQLite file, where one loop tick's writes share one commit.

Statements run at once, on the loop, inside a transaction that opens with the first write of a tick and is committed by
the next tick. Whoever answers for a write awaits `flush()` first, so that `kill -9` takes nothing back that was
answered. A power cut may: waiting for the disk would hold up the loop at every call, and whoever else writes there, for
messages that nobody really got.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grimbots.services.sandbox.schema import SCHEMA, UPGRADE, VERSION

Row = sqlite3.Row


class Store:
    """One connection of one process; every method but `flush` is synchronous."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        if self._db.execute("PRAGMA user_version").fetchone()[0] < VERSION:
            self._db.executescript(UPGRADE)
        self._db.executescript(f"{SCHEMA} PRAGMA user_version = {VERSION};")
        self._committed: asyncio.Future[None] | None = None

    def find(self, sql: str, **values: Any) -> Row | None:
        """Give the first row, or None."""
        row: Row | None = self._db.execute(sql, values).fetchone()
        return row

    def list(self, sql: str, **values: Any) -> list[Row]:
        """Give every row."""
        return self._db.execute(sql, values).fetchall()

    def value(self, sql: str, **values: Any) -> Any:
        """Give the first column of the first row, or None; the statement may write (RETURNING)."""
        self._begin()
        row = self._db.execute(sql, values).fetchone()
        return row[0] if row else None

    def run(self, sql: str, **values: Any) -> int:
        """Write; give the number of rows changed."""
        self._begin()
        return self._db.execute(sql, values).rowcount

    @contextmanager
    def change(self) -> Iterator[None]:
        """Make the writes within happen all together or, on an exception, not at all. No await inside."""
        self._begin()
        self._db.execute("SAVEPOINT change")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK TO change")
            self._db.execute("RELEASE change")
            raise
        self._db.execute("RELEASE change")

    async def flush(self) -> None:
        """Wait until all that was written so far is committed."""
        if self._committed is not None:
            await asyncio.shield(self._committed)

    def close(self) -> None:
        """Commit what is open and close the file."""
        if self._db.in_transaction:
            self._db.commit()
        self._db.close()

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")
            loop = asyncio.get_running_loop()
            self._committed = loop.create_future()
            loop.call_soon(self._commit, self._committed)

    def _commit(self, committed: asyncio.Future[None]) -> None:
        try:
            self._db.commit()
        except sqlite3.Error as error:
            self._db.rollback()
            committed.set_exception(error)
        else:
            committed.set_result(None)
