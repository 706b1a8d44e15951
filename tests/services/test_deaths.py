"""Deaths: bots Telegram disowns are out of service everywhere at once, their seller told, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from grimbots.queue.task import Again
from grimbots.services import alarms, bots, deaths, tokens
from grimbots.services.bots import BotCache
from grimbots.tests.conftest import Tenant
from grimbots.tests.services.chats import Chat

Query = Callable[..., list[Any]]
REVOKED = {"http": 401, "description": "Unauthorized"}
FROZEN = "Bad Request: FROZEN_METHOD_INVALID"
WAIT_SECONDS = 30


async def read_status(app: Any, tenant: Tenant) -> tuple[str, str | None]:
    (row,) = [row for row in await bots.list_bots(app, tenant.name) if row.id == tenant.bot_id]
    return row.status, row.status_reason


@pytest.mark.gen_test
async def test_confirm_asks_once_more_and_says_why(app: Any, accounts: Any, fake_telegram: Any) -> None:
    fake_telegram.answer("getMe", **REVOKED)
    assert await deaths.confirm(app, accounts[0].bot_id)
    assert await read_status(app, accounts[0]) == ("dead", "Telegram answers 401 Unauthorized")
    assert await read_status(app, accounts[1]) == ("active", None)


@pytest.mark.gen_test
async def test_confirm_keeps_a_bot_that_telegram_still_knows(app: Any, accounts: Any, fake_telegram: Any) -> None:
    assert not await deaths.confirm(app, accounts[0].bot_id)
    assert await read_status(app, accounts[0]) == ("active", None)


@pytest.mark.gen_test
async def test_a_frozen_bot_is_dead_although_it_answers_getme(app: Any, chat: Chat, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", http=400, description=FROZEN)
    with pytest.raises(Again):
        await chat.send(await chat.plan())
    assert await read_status(app, chat.tenant) == ("dead", f"Telegram answers 400 {FROZEN}")


@pytest.mark.gen_test
async def test_a_token_given_meanwhile_saves_the_bot(app: Any, accounts: Any, fake_telegram: Any, query: Query) -> None:
    asked = asyncio.Event()
    fake_telegram.answer("getMe", until=asked, **REVOKED)
    confirming = asyncio.create_task(deaths.confirm(app, accounts[0].bot_id))
    await fake_telegram.wait_for_calls(1, "getMe")
    query("UPDATE bots SET token_encrypted = %s", app.vault.encrypt("900000001:" + "N" * 35))
    asked.set()
    await confirming
    assert await read_status(app, accounts[0]) == ("active", None)


@pytest.mark.gen_test
async def test_every_process_learns_of_a_death_at_once(
    app: Any, accounts: Any, fake_telegram: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, other, listens = accounts[0], replace(app, bots=BotCache(300)), asyncio.Event()
    expire = other.bots._bots.expire
    monkeypatch.setattr(other.bots._bots, "expire", lambda word: (expire(word), listens.set()))
    watching = asyncio.create_task(other.bots.watch(other))
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await listens.wait()  # its first word, when it begins to listen, is that anything may have changed
        fake_telegram.answer("getMe", **REVOKED)
        assert (await other.bots.by_id(other, tenant.bot_id)).status == "active"
        await deaths.confirm(app, tenant.bot_id)
        async with asyncio.timeout(WAIT_SECONDS):
            while (await other.bots.by_id(other, tenant.bot_id)).status != "dead":
                await asyncio.sleep(0.01)
    finally:
        watching.cancel()


@pytest.mark.gen_test
async def test_what_a_dead_bot_was_to_say_waits_and_is_said_once_by_the_new_token(
    app: Any, accounts: Any, database_url: str, fake_telegram: Any
) -> None:
    impatient = replace(app, bots=BotCache(0.0))
    chat = await Chat(impatient, accounts[0], database_url).open()
    fake_telegram.answer("*", times=2, **REVOKED)
    message = await chat.plan()
    for _ in range(2):
        with pytest.raises(Again):
            await chat.send(message)
    assert (chat.read(message).status, len(fake_telegram.list_calls("sendMessage"))) == ("planned", 1)
    fake_telegram.answer("getMe", {"id": 900_000_001, "is_bot": True, "first_name": "Um", "username": "tenant1_bot"})
    bot = await tokens.get(app, chat.tenant.account_id, chat.tenant.bot_id)
    await tokens.change(app, bot, "900000001:" + "N" * 35, actor="command")
    for _ in range(2):
        await chat.send(message)
    assert chat.read(message).status == "sent"
    said = fake_telegram.list_calls("sendMessage")
    assert [call.token for call in said] == [chat.tenant.token, "900000001:" + "N" * 35]


async def give_storage(app: Any, tenant: Tenant, chat_id: int) -> None:
    await app.db.bots.set_storage(account_id=tenant.account_id, bot_id=tenant.bot_id, chat_id=chat_id)


async def add_teller(app: Any, tenant: Tenant, chat_id: int) -> str:
    """Give the account a second bot, with a storage chat."""
    token = "900000009:" + "T" * 35
    names = {"username": "segundo_bot", "name": "Segundo", "key": "k", "funnel_id": None}
    sealed = app.vault.encrypt(token)
    bot = await app.db.bots.add(
        account_id=tenant.account_id, telegram_id=900_000_009, token_encrypted=sealed, now=app.clock(), **names
    )
    await app.db.bots.set_storage(account_id=tenant.account_id, bot_id=bot.id, chat_id=chat_id)
    return token


@pytest.mark.gen_test
async def test_the_seller_is_told_once_by_another_bot_of_the_account(
    app: Any, accounts: Any, fake_telegram: Any
) -> None:
    await give_storage(app, accounts[1], 888)
    teller = await add_teller(app, accounts[0], 777)
    fake_telegram.answer("getMe", **REVOKED)
    await deaths.confirm(app, accounts[0].bot_id)
    assert [await alarms.tell_due(app) for _ in range(2)] == [1, 0]
    (call,) = fake_telegram.list_calls("sendMessage")
    assert (call.token, call.params["chat_id"]) == (teller, 777)
    assert "@tenant1_bot parou" in call.params["text"]


@pytest.mark.gen_test
async def test_an_alarm_that_surely_did_not_leave_is_told_later(app: Any, accounts: Any, fake_telegram: Any) -> None:
    await add_teller(app, accounts[0], 777)
    key = {"account_id": accounts[0].account_id, "bot_id": accounts[0].bot_id}
    await app.db.alarms.add(**key, kind="taken", detail="thief.example.org", now=app.clock())
    fake_telegram.answer("sendMessage", http=429, description="Too Many Requests: retry after 1", times=1)
    for _ in range(3):
        await alarms.tell_due(app)
    calls = fake_telegram.list_calls("sendMessage")
    assert ["thief.example.org" in call.params["text"] for call in calls] == [True, True]


@pytest.mark.gen_test
async def test_an_alarm_without_a_teller_of_the_account_is_told_by_no_other(
    app: Any, accounts: Any, fake_telegram: Any, query: Query
) -> None:
    await give_storage(app, accounts[1], 888)
    key = {"account_id": accounts[0].account_id, "bot_id": accounts[0].bot_id}
    await app.db.alarms.add(**key, kind="missing", detail="", now=app.clock())
    await alarms.tell_due(app)
    assert fake_telegram.calls == []
    assert query("SELECT told_at IS NULL, told_by FROM alarms") == [(False, None)]


def test_every_kind_of_alarm_has_its_words() -> None:
    for text in alarms.TEXTS.values():
        assert "@x_bot" in text.format(username="x_bot", detail="d")
