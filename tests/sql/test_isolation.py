"""What one account asks for never touches another's rows, whatever ids it names.

Every statement that takes account_id is run as one account with all its other values taken from another's rows. It must
leave the other's rows as they were and see nothing of them: a read answers as if the other account had none; a write
that begins by adding a row gives back no id of the other's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import psycopg2
import pytest

from grimbots.sql.adapters import Json
from grimbots.sql.statements import Statement
from grimbots.tests.sql.prepared import STATEMENTS, is_read, prepare

Values = dict[str, Any]

OWN, OTHER = "tenant-1", "tenant-2"

TRUSTED_ID = {
    "accesses.find_by_id",
    "bots.announce_change",
    "bots.find_by_id",
    "clicks.add_all",
    "conversions.add_page_views",
    "deliveries.find_by_id",
    "funnel_versions.find_by_id",
    "gateway_accounts.announce_change",
    "gateway_accounts.find_by_id",
    "group_acts.find_by_id",
    "messages.claim",
    "messages.close_unsendable",
    "messages.find_by_nonce",
    "messages.mark_failed",
    "messages.mark_planned",
    "messages.mark_sent",
    "messages.mark_uncertain",
    "payment_returns.find_by_id",
    "payments.find_by_id",
    "posts.find_by_id",
    "payments.find_by_reference",
    "payments.find_by_transfer",
    "payments.find_refused",
    "provider_events.find_by_id",
    "timers.bury",
    "timers.finish",
    "users.list_memberships",
}
"""They are told an id that came out of our own rows or jobs, never from outside."""

OPAQUE_KEY = {
    "bots.find_by_key",
    "gateway_accounts.find_by_key",
    "recovery_codes.add",
    "recovery_codes.forget_all",
    "recovery_codes.take",
    "second_factors.confirm",
    "second_factors.find",
    "second_factors.offer",
    "second_factors.remove",
    "second_factors.take_step",
    "sessions.find",
    "sessions.list_open",
    "sessions.remove",
    "sessions.remove_all",
    "sessions.touch",
    "users.set_password",
    "sign_in_links.remove",
    "sign_in_links.take",
}
"""They are told a key nobody can guess, or what was found by it; the key is the right to ask."""

EVERY_ACCOUNT = {
    "accesses.list_taken_back",
    "accounts.add",
    "accounts.change",
    "accounts.find",
    "accounts.list_all",
    "accounts.list_names",
    "audit.list_by_subject",
    "audit.list_page",
    "bots.find_by_telegram_id",
    "bots.list_names",
    "alarms.claim_due",
    "bots.claim_new",
    "bots.count_by_status",
    "bots.count_shown",
    "bots.list_cold",
    "bots.postpone",
    "campaigns.claim_due",
    "clicks.forget_old",
    "clicks.list_latest_addresses",
    "conversion_destinations.claim_due",
    "conversion_destinations.count_paused",
    "conversion_destinations.list_reporting",
    "conversions.count_waiting",
    "conversions.expire_old",
    "conversions.forget_old",
    "crons.add",
    "crons.claim_due",
    "crons.finish",
    "crons.list_all",
    "deliveries.count_owed",
    "domains.is_verified",
    "domains.list_verified",
    "duties.keep_days",
    "figures.roll_up",
    "figures.wait_turn",
    "duties.take_turn",
    "gateway_accounts.claim_comparisons",
    "gateway_accounts.count_by_state",
    "gateway_accounts.forget_days",
    "gateway_accounts.list_page",
    "group_acts.list_stale",
    "groups.claim_lost",
    "installation.find",
    "installation.remember",
    "login_attempts.count",
    "login_attempts.forget",
    "login_attempts.forget_old",
    "messages.list_stale",
    "moves.forget_old",
    "ledger.count_differences",
    "ledger.count_stuck",
    "ledger.find_last_payment",
    "ledger.find_slice_end",
    "ledger.forget_differences",
    "ledger.recount",
    "payment_returns.claim_open",
    "payment_returns.list_stale",
    "payments.claim_checks",
    "payments.claim_looks",
    "payments.count_flagged",
    "payments.forget_refusals",
    "payments.list_stale",
    "provider_events.count_left_over",
    "pools.list_live",
    "posts.list_stale",
    "processes.list_heard",
    "processes.list_seen",
    "processes.report",
    "provider_events.list_stale",
    "pools.announce_change",
    "pools.list_live_by_slug",
    "retention.blank_clicks",
    "retention.blank_events",
    "retention.blank_messages",
    "retention.blank_posts",
    "retention.find_place",
    "retention.note_place",
    "samples.is_taken",
    "samples.list_since",
    "samples.put",
    "server.read_connections",
    "server.read_replicas",
    "server.read_version",
    "sessions.add",
    "sessions.forget_old",
    "sign_in_links.put",
    "statement_differences.count_open",
    "statement_differences.forget_old",
    "timers.claim_due",
    "tombstones.list_page",
    "timers.forget_old",
    "timers.count_by_minute",
    "users.add",
    "users.find_by_email",
    "webhooks.claim_due",
    "webhooks.count_asked",
    "webhooks.list_lost",
    "webhooks.sum_up",
    "webhooks.watch_missing",
}
"""Sweeps, logins, the administrator's commands and pages, and what a tracked link tells everybody anyway."""

