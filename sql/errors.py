"""What the door to Postgres raises besides psycopg2's own errors of a statement (constraints, types, deadlocks)."""

from psycopg2 import DataError
from psycopg2.errors import UndefinedTable, UniqueViolation

__all__ = ["DataError", "DatabaseUnavailable", "StatementTimeout", "UndefinedTable", "UniqueViolation"]


class DatabaseUnavailable(Exception):
    """Postgres cannot be reached, has no connection free, or the connection was lost.

    Nothing was done, with one exception: when the answer to COMMIT, or to a single statement, got lost, the change may
    stand.
    """


class StatementTimeout(Exception):
    """The server cancelled the statement (SQLSTATE 57014): over the statement timeout, or ended by an administrator."""
