"""Rows read and changed from outside, beside the program: one statement at a time, each committed by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extras import RealDictCursor

Query = Callable[..., list[Any]]


@contextmanager
def open_query(url: str) -> Iterator[Query]:
    """Give a function that runs a statement with its arguments and returns its rows, [] where it has none."""
    connection = psycopg2.connect(url, options="-c lock_timeout=5s")
    connection.autocommit = True

    def run(statement: str, *arguments: Any) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(statement, arguments or None)
            return cursor.fetchall() if cursor.description else []

    try:
        yield run
    finally:
        connection.close()


def query(url: str, statement: str, *arguments: Any) -> list[Any]:
    """Run one statement on a connection of its own."""
    with open_query(url) as run:
        return run(statement, *arguments)


def query_by_name(url: str, statement: str) -> list[dict[str, Any]]:
    """Read rows, each by the names of its columns."""
    connection = psycopg2.connect(url, cursor_factory=RealDictCursor)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return [dict(row) for row in cursor.fetchall()]
    finally:
        connection.close()
