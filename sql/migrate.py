"""Bringing a database up to the code: the numbered files of `sql/migrations/`, forward only, then `sql/indexes/`.

A migration is one transaction and is remembered with the hash of its file in `schema_migrations`; an applied file
never changes. Indexes are built CONCURRENTLY, so that a table in use stays writable; one whose building broke off is
built anew.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import psycopg2

from grimbots.sql.connections import Connection
from grimbots.sql.diallers import Dialler
from grimbots.sql.pools import Pool

ROOT = Path(__file__).parent

LOCK_KEY = 0x6772696D  # "grim": the advisory lock of whoever migrates
LOCK_PATIENCE_SECONDS, LOCK_PAUSE_SECONDS = 60.0, 0.2
DIAL_TIMEOUT_SECONDS = 10.0
ANSWER_TIMEOUT_SECONDS = 6 * 3600.0
"""For one statement: an index over a big table takes long."""

TABLE_LOCK_TIMEOUT = "5s"
"""How long a migration queues for a table in use; everybody else queues behind it meanwhile."""

HISTORY = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name        text PRIMARY KEY,
    sha256      text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
)
"""

INVALID_INDEXES = """
SELECT relname
FROM pg_index
JOIN pg_class ON pg_class.oid = indexrelid
WHERE NOT indisvalid
  AND relname = ANY (%(names)s)
  AND relnamespace = current_schema()::regnamespace
"""

FILE_NAME = re.compile(r"\d{4}_[a-z0-9_]+")
INDEX_NAME = re.compile(r"INDEX CONCURRENTLY IF NOT EXISTS (\w+)")
STATEMENT_END = re.compile(r";[ \t]*$", re.MULTILINE)


class MigrationError(Exception):
    """The files and the database do not fit together, or a migration failed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of `sql/migrations/`; `name` is its name without the ending."""

    name: str
    sql: str
    sha256: str


async def migrate(dsn: str, root: Path = ROOT) -> list[str]:
    """Apply what the database misses and give the names of the migrations applied now.

    Raises:
        MigrationError: nothing of the migration it names was kept; those before it were.
        DatabaseUnavailable: no session with Postgres, or it was lost.
    """
    async with open_session(dsn) as connection:
        await _lock(connection)
        await connection.run(HISTORY)
        missing = _compare(_read_files(root / "migrations"), await _read_history(connection))
        for migration in missing:
            await _apply(connection, migration)
        await _build_indexes(connection, root / "indexes")
    return [migration.name for migration in missing]


async def pending(dsn: str, root: Path = ROOT) -> list[str]:
    """Give the names of the migrations the database misses; change nothing.

    Raises:
        MigrationError: the files contradict what was applied.
        DatabaseUnavailable: no session with Postgres, or it was lost.
    """
    async with open_session(dsn) as connection:
        known = (await connection.run("SELECT to_regclass('schema_migrations')")).fetchone()[0]
        history = await _read_history(connection) if known else {}
    return [migration.name for migration in _compare(_read_files(root / "migrations"), history)]


@asynccontextmanager
async def open_session(dsn: str) -> AsyncIterator[Connection]:
    """Give a session whose statements may take their time."""
    pool = Pool(Dialler(dsn, statement_timeout_seconds=0), 1, DIAL_TIMEOUT_SECONDS, ANSWER_TIMEOUT_SECONDS)
    try:
        async with pool.session() as connection:
            yield connection
    finally:
        await pool.close()


async def _lock(connection: Connection) -> None:
    """Become the only one who migrates, until the session ends.

    It asks again and again instead of waiting in the server: a session that waits there holds a snapshot, and the
    other's CREATE INDEX CONCURRENTLY would wait for that.
    """
    for _ in range(int(LOCK_PATIENCE_SECONDS / LOCK_PAUSE_SECONDS)):
        cursor = await connection.run("SELECT pg_try_advisory_lock(%(key)s)", {"key": LOCK_KEY})
        if cursor.fetchone()[0]:
            return
        await asyncio.sleep(LOCK_PAUSE_SECONDS)
    raise MigrationError("another migration is running on this database: wait until it ends, then migrate again")


def _read_files(folder: Path) -> list[Migration]:
    migrations: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        if FILE_NAME.fullmatch(path.stem) is None:
            raise MigrationError(f"{path} must be named like 0002_add_clicks.sql")
        if migrations and path.stem[:4] == migrations[-1].name[:4]:
            raise MigrationError(
                f"{path} has the number of {migrations[-1].name}: give one of them the next free number"
            )
        content = path.read_bytes()
        migrations.append(Migration(path.stem, content.decode(), sha256(content).hexdigest()))
    return migrations


async def _read_history(connection: Connection) -> dict[str, str]:
    cursor = await connection.run("SELECT name, sha256 FROM schema_migrations ORDER BY name")
    return dict(cursor.fetchall())


def _compare(migrations: Sequence[Migration], history: Mapping[str, str]) -> list[Migration]:
    """Give the migrations that are not in `history`, refusing a past other than the files'."""
    lost = sorted(history.keys() - {migration.name for migration in migrations})
    if lost:
        raise MigrationError(f"{lost[0]} was applied to this database but its file is missing: run newer code with it")
    latest = max(history, default="")
    for migration in migrations:
        if history.get(migration.name, migration.sha256) != migration.sha256:
            raise MigrationError(
                f"{migration.name} was changed after it was applied to this database: restore the file and put the"
                " change into a new one (or, if this database may be lost, drop it and begin again)"
            )
        if migration.name not in history and migration.name < latest:
            raise MigrationError(f"{migration.name} comes before {latest}, which is applied: give it a higher number")
    return [migration for migration in migrations if migration.name not in history]


async def _apply(connection: Connection, migration: Migration) -> None:
    await connection.run("BEGIN")
    try:
        await connection.run(f"SET LOCAL lock_timeout = '{TABLE_LOCK_TIMEOUT}'")
        await connection.run(migration.sql)
        record = "INSERT INTO schema_migrations (name, sha256) VALUES (%(name)s, %(sha256)s)"
        await connection.run(record, {"name": migration.name, "sha256": migration.sha256})
        await connection.run("COMMIT")
    except psycopg2.errors.LockNotAvailable as error:
        raise MigrationError(
            f"{migration.name}: a table it changes stayed in use for {TABLE_LOCK_TIMEOUT}; nothing was done, try again"
        ) from error
    except psycopg2.Error as error:
        raise MigrationError(f"{migration.name}{_locate(migration, error)}: {error}; nothing of it was kept") from error


def _locate(migration: Migration, error: psycopg2.Error) -> str:
    position = error.diag.statement_position
    return f":{migration.sql.count(chr(10), 0, int(position)) + 1}" if position else ""


def _read_indexes(folder: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.sql")))


async def _build_indexes(connection: Connection, folder: Path) -> None:
    text = _read_indexes(folder)
    broken = await connection.run(INVALID_INDEXES, {"names": INDEX_NAME.findall(text)})
    for (name,) in broken.fetchall():
        await connection.run(f"DROP INDEX CONCURRENTLY {name}")
    for statement in STATEMENT_END.split(text):
        if INDEX_NAME.search(statement):
            await _build_index(connection, statement)


async def _build_index(connection: Connection, statement: str) -> None:
    try:
        await connection.run(statement)
    except psycopg2.Error as error:
        name = INDEX_NAME.findall(statement)[0]
        raise MigrationError(
            f"the index {name} could not be built: {error}; when that is cured, migrate again"
        ) from error
