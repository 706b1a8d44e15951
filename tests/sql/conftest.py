"""Fixtures of the sql room: databases over statements of a test's own, and a second way to look at Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from grimbots.sql.database import Database
from grimbots.sql.migrate import migrate

FILLED = Path(__file__).parent / "filled.sql"
# Each table's ids begin elsewhere, so that an id of one is no id of another.
SET_IDS_APART = """
SELECT setval(format('%I', sequencename)::regclass, row_number() OVER (ORDER BY sequencename) * 1000000)
FROM pg_sequences
"""

Observe = Callable[..., list[tuple[Any, ...]]]
OpenDatabase = Callable[..., AbstractAsyncContextManager[Database]]

QUERIES = """
-- name: cancel_backend :value
SELECT pg_cancel_backend(%(pid)s)

-- name: echo :value
SELECT %(text)s::text

-- name: pid :value
SELECT pg_backend_pid()

-- name: set_work_mem :exec
SET work_mem = '77MB'

-- name: show_work_mem :value
SELECT current_setting('work_mem')

-- name: sleep :value
SELECT pg_sleep(%(seconds)s)
"""


@pytest.fixture
def observe(postgres_url: str) -> Iterator[Observe]:
    """Give a function that runs SQL on a blocking connection beside the one under test."""
    connection = psycopg2.connect(postgres_url, application_name="observer")
    connection.autocommit = True

    def run(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    yield run
    connection.close()


@pytest.fixture
def open_database(postgres_url: str, tmp_path: Path) -> OpenDatabase:
    """Give a function that opens a Database over QUERIES, or over the text it is given, as aggregate `probe`."""

    @asynccontextmanager
    async def opened(url: str = postgres_url, queries: str = QUERIES, **options: Any) -> AsyncIterator[Database]:
        folder = tmp_path / "queries"
        folder.mkdir(exist_ok=True)
        (folder / "probe.sql").write_text(queries, encoding="utf-8")
        database = Database(url, queries=folder, **options)
        await database.open()
        try:
            yield database
        finally:
            await database.close()

    return opened


@pytest.fixture(scope="session")
def filled_url(postgres_url: str) -> str:
    """Give the address of a database with an installation at work in it (filled.sql), for tests that only look."""
    url = postgres_url.replace("/postgres?", "/filled?")
    _run(postgres_url, "CREATE DATABASE filled")
    asyncio.run(migrate(url))
    _run(url, SET_IDS_APART)
    _run(url, FILLED.read_text(encoding="utf-8"))
    return url


def _run(url: str, sql: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    connection.cursor().execute(sql)
    connection.close()


@pytest.fixture
def filled(filled_url: str) -> Iterator[Any]:
    """Give a blocking connection to the filled database, in a transaction that is rolled back."""
    connection = psycopg2.connect(filled_url, options="-c timezone=UTC")
    yield connection
    connection.close()
