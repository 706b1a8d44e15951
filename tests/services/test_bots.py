"""Bots: added against a Bot API on a real socket, cached, stale when changed, their webhook's secret checked."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from grimbots.services import bots
from grimbots.services.bots import BotCache
from grimbots.services.errors import Conflict, Invalid, NotFound, Unauthorized, Unavailable

TOKEN = "700000001:" + "B" * 35
ME = {"id": 700_000_001, "is_bot": True, "first_name": "Loja", "username": "loja_bot"}


@pytest.fixture
def telegram(fake_telegram: Any) -> Any:
    fake_telegram.answer("getMe", result=ME)
    fake_telegram.answer("setWebhook", result=True)
    fake_telegram.answer("deleteWebhook", result=True)
    return fake_telegram


def _calls(telegram: Any, method: str) -> list[dict[str, Any]]:
    return [call.params for call in telegram.calls if call.method == method]


@pytest.mark.gen_test
async def test_add_points_the_webhook_here_with_the_secret(app: Any, accounts: Any, telegram: Any) -> None:
    bot = await bots.add(app, account="tenant1", token=TOKEN, funnel=None, actor="command")
    webhook = _calls(telegram, "setWebhook")[0]
    assert webhook["url"] == f"https://bots.example.com/webhook/telegram/{bot.key}"
    assert webhook["secret_token"] == app.vault.webhook_secret(bot.key, 1)
    assert {"message", "callback_query", "chat_member"} <= set(webhook["allowed_updates"])


@pytest.mark.gen_test
async def test_add_keeps_the_token_encrypted(app: Any, accounts: Any, telegram: Any) -> None:
    bot = await bots.add(app, account="tenant1", token=TOKEN, funnel=None, actor="command")
    row = await app.db.bots.find_by_id(bot_id=bot.id)
    assert TOKEN not in row.token_encrypted
    assert app.vault.decrypt(row.token_encrypted) == TOKEN
    assert TOKEN not in repr(bot)


@pytest.mark.gen_test
async def test_add_again_repairs_the_webhook_and_adds_nothing(app: Any, accounts: Any, telegram: Any) -> None:
    first = await bots.add(app, account="tenant1", token=TOKEN, funnel=None, actor="command")
    second = await bots.add(app, account="tenant1", token=TOKEN, funnel=None, actor="command")
    assert (first.id, first.key) == (second.id, second.key)
    assert len(_calls(telegram, "setWebhook")) == 2


@pytest.mark.gen_test
async def test_add_refuses_a_bot_of_another_account(app: Any, accounts: Any, telegram: Any) -> None:
    await bots.add(app, account="tenant1", token=TOKEN, funnel=None, actor="command")
    with pytest.raises(Conflict, match="another account"):
        await bots.add(app, account="tenant2", token=TOKEN, funnel=None, actor="command")


@pytest.mark.parametrize("token", ["", "hello", "123:short", "abc:" + "A" * 35])
@pytest.mark.gen_test
async def test_add_refuses_what_is_no_token(app: Any, accounts: Any, telegram: Any, token: str) -> None:
    with pytest.raises(Invalid, match="copy it whole"):
        await bots.add(app, account="tenant1", token=token, funnel=None, actor="command")
    assert telegram.calls == []


@pytest.mark.gen_test
async def test_add_says_when_telegram_does_not_know_the_token(app: Any, accounts: Any, fake_telegram: Any) -> None:
    fake_telegram.answer("getMe", http=401, description="Unauthorized")
    with pytest.raises(Invalid, match="does not know this token"):
        await bots.add(app, account="tenant1", token=TOKEN, funnel=None, actor="command")


@pytest.mark.gen_test
async def test_add_demands_https_for_the_real_telegram(app: Any, accounts: Any, telegram: Any) -> None:
    real = replace(
        app,
        settings=replace(app.settings, telegram_url="https://api.telegram.org", public_url="http://shop.example.com"),
    )
    with pytest.raises(Invalid, match="PUBLIC_URL"):
        await bots.add(real, account="tenant1", token=TOKEN, funnel=None, actor="command")


@pytest.mark.gen_test
async def test_remove_drops_the_webhook_and_the_key_is_unknown(app: Any, accounts: Any, telegram: Any) -> None:
    bot = await bots.add(app, account="tenant1", token=TOKEN, funnel=None, actor="command")
    await bots.remove(app, account="tenant1", username="@loja_bot", actor="command")
    assert len(_calls(telegram, "deleteWebhook")) == 1
    with pytest.raises(NotFound):
        await bots.authenticate(app, bot.key, app.vault.webhook_secret(bot.key, 1))


@pytest.mark.gen_test
async def test_remove_refuses_another_accounts_bot(app: Any, accounts: Any, telegram: Any) -> None:
    await bots.add(app, account="tenant1", token=TOKEN, funnel=None, actor="command")
    with pytest.raises(NotFound):
        await bots.remove(app, account="tenant2", username="loja_bot", actor="command")


@pytest.mark.gen_test
async def test_list_shows_only_the_accounts_own(app: Any, accounts: Any) -> None:
    assert [row.username for row in await bots.list_bots(app, "tenant1")] == ["tenant1_bot"]
    assert [row.username for row in await bots.list_bots(app)] == ["tenant1_bot", "tenant2_bot"]


@pytest.mark.gen_test
async def test_authenticate_accepts_current_and_previous_secret_after_rotation(
    app: Any, accounts: Any, telegram: Any
) -> None:
    tenant = accounts[0]
    secrets = [app.vault.webhook_secret(tenant.key, generation) for generation in (1, 2, 3)]
    await bots.rotate_secret(app, account_id=tenant.account_id, bot_id=tenant.bot_id, actor="command")
    for secret in secrets[:2]:
        assert (await bots.authenticate(app, tenant.key, secret)).id == tenant.bot_id
    with pytest.raises(Unauthorized):
        await bots.authenticate(app, tenant.key, secrets[2])
    assert _calls(telegram, "setWebhook")[0]["secret_token"] == secrets[1]


@pytest.mark.parametrize("offered", ["", "wrong", "é", "\N{SNOWMAN}"])
@pytest.mark.gen_test
async def test_authenticate_refuses_a_wrong_secret(app: Any, accounts: Any, offered: str) -> None:
    with pytest.raises(Unauthorized):
        await bots.authenticate(app, accounts[0].key, offered)


@pytest.mark.gen_test
async def test_authenticate_refuses_another_bots_secret(app: Any, accounts: Any) -> None:
    with pytest.raises(Unauthorized):
        await bots.authenticate(app, accounts[0].key, app.vault.webhook_secret(accounts[1].key, 1))


@pytest.mark.gen_test
async def test_cache_asks_postgres_once_for_many_waiters(app: Any, accounts: Any) -> None:
    found = await asyncio.gather(*(app.bots.by_key(app, accounts[0].key) for _ in range(50)))
    assert {id(bot) for bot in found} == {id(found[0])}


@pytest.mark.gen_test
async def test_cache_serves_a_known_bot_while_postgres_is_away(app: Any, accounts: Any) -> None:
    impatient = replace(app, bots=BotCache(0.0))
    await impatient.bots.by_key(impatient, accounts[0].key)
    await app.db.close()
    assert (await impatient.bots.by_key(impatient, accounts[0].key)).id == accounts[0].bot_id
    with pytest.raises(Unavailable):
        await impatient.bots.by_key(impatient, accounts[1].key)


@pytest.mark.gen_test
async def test_change_in_another_process_reaches_this_cache(app: Any, accounts: Any, telegram: Any) -> None:
    tenant = accounts[0]
    other = replace(app, bots=BotCache(300))
    watching = asyncio.ensure_future(other.bots.watch(other))
    try:
        assert (await other.bots.by_key(other, tenant.key)).secret_generation == 1
        await bots.rotate_secret(app, account_id=tenant.account_id, bot_id=tenant.bot_id, actor="command")
        async with asyncio.timeout(30):
            while (await other.bots.by_key(other, tenant.key)).secret_generation != 2:
                await asyncio.sleep(0.01)
    finally:
        watching.cancel()


@pytest.mark.gen_test
async def test_confirm_dead_asks_twice_and_says_so(app: Any, accounts: Any, fake_telegram: Any) -> None:
    fake_telegram.answer("getMe", http=401, description="Unauthorized")
    assert await bots.confirm_dead(app, accounts[0].bot_id)
    row = (await bots.list_bots(app, "tenant1"))[0]
    assert (row.status, row.status_reason) == ("dead", "Telegram answers 401 Unauthorized")


@pytest.mark.gen_test
async def test_confirm_dead_keeps_a_bot_telegram_still_knows(app: Any, accounts: Any, telegram: Any) -> None:
    assert not await bots.confirm_dead(app, accounts[0].bot_id)
    assert (await bots.list_bots(app, "tenant1"))[0].status == "active"
