"""Every statement is one that Postgres understands, and one that it answers by an index however big the tables grow."""

from __future__ import annotations

import pytest

from grimbots.tests.sql.prepared import STATEMENTS, explain, prepare

SCANS = {
    "accounts.list_all": "a command's list of everything",
    "bots.count_by_status": "a narrow row per bot, counted for /metrics",
    "bots.list_all": "a command's list of everything",
    "conversion_destinations.list_reporting": "who reports anything, read into memory when that changes",
    "gateway_accounts.claim_comparisons": "a row per gateway account, once an hour",
    "gateway_accounts.count_by_state": "a row per gateway account, counted for /metrics",
    "gateway_accounts.forget_days": "some days of the accounts that have a limit a day, once an hour",
    "ledger.count_differences": "nearly always empty; a row per cent that does not add up",
    "samples.list_since": "half an hour of a ring that holds half an hour",
    "domains.list_all": "a command's list of everything",
    "domains.list_verified": "all domains, read into memory every few minutes",
    "pools.list_all": "a command's list of everything",
    "webhooks.watch_missing": "a row per bot, once an hour",
    "webhooks.sum_up": "a narrow row per bot, counted for /metrics: 3 ms with 10,000",
    "pools.list_live": "all links, read into memory every few minutes",
}
"""The statements that may read a whole table, and why."""

BIG_ROWS = 1000
"""Of a smaller table Postgres reads all rows, index or not. Every table of filled.sql that grows is bigger."""


@pytest.mark.parametrize("title", STATEMENTS)
def test_statement_has_a_type_for_each_parameter(filled, title):
    types = prepare(filled, STATEMENTS[title])
    assert "unknown" not in types.values()


@pytest.mark.parametrize("title", [title for title in STATEMENTS if title not in SCANS])
def test_statement_scans_no_big_table(filled, title):
    scanned = [node["Relation Name"] for node in explain(filled, STATEMENTS[title]) if node["Node Type"] == "Seq Scan"]
    assert [table for table in scanned if count_rows(filled, table) >= BIG_ROWS] == []


def test_hot_statements_have_no_excuse():
    assert [title for title in SCANS if "-- hot" in STATEMENTS[title].doc.splitlines()] == []


def test_a_scan_would_be_seen(filled):
    with filled.cursor() as cursor:
        cursor.execute("DROP INDEX messages_nonce")
    nodes = explain(filled, STATEMENTS["messages.find_by_nonce"])
    assert [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"] == ["messages"]


def test_a_report_reads_what_was_counted(filled):
    """Sales joined to leads and bots are as many rows as the product of them."""
    nodes = explain(filled, STATEMENTS["figures.report"])
    read = {node["Relation Name"] for node in nodes if "Relation Name" in node}
    assert read == {"figures", "figure_entries", "clicks", "bots"}


def test_every_growing_table_is_filled(filled):
    with filled.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        small = {table for (table,) in cursor.fetchall() if count_rows(filled, table) < BIG_ROWS}
    assert {table for table in small if not table.startswith("applied_updates_")} == {
        "crons",
        "forgotten",
        "installation",
        "processes",
        "schema_migrations",
    }


def count_rows(connection, table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [table])
        return int(cursor.fetchone()[0])