VALUES: dict[str, Callable[[], Any]] = {
    "bigint": lambda: 1000,
    "bigint[]": list,
    "boolean": lambda: False,
    "bytea": lambda: b"x",
    "date": lambda: date(2026, 3, 2),
    "integer": lambda: 1,
    "jsonb": lambda: Json({}),
    "text": lambda: "x",
    "text[]": list,
    "timestamp with time zone": lambda: datetime(2100, 1, 1, tzinfo=UTC),
}
"""For a parameter that is no column's: any value of its type."""

ALWAYS, NEVER, PAST_ALL_IDS = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC), 2**62

OLD_LEAD = {
    "chat_id": 1,
    "first_name": "",
    "username": "",
    "status": "active",
    "tags": [],
    **dict.fromkeys(("created_at", "updated_at"), "2026-01-01T00:00:00Z"),
}
CHOSEN: dict[str, Values] = {
    "leads.bring_in": {"leads": Json([OLD_LEAD])},
    "group_acts.close": {"status": "done"},
    "gateway_accounts.open_breaker": {"is_probe": True},
    "groups.hasten_deliveries": {"now": ALWAYS},
    "groups.move": {"to_chat_id": -1},
    "gateway_accounts.place": {"place": 1},
    "groups.note": {"status": "lost", "reason": "no_ban"},
    "bot_invitations.find": {"now": ALWAYS},
    "conversion_destinations.pause": {"reason": "x"},
    "conversion_destinations.finish_round": {"round": 0},
    "conversions.add_of_click": {"event": "ViewContent", "event_key": "viewcontent"},
    "conversions.add_of_payment": {"event": "Purchase", "event_key": "purchase"},
    "conversions.end_all": {"status": "sent", "told": lambda row: Json([{"id": row["id"]}])},
    "conversions.plan_again": {"now": ALWAYS},
    "conversions.put_off": {"conversion_ids": lambda row: [row["id"]]},
    "conversions.list_page": {"before_id": PAST_ALL_IDS, "limit": 50, "status": None},
    "conversions.take": {"before": NEVER, "now": ALWAYS, "limit": 50},
    "campaigns.add": {"audience": "all", "quiet_days": 0},
    "campaigns.list_slice": {
        "audience": "all",
        "page_end": PAST_ALL_IDS,
        "quiet_since": NEVER,
        "after": 0,
        "limit": 1000,
    },
    "campaigns.set_status": {"status": "stopped"},
    "deliveries.add_attempt": {"status": "failed"},
    "figures.report": {
        "first_day": date(2000, 1, 1),
        "last_day": date(2100, 1, 1),
        "since": ALWAYS,
        "until": NEVER,
        "zone": "UTC",
        "by": ["day", "bot", "step", "source", "campaign"],
    },
    "ledger.count_unknown_fees": {"since": ALWAYS, "until": NEVER},
    "ledger.list_page": {"since": ALWAYS, "until": NEVER, "before_id": PAST_ALL_IDS, "limit": 50},
    "ledger.list_entries": {"since": ALWAYS, "until": NEVER, "after_at": ALWAYS, "after_id": 0, "limit": 50},
    "messages.move_lead": {"chat_id": 1},
    "messages.silence_lead": {"status": "blocked"},
    "moves.list_messages": {"step": "charge"},
    "payments.list_paid": {"since": ALWAYS, "until": NEVER},
    "payment_returns.change": {"return_id": "r", "status": "void"},
    "payments.move": {"to_state": "cancelled"},
    "payments.note_charge": {"to_state": "pending"},
    "posts.end": {"status": "failed"},
    "privacy.find_leads": {"mark": "mark of lead of funnel of tenant-2", "limit": 50},
    "provider_events.close": {"status": "applied"},
    "sales.count_by_bot": {"since": ALWAYS, "until": NEVER},
    "sales.count_trouble": {"limit": 1000},
    "sales.list_acts": {"limit": 50},
    "sales.list_groups": {"limit": 50},
    "sales.list_bots": {"before_id": PAST_ALL_IDS, "limit": 50},
    "sales.list_events": {"before_id": PAST_ALL_IDS, "limit": 50},
    "sales.list_mishaps": {"before_id": PAST_ALL_IDS, "limit": 50},
    "sales.list_payments": {"before_id": PAST_ALL_IDS, "limit": 50},
    "statement_differences.add": {"kind": "amount"},
    "statement_differences.list_shown": {"since": ALWAYS},
    "webhooks.note": {"state": "taken"},
    "webhooks.note_heard": {"at": NEVER},
}
"""Values that neither a column's name nor its type tells; a function makes one of a row of the second account's."""

