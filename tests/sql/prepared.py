"""The named statements of `sql/queries/`, as Postgres prepares them."""

from __future__ import annotations

import re
from typing import Any

from grimbots.sql.database import QUERIES
from grimbots.sql.statements import Statement, load

STATEMENTS: dict[str, Statement] = {
    statement.title: statement for statements in load(QUERIES).values() for statement in statements.values()
}


def prepare(connection: Any, statement: Statement) -> dict[str, str]:
    """PREPARE a statement under its title and give the type Postgres found for each parameter."""
    with connection.cursor() as cursor:
        cursor.execute(statement.prepare_sql)
        cursor.execute("SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = %s", [statement.title])
        (types,) = cursor.fetchone()
    return dict(zip(sorted(statement.parameters), types, strict=True))


def explain(connection: Any, statement: Statement) -> list[dict[str, Any]]:
    """Give every node of the plan that serves any values of the parameters."""
    prepare(connection, statement)
    values = f"({', '.join(['NULL'] * len(statement.parameters))})" if statement.parameters else ""
    with connection.cursor() as cursor:
        cursor.execute("SET plan_cache_mode = force_generic_plan")
        cursor.execute(f'EXPLAIN (FORMAT JSON) EXECUTE "{statement.title}" {values}')
        (plans,) = cursor.fetchone()
    return _walk(plans[0]["Plan"])


def _walk(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(below for child in node.get("Plans", []) for below in _walk(child))]


def is_read(statement: Statement) -> bool:
    """Tell whether the statement begins by reading, so that nothing it meets is its own."""
    return not re.match(r"(WITH \w+ AS \(\s+)?INSERT\b", statement.sql)
