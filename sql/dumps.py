"""The database as one file of SQL: written by pg_dump, read into an empty database by psql in one transaction."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

from psycopg2.extensions import make_dsn, parse_dsn

from grimbots.conf.programs import run
from grimbots.sql.migrate import open_session

RESTORED = Path(__file__).parent / "restored.sql"
PACKAGE = "postgresql-client"
LOCK_PATIENCE = "30s"
CHUNK_BYTES = 1 << 20


async def dump(dsn: str, file: Path) -> None:
    """Write the database as of one instant, compressed.

    Raises:
        ProgramError: pg_dump is not there, or failed.
    """
    address, secret = _split(dsn)
    how = ["--no-owner", "--no-privileges", "--compress=6", f"--lock-wait-timeout={LOCK_PATIENCE}"]
    command = ["pg_dump", f"--dbname={address}", *how, f"--file={file}"]
    await run(command, package=PACKAGE, environ=secret)


async def load(dsn: str, file: Path) -> None:
    """Fill an empty database with all of a dump and what `restored.sql` adds, or with nothing.

    Raises:
        ProgramError: psql is not there, or failed.
    """
    address, secret = _split(dsn)
    how = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--file=-"]
    command = ["psql", f"--dbname={address}", *how]
    await run(command, package=PACKAGE, environ=secret, given=_read(file))


async def count_tables(dsn: str) -> int:
    """Count the tables that are there.

    Raises:
        DatabaseUnavailable: no session with Postgres.
    """
    async with open_session(dsn) as connection:
        cursor = await connection.run("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()")
        count: int = cursor.fetchone()[0]
    return count


def _read(file: Path) -> Iterator[bytes]:
    """Give the dump, then what ends it: a dump that breaks off raises before psql is told to commit."""
    with gzip.open(file) as dumped:
        while chunk := dumped.read(CHUNK_BYTES):
            yield chunk
    yield RESTORED.read_bytes()


def _split(dsn: str) -> tuple[str, dict[str, str]]:
    """Give the address without its password, which every user could read in the command line, and the password."""
    parts = parse_dsn(dsn)
    password = parts.pop("password", None)
    return make_dsn(**parts), {"PGPASSWORD": password} if password else {}
