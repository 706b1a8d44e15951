"""What no code may write is refused by the schema: rows that name another account's, statuses without their instant."""

from __future__ import annotations

import psycopg2
import pytest

FOREIGN = {
    "accesses": "group_id = (SELECT min(id) FROM groups WHERE account_id <> accesses.account_id)",
    "accesses lead": "lead_id = (SELECT min(id) FROM leads WHERE account_id <> accesses.account_id)",
    "access_grants": "access_id = (SELECT min(id) FROM accesses WHERE account_id <> access_grants.account_id)",
    "group_acts": "group_id = (SELECT min(id) FROM groups WHERE account_id <> group_acts.account_id)",
    "groups": "bot_id = (SELECT max(id) FROM bots WHERE account_id <> groups.account_id)",
    "messages": "payment_id = (SELECT min(id) FROM payments WHERE account_id <> messages.account_id)",
    "messages version": "version_id = (SELECT min(id) FROM funnel_versions WHERE account_id <> messages.account_id)",
    "payment_transitions": "event_id = (SELECT max(id) FROM provider_events)",
    "provider_events": "payment_id = (SELECT min(id) FROM payments WHERE account_id <> provider_events.account_id)",
    "timers": "payment_id = (SELECT min(id) FROM payments WHERE account_id <> timers.account_id)",
}

UNFINISHED = {
    "accesses": ["status = 'inside', entered_at = NULL", "lasts = true, ends_at = now()"],
    "groups": ["status = 'lost', reason = NULL", "status = 'ready', reason = 'no_ban'"],
    "group_acts": ["status = 'done', done_at = NULL"],
    "deliveries": ["delivered_at = NULL"],
    "messages": [
        "status = 'sent', sent_at = NULL",
        "status = 'sending', sending_at = NULL",
        "status = 'uncertain', sending_at = NULL",
    ],
    "payments": [
        "state = 'paid', paid_at = NULL",
        "state = 'paid', paid_cents = NULL",
        "state = 'refunded', paid_cents = 0",
    ],
    "provider_events": ["status = 'applied', settled_at = NULL", "status = 'received', settled_at = now()"],
    "timers": ["status = 'fired', fired_at = NULL"],
}


@pytest.mark.parametrize("what", FOREIGN)
def test_row_may_not_name_what_is_another_accounts(filled, what):
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        change_one(filled, what.split()[0], FOREIGN[what])


@pytest.mark.parametrize(
    ("table", "change"), [(table, each) for table, changes in UNFINISHED.items() for each in changes]
)
def test_row_may_not_have_a_status_without_what_it_means(filled, table, change):
    with pytest.raises(psycopg2.errors.CheckViolation):
        change_one(filled, table, change)


def change_one(connection, table: str, change: str) -> None:
    """Change the first row of a table: of deliveries, the first delivered one."""
    condition = "WHERE status = 'delivered'" if table == "deliveries" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {change} WHERE id = (SELECT min(id) FROM {table} {condition})")


def test_every_telegram_id_is_a_bigint(filled):
    """Joined to a text, or cut to 32 bits, such an id finds nothing, and nobody is told."""
    with filled.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
            " AND column_name ~ '(^|_)(chat_id|telegram_id|telegram_message_id|update_id)$'"
        )
        columns = cursor.fetchall()
    assert {("leads", "chat_id"), ("messages", "chat_id"), ("bots", "telegram_id")} <= {each[:2] for each in columns}
    assert [each for each in columns if each[2] != "bigint"] == []


def test_every_instant_has_its_time_zone(filled):
    """Without one it is another instant to each server that reads it."""
    with filled.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
            " AND (column_name ~ '_at$' OR data_type ~ '^time')"
        )
        columns = cursor.fetchall()
    assert {("payments", "paid_at"), ("figure_entries", "at")} <= {each[:2] for each in columns}
    assert [each for each in columns if each[2] != "timestamp with time zone"] == []