UNIQUE_TEXTS = {"cause", "dedup_key", "end_to_end_id", "idempotency_key", "key", "name", "nonce", "sha256", "token"}

TENANT_TABLES = """
SELECT relname
FROM pg_class
JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relkind IN ('r', 'p')
  AND NOT relispartition
  AND relnamespace = 'public'::regnamespace
  AND attname = 'account_id'
ORDER BY relname
"""

TENANT_STATEMENTS = [title for title, statement in STATEMENTS.items() if "account_id" in statement.parameters]


@dataclass(frozen=True)
class Tenants:
    """Two accounts of the filled database, and a look at the second one's rows: table -> rows by column."""

    connection: Any
    own_id: int
    other_id: int
    rows: dict[str, list[Values]]

    @property
    def ids(self) -> set[int]:
        """Every id of the second account's."""
        return {row["id"] for rows in self.rows.values() for row in rows if "id" in row} | {self.other_id}

    def fingerprint(self) -> list[Any]:
        """Sum up the second account's rows."""
        sums = "SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {} AS t WHERE account_id = %s"
        return [run(self.connection, sums.format(table), [self.other_id])[0] for table in self.rows]

    def remove_other(self) -> None:
        """Delete the second account's rows, whatever refers to them."""
        run(self.connection, "SET LOCAL session_replication_role = replica")
        for table in self.rows:
            run(self.connection, f"DELETE FROM {table} WHERE account_id = %s", [self.other_id])


@pytest.fixture
def tenants(filled: Any) -> Tenants:
    """Give the two accounts."""
    own_id, other_id = (run(filled, "SELECT id FROM accounts WHERE name = %s", [name])[0][0] for name in (OWN, OTHER))
    tables = [table for (table,) in run(filled, TENANT_TABLES)]
    return Tenants(filled, own_id, other_id, {table: read_rows(filled, table, other_id) for table in tables})


def read_rows(connection: Any, table: str, account_id: int) -> list[Values]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} WHERE account_id = %s ORDER BY 1", [account_id])
        return [dict(zip([column.name for column in cursor.description], row, strict=True)) for row in cursor]


def run(connection: Any, sql: str, parameters: Any = None) -> Any:
    """Give the rows a statement answers, or the number of rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else cursor.rowcount


@contextmanager
def undone(connection: Any) -> Iterator[None]:
    """Take back what the block did."""
    run(connection, "SAVEPOINT before")
    try:
        yield
    finally:
        run(connection, "ROLLBACK TO before")


def choose_values(tenants: Tenants, statement: Statement) -> list[Values]:
    """Give parameters for the statement, once from each kind of row the second account has in the statement's table."""
    types = prepare(tenants.connection, statement)
    table = statement.title.partition(".")[0]
    samples = pick_samples(tenants.rows.get(table, [])) or [{}]
    return [{name: choose_value(tenants, statement, sample, name, types[name]) for name in types} for sample in samples]


