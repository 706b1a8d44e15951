"""The watch over webhooks: what is asked how often, what is kept of the answer, who asks when there are many."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from grimbots.services import bots, webhooks
from grimbots.tests.conftest import FIRST_INSTANT, Clock, Tenant

Query = Callable[..., list[Any]]


@pytest.fixture
def watched(io_loop: Any, app: Any, accounts: list[Tenant], clock: Clock) -> Tenant:
    """Give the first tenant, whose bot is watched and due."""
    key = {"account_id": accounts[0].account_id, "bot_id": accounts[0].bot_id}
    io_loop.run_sync(partial(app.db.webhooks.watch, **key, now=clock()))
    clock.move(minutes=1)
    return accounts[0]


def own_url(tenant: Tenant) -> str:
    return f"https://bots.example.com/webhook/telegram/{tenant.key}"


def read(query: Query, tenant: Tenant, columns: str = "state, host") -> Any:
    (row,) = query(f"SELECT {columns} FROM bot_webhooks WHERE bot_id = %s", tenant.bot_id)
    return row


@pytest.mark.parametrize(
    ("url", "state", "host"),
    [
        ("https://bots.example.com/webhook/telegram/key-of-tenant1", "ours", None),
        ("", "missing", None),
        ("https://thief.example.org/hook/secret-of-the-thief?token=1", "taken", "thief.example.org"),
        ("https://bots.example.com/webhook/telegram/key-of-another", "taken", "bots.example.com"),
        ("https://[broken", "taken", "?"),
    ],
)
@pytest.mark.gen_test
async def test_keeps_whose_the_webhook_is(
    app: Any, watched: Tenant, fake_telegram: Any, query: Query, url: str, state: str, host: str | None
) -> None:
    fake_telegram.answer("getWebhookInfo", {"url": url, "has_custom_certificate": False, "pending_update_count": 7})
    assert await webhooks.watch_due(app) == 1
    assert read(query, watched, "state, host, pending_count, error") == (state, host, 7, None)


@pytest.mark.gen_test
async def test_keeps_telegrams_last_error(app: Any, watched: Tenant, fake_telegram: Any, query: Query) -> None:
    at = datetime(2026, 3, 2, 11, 59, tzinfo=UTC)
    told = {"last_error_date": int(at.timestamp()), "last_error_message": "Wrong response: 503" + " x" * 150}
    fake_telegram.answer("getWebhookInfo", {"url": own_url(watched), **told})
    await webhooks.watch_due(app)
    error, error_at = read(query, watched, "error, error_at")
    assert (error[:19], len(error), error_at) == ("Wrong response: 503", 200, at)


@pytest.mark.gen_test
async def test_an_error_that_names_the_address_shows_no_key(
    app: Any, watched: Tenant, fake_telegram: Any, query: Query, clock: Clock
) -> None:
    told = {"last_error_date": int(clock().timestamp()), "last_error_message": f"no route to {own_url(watched)} now"}
    fake_telegram.answer("getWebhookInfo", {"url": own_url(watched), **told})
    await webhooks.watch_due(app)
    (error,) = read(query, watched, "error")
    assert own_url(watched).rpartition("/")[2] not in error
    assert error.startswith("no route to ") and error.endswith(" now")


@pytest.mark.gen_test
async def test_a_webhook_is_lost_since_it_was_first_seen_so(
    app: Any, watched: Tenant, fake_telegram: Any, query: Query, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    fake_telegram.answer("getWebhookInfo", {"url": own_url(watched)}, times=1)
    fake_telegram.answer("getWebhookInfo", {"url": "https://thief.example.org/x"}, times=2)
    fake_telegram.answer("getWebhookInfo", {"url": own_url(watched)})
    since = []
    for _ in range(4):
        await webhooks.watch_due(app)
        since.append(read(query, watched, "state, state_since"))
        clock.move(minutes=1)
    start = FIRST_INSTANT.replace(minute=1)
    assert since == [
        ("ours", start),
        ("taken", start.replace(minute=2)),
        ("taken", start.replace(minute=2)),
        ("ours", start.replace(minute=4)),
    ]
    assert [line for line in caplog.messages if "taken over" in line] == [
        f"the webhook of bot {watched.bot_id} was taken over: it points to thief.example.org, and nothing reaches us"
    ]


@pytest.mark.parametrize(
    "script",
    [
        {"http": 429, "description": "Too Many Requests: retry after 5", "parameters": {"retry_after": 5}},
        {"result": [1, 2]},
        {"body": b"<html>"},
        {"drop": "before"},
    ],
    ids=["flood", "no object", "no json", "no answer"],
)
@pytest.mark.gen_test
async def test_what_is_no_answer_changes_nothing(
    app: Any, watched: Tenant, fake_telegram: Any, query: Query, script: dict[str, Any]
) -> None:
    fake_telegram.answer("getWebhookInfo", **script)
    await webhooks.watch_due(app)
    assert read(query, watched, "state, seen_at") == ("unseen", None)


@pytest.mark.gen_test
async def test_a_bot_that_telegram_disowns_is_dead_and_asked_about_no_more(
    app: Any, watched: Tenant, fake_telegram: Any, query: Query, clock: Clock
) -> None:
    fake_telegram.answer("*", http=401, description="Unauthorized")
    await webhooks.watch_due(app)
    assert query("SELECT status FROM bots WHERE id = %s", watched.bot_id) == [("dead",)]
    clock.move(minutes=5)
    assert await webhooks.watch_due(app) == 0


@pytest.mark.gen_test
async def test_a_token_that_cannot_be_read_stops_nobody_else(
    app: Any, accounts: list[Tenant], watched: Tenant, fake_telegram: Any, query: Query, expect_errors: list[str]
) -> None:
    other = {"account_id": accounts[1].account_id, "bot_id": accounts[1].bot_id}
    await app.db.webhooks.watch(**other, now=FIRST_INSTANT)
    query("UPDATE bots SET token_encrypted = 'v1.other.AAAA' WHERE id = %s", watched.bot_id)
    fake_telegram.answer("getWebhookInfo", {"url": ""})
    assert await webhooks.watch_due(app) == 2
    assert (read(query, watched)[0], read(query, accounts[1])[0]) == ("unseen", "missing")
    assert [line for line in expect_errors if f"bot {watched.bot_id} cannot be asked about" in line]


@pytest.mark.gen_test
async def test_a_bot_is_watched_from_its_addition_to_its_removal(app: Any, accounts: Any, fake_telegram: Any) -> None:
    token = "123456789:AAExampleExampleExampleExample"
    fake_telegram.answer("getMe", {"id": 123456789, "is_bot": True, "first_name": "Um", "username": "um_bot"})
    await bots.add(app, account="tenant1", token=token, funnel=None, actor="command")
    app.clock.move(minutes=1)
    assert await webhooks.watch_due(app) == 1
    await bots.remove(app, account="tenant1", username="um_bot", actor="command")
    app.clock.move(minutes=1)
    assert await webhooks.watch_due(app) == 0


@pytest.mark.gen_test
async def test_a_bot_that_an_older_program_added_is_watched_too(
    app: Any, accounts: list[Tenant], watched: Tenant, query: Query, clock: Clock
) -> None:
    query("UPDATE bots SET status = 'dead' WHERE id = %s", accounts[1].bot_id)
    before = read(query, watched, "asked_at")
    await webhooks.watch_missing(app)
    assert read(query, watched, "asked_at") == before
    query("UPDATE bots SET status = 'active'")
    for _ in range(2):
        await webhooks.watch_missing(app)
    assert query("SELECT bot_id, asked_at FROM bot_webhooks WHERE bot_id <> %s", watched.bot_id) == [
        (accounts[1].bot_id, clock())
    ]


async def add_bots(app: Any, tenant: Tenant, query: Query, bots: int) -> None:
    """Give a tenant so many more bots, all of them watched, none due."""
    token = app.vault.encrypt(tenant.token)
    query(
        "WITH made AS (INSERT INTO bots (account_id, telegram_id, username, name, key, token_encrypted, created_at,"
        " updated_at) SELECT %s, n, 'bot_' || n, 'x', 'key ' || n, %s, now(), now() FROM generate_series(1, %s) AS n"
        " RETURNING id, account_id) INSERT INTO bot_webhooks (bot_id, account_id, state_since, asked_at)"
        " SELECT id, account_id, %s, %s FROM made",
        *(tenant.account_id, token, bots, app.clock(), app.clock()),
    )


async def run_rounds(app: Any, clock: Clock, seconds: int) -> list[int]:
    """Let two processes do their rounds, and give how many bots each second's asked about."""
    asked = []
    for second in range(seconds):
        clock.move(seconds=1)
        both = [webhooks.watch_due(app), webhooks.watch_due(app)] if second % 3 == 0 else []
        asked.append(sum(await asyncio.gather(*both)))
    return asked


