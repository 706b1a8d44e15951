"""Leads of the original's database: whose they are, who comes along, and that it may be done again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from grimbots.services import bots, old_leads
from grimbots.services.errors import Invalid
from grimbots.tests.conftest import FIRST_INSTANT

TABLES = """
CREATE TABLE bots (id INTEGER PRIMARY KEY, bot_id VARCHAR(50), username VARCHAR(100));
CREATE TABLE bot_users (id INTEGER PRIMARY KEY, bot_id INTEGER, telegram_user_id VARCHAR(255), first_name VARCHAR(255),
    username VARCHAR(255), archived BOOLEAN, first_interaction DATETIME, last_interaction DATETIME);
CREATE TABLE remarketing_blacklist (id INTEGER PRIMARY KEY, bot_id INTEGER, telegram_user_id VARCHAR(255));
CREATE TABLE payments (id INTEGER PRIMARY KEY, bot_id INTEGER, customer_user_id VARCHAR(255), status VARCHAR(20));
INSERT INTO bots VALUES (7, '900000001', 'tenant1_bot'), (8, '900000002', 'tenant2_bot'), (9, '5', 'outro_bot');
INSERT INTO bot_users VALUES
    (1, 7, '501', 'Ana', 'ana', 0, '2025-11-09 20:14:03.120000', '2025-11-10 08:00:00.000000'),
    (2, 7, '502', NULL, NULL, NULL, NULL, NULL),
    (3, 7, '503', 'Foi', '@embora', 0, '2025-11-09 20:14:03.000000', '2025-11-09 20:14:03.000000'),
    (4, 7, '504', 'Arquivada', '', 1, NULL, NULL),
    (5, 7, 'não é número', 'Bia', '', 0, NULL, NULL),
    (6, 8, '601', 'Do outro', '', 0, NULL, NULL);
INSERT INTO remarketing_blacklist VALUES (1, 7, '503'), (2, 8, '501');
INSERT INTO payments VALUES (1, 7, 'user_501', 'paid'), (2, 7, '502', 'pending'), (3, 8, '502', 'paid');
"""


@pytest.fixture
def old(tmp_path: Path) -> str:
    """Give the address of a database as the original left it."""
    with closing(sqlite3.connect(tmp_path / "old.db")) as made:
        made.executescript(TABLES)
    return f"sqlite:///{tmp_path / 'old.db'}"


@pytest.mark.gen_test
async def test_leads_of_the_very_bot_come_along_once(
    app: Any, accounts: Any, old: str, database_url: str, query: Callable[..., list[Any]]
) -> None:
    bot = await bots.get_by_username(app, accounts[0].name, f"{accounts[0].name}_bot")
    for added in (3, 0):
        people = old_leads.read_leads(old, bot.telegram_id, app.clock())
        assert await old_leads.bring_in(app, bot, people, actor="test") == added
    found = query("SELECT account_id, bot_id, chat_id, first_name, username, status, state FROM leads ORDER BY chat_id")
    key = (accounts[0].account_id, accounts[0].bot_id)
    assert [row[:6] for row in found] == [
        (*key, 501, "Ana", "ana", "active"),
        (*key, 502, "", "", "active"),
        (*key, 503, "Foi", "embora", "blocked"),
    ]
    assert [row[6] for row in found] == [{"tags": ["comprou-antes"]}, {}, {}]
    ((seconds,),) = query("SELECT extract(epoch FROM created_at) FROM leads WHERE chat_id = 501")
    assert float(seconds) == 1762730043.12  # 20:14 in Brasília is 23:14 UTC


@pytest.mark.gen_test
async def test_lead_that_is_known_here_stays_as_he_is(
    app: Any, accounts: Any, old: str, query: Callable[..., list[Any]]
) -> None:
    bot = await bots.get_by_username(app, accounts[0].name, f"{accounts[0].name}_bot")
    query(
        "INSERT INTO leads (account_id, bot_id, chat_id, first_name, step, created_at, updated_at)"
        " VALUES (%s, %s, 501, 'Ana Lia', 'pix-1', now(), now())",
        bot.account_id,
        bot.id,
    )
    await old_leads.bring_in(app, bot, old_leads.read_leads(old, bot.telegram_id, app.clock()), actor="test")
    assert query("SELECT first_name, step FROM leads WHERE chat_id = 501") == [("Ana Lia", "pix-1")]


def test_what_is_no_old_database_is_refused(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/empty.db", "sqlite:///nowhere/at/all.db", "mysql://x/y", "no address"):
        with pytest.raises(Invalid, match="the old database cannot be read"):
            list(old_leads.read_leads(url, 1, FIRST_INSTANT))


@pytest.mark.parametrize(
    ("raw", "found"),
    [("501", 501), (501, 501), ("user_501", 501), ("-5", None), ("٣", None), (None, None), ("9" * 17, None)],
)
def test_read_id_takes_what_can_be_a_person(raw: object, found: int | None) -> None:
    assert old_leads.read_id(raw) == found