def pick_samples(rows: list[Values]) -> list[Values]:
    """Give one row of each state or status."""
    return list({str(row.get("state") or row.get("status")): row for row in rows}.values())


def choose_value(tenants: Tenants, statement: Statement, sample: Values, name: str, kind: str) -> Any:
    table = statement.title.partition(".")[0]
    chosen = CHOSEN.get(statement.title, {})
    if name in chosen:
        return chosen[name](sample) if callable(chosen[name]) else chosen[name]
    if "id" in sample and name.endswith("_id") and make_singular(table).endswith(name.removesuffix("_id")):
        return sample["id"]
    column = "state" if name == "from_state" else name
    sources = [sample, *(rows[0] for rows in tenants.rows.values() if rows)]
    found = next((row[column] for row in sources if row.get(column) is not None), None)
    if found is None:
        return VALUES[kind]()
    return Json(found) if kind == "jsonb" else found


def make_singular(table: str) -> str:
    """Give the noun of one row: deliveries -> delivery."""
    if table.endswith("sses"):
        return table.removesuffix("es")
    return table.removesuffix("ies") + "y" if table.endswith("ies") else table.removesuffix("s")


def try_statement(tenants: Tenants, statement: Statement, values: Values, account_id: int) -> Any:
    """Give what the statement answers as `account_id`, or the name of the constraint that refused it; take it back."""
    with undone(tenants.connection):
        try:
            return run(tenants.connection, statement.sql, {**values, "account_id": account_id})
        except (psycopg2.errors.ForeignKeyViolation, psycopg2.errors.UniqueViolation) as error:
            return error.diag.constraint_name


def alter_texts(values: Values) -> Values:
    """Give values that meet no unique key's row."""
    return {name: f"{value} again" if name in UNIQUE_TEXTS else value for name, value in values.items()}


@pytest.mark.parametrize("title", TENANT_STATEMENTS)
def test_statement_leaves_the_rows_of_another_account(tenants, title):
    before = tenants.fingerprint()
    for values in choose_values(tenants, STATEMENTS[title]):
        run(tenants.connection, "SAVEPOINT before")
        try:
            run(tenants.connection, STATEMENTS[title].sql, {**values, "account_id": tenants.own_id})
        except (psycopg2.errors.ForeignKeyViolation, psycopg2.errors.UniqueViolation):
            run(tenants.connection, "ROLLBACK TO before")
        assert tenants.fingerprint() == before


@pytest.mark.parametrize("title", [title for title in TENANT_STATEMENTS if is_read(STATEMENTS[title])])
def test_statement_answers_as_if_the_other_account_had_no_rows(tenants, title):
    statement = STATEMENTS[title]
    cases = choose_values(tenants, statement)
    with_rows = [try_statement(tenants, statement, values, tenants.own_id) for values in cases]
    tenants.remove_other()
    assert with_rows == [try_statement(tenants, statement, values, tenants.own_id) for values in cases]


@pytest.mark.parametrize("title", [title for title in TENANT_STATEMENTS if is_read(STATEMENTS[title])])
def test_statement_has_an_answer_for_the_account_itself(tenants, title):
    """Without this the test above could compare nothing with nothing."""
    statement = STATEMENTS[title]
    cases = choose_values(tenants, statement)
    assert any(
        try_statement(tenants, statement, values, tenants.other_id) not in ([], 0, [(False,)]) for values in cases
    )


@pytest.mark.parametrize("title", [title for title in TENANT_STATEMENTS if not is_read(STATEMENTS[title])])
def test_addition_gives_back_no_row_of_another_account(tenants, title):
    statement = STATEMENTS[title]
    for values in choose_values(tenants, statement):
        for tried in (values, alter_texts(values)):
            answer = try_statement(tenants, statement, tried, tenants.own_id)
            rows = answer if isinstance(answer, list) else []
            assert [value for row in rows for value in row if isinstance(value, int) and value in tenants.ids] == []


def test_statement_without_account_is_one_that_may():
    without = {title for title, statement in STATEMENTS.items() if "account_id" not in statement.parameters}
    assert without == TRUSTED_ID | OPAQUE_KEY | EVERY_ACCOUNT