@pytest.mark.gen_test
async def test_few_bots_are_asked_about_once_a_minute(
    app: Any, accounts: list[Tenant], fake_telegram: Any, query: Query, clock: Clock
) -> None:
    await add_bots(app, accounts[0], query, 4)
    asked = await run_rounds(app, clock, 200)
    assert [second for second, bots in enumerate(asked) if bots] == [60, 120, 180]
    assert sum(asked) == 12


@pytest.mark.gen_test
async def test_many_bots_take_turns_within_the_limit(
    app: Any,
    accounts: list[Tenant],
    fake_telegram: Any,
    query: Query,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhooks, "ASKED_A_MINUTE", 10)
    monkeypatch.setattr(webhooks, "ASKED_A_ROUND", 3)
    await add_bots(app, accounts[0], query, 25)
    fake_telegram.answer("getWebhookInfo", {"url": "https://thief.example.org/x"})
    asked = await run_rounds(app, clock, 60 + 6 * 60)
    assert max(sum(asked[start : start + 60]) for start in range(len(asked) - 60)) == 10
    ((least, most),) = query("SELECT min(seen_at), max(seen_at) FROM bot_webhooks")
    assert (most - least).total_seconds() <= 3 * 60  # a turn of all is two and a half minutes


@pytest.mark.gen_test
async def test_few_places_at_telegram_are_taken(
    app: Any, accounts: list[Tenant], fake_telegram: Any, query: Query, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "ASKED_AT_ONCE", 2)
    await add_bots(app, accounts[0], query, 6)
    clock.move(minutes=1)
    under_way, are_two = Counter[str](), asyncio.Event()
    call = app.telegram.call

    async def count(*arguments: Any) -> Any:
        under_way["now"] += 1
        under_way["most"] = max(under_way["most"], under_way["now"])
        if under_way["now"] == 2:
            are_two.set()
        await asyncio.wait_for(are_two.wait(), 30)  # on a busy machine the first may be answered before the second asks
        try:
            return await call(*arguments)
        finally:
            under_way["now"] -= 1

    monkeypatch.setattr(app.telegram, "call", count)
    assert await webhooks.watch_due(app) == 6
    assert under_way == {"now": 0, "most": 2}
