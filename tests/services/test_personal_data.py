"""Every column that could name somebody is declared: what an erasure does to it, or why it stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grimbots.services.personal_data import ELSEWHERE, HOLDINGS

Query = Callable[..., list[Any]]

SPEAKING = "('text', 'jsonb', 'json', 'bytea', 'ARRAY', 'character varying', 'inet', 'USER-DEFINED')"
TELEGRAM_IDS = "('chat_id', 'user_id', 'telegram_message_id')"


def list_columns(query: Query) -> dict[str, set[str]]:
    """List the columns that could hold a word or a Telegram id of somebody, by table."""
    found: dict[str, set[str]] = {}
    rows = query(
        "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables USING"
        " (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        f" AND table_name NOT LIKE 'applied_updates%%' AND (data_type IN {SPEAKING} OR column_name IN {TELEGRAM_IDS})"
    )
    for table, column in rows:
        found.setdefault(table, set()).add(column)
    return found


def list_missing(columns: dict[str, set[str]]) -> dict[str, set[str]]:
    """Name what is not declared."""
    declared = {table: {*holding.erased, *holding.columns} for table, holding in HOLDINGS.items()}
    unknown = {table: names - declared.get(table, set()) for table, names in columns.items() if table not in ELSEWHERE}
    return {table: names for table, names in unknown.items() if names}


def test_every_column_that_could_name_a_lead_is_declared(query: Query) -> None:
    assert list_missing(list_columns(query)) == {}


def test_a_new_column_would_be_seen(query: Query) -> None:
    columns = list_columns(query)
    columns["posts"].add("signature")
    columns["letters"] = {"body"}
    assert list_missing(columns) == {"posts": {"signature"}, "letters": {"body"}}


def test_nothing_is_declared_that_is_not_there(query: Query) -> None:
    columns = list_columns(query)
    ghosts = {
        table: {*holding.erased, *holding.columns} - columns.get(table, set()) for table, holding in HOLDINGS.items()
    }
    assert {table: names for table, names in ghosts.items() if names} == {}
    tables = {name for (name,) in query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert set(ELSEWHERE) <= tables


def test_every_table_of_a_lead_is_a_holding(query: Query) -> None:
    """Whatever bears a lead's number is looked at, though it has no word of anybody."""
    rows = query(
        "SELECT table_name FROM information_schema.columns WHERE column_name = 'lead_id' AND table_schema = 'public'"
    )
    assert {table for (table,) in rows} <= {*HOLDINGS, "starts", "lead_tags"}


def test_what_stays_says_why() -> None:
    assert [table for table, holding in HOLDINGS.items() if bool(holding.kept) != bool(holding.columns)] == []
