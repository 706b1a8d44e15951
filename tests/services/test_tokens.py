"""Tokens: changed, replaced, repaired; leads, sales and links stay, nothing is refused or sent twice meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from grimbots.services import bots, tokens
from grimbots.services.bots import BotCache
from grimbots.services.errors import Conflict, Invalid, NotFound, Unavailable
from grimbots.tests.conftest import Tenant
from grimbots.tests.services.chats import Chat

Query = Callable[..., list[Any]]
NEW = "900000001:" + "N" * 35
ANOTHER = "700000007:" + "O" * 35


@pytest.fixture
def telegram(fake_telegram: Any) -> Any:
    """Let Telegram know the first tenant's bot."""
    know(fake_telegram, 900_000_001, "tenant1_bot")
    return fake_telegram


def know(fake_telegram: Any, telegram_id: int, username: str) -> None:
    fake_telegram.answer("getMe", {"id": telegram_id, "is_bot": True, "first_name": "Um", "username": username})


async def change(app: Any, tenant: Tenant, token: str, **how: Any) -> Any:
    bot = await tokens.get(app, tenant.account_id, tenant.bot_id)
    return await tokens.change(app, bot, token, actor="command", **how)


def read(query: Query, tenant: Tenant, columns: str) -> Any:
    (row,) = query(f"SELECT {columns} FROM bots WHERE id = %s", tenant.bot_id)
    return row


@pytest.mark.gen_test
async def test_change_sets_the_webhook_by_the_new_token_with_a_new_secret(
    app: Any, accounts: Any, telegram: Any, query: Query
) -> None:
    changed = await change(app, accounts[0], NEW)
    (call,) = telegram.list_calls("setWebhook")
    assert (call.token, call.params["url"]) == (NEW, bots.webhook_url(app, changed))
    assert call.params["secret_token"] == app.vault.webhook_secret(accounts[0].key, 2)
    sealed, status = read(query, accounts[0], "token_encrypted, status")
    assert (NEW in sealed, app.vault.decrypt(sealed), status) == (False, NEW, "active")


@pytest.mark.gen_test
async def test_updates_of_both_secrets_are_taken_while_the_token_changes(
    app: Any, accounts: Any, telegram: Any, http_client: Any, base_url: str
) -> None:
    async def post(update_id: int, generation: int) -> int:
        answer = await http_client.fetch(
            f"{base_url}/webhook/telegram/{accounts[0].key}",
            method="POST",
            body=json.dumps({"update_id": update_id, "message": {"chat": {"id": 5}, "text": "oi"}}),
            headers={"X-Telegram-Bot-Api-Secret-Token": app.vault.webhook_secret(accounts[0].key, generation)},
            raise_error=False,
        )
        return int(answer.code)

    assert await post(1, 1) == 200
    await change(app, accounts[0], NEW)
    app.bots._bots.expire("")  # as the word of the change does in a server
    assert [await post(2, 1), await post(3, 2), await post(4, 3)] == [200, 200, 401]


@pytest.mark.gen_test
async def test_message_under_way_at_the_change_is_sent_once(app: Any, chat: Chat, telegram: Any) -> None:
    release = asyncio.Event()
    telegram.answer("sendMessage", until=release, times=1)
    message, later = await chat.plan(), await chat.plan()
    sending = asyncio.create_task(chat.send(message))
    await telegram.wait_for_calls(1, "sendMessage")
    await change(app, chat.tenant, NEW)
    app.bots._bots.expire("")  # as the word of the change does in a server
    release.set()
    await sending
    await chat.send(message)
    await chat.send(later)
    assert [call.token for call in telegram.list_calls("sendMessage")] == [chat.tenant.token, NEW]
    assert [chat.read(one).status for one in (message, later)] == ["sent", "sent"]


@pytest.mark.gen_test
async def test_change_refuses_another_bots_token_and_changes_nothing(
    app: Any, accounts: Any, fake_telegram: Any, query: Query
) -> None:
    know(fake_telegram, 700_000_007, "outro_bot")
    before = read(query, accounts[0], "bots::text")
    with pytest.raises(Conflict, match="@outro_bot, another bot"):
        await change(app, accounts[0], ANOTHER)
    assert read(query, accounts[0], "bots::text") == before
    assert fake_telegram.list_calls("setWebhook") == []


@pytest.mark.parametrize(("status", "refused"), [(401, Invalid), (502, Unavailable)])
@pytest.mark.gen_test
async def test_change_to_a_token_that_telegram_does_not_vouch_for_changes_nothing(
    app: Any, accounts: Any, fake_telegram: Any, query: Query, status: int, refused: type[Exception]
) -> None:
    fake_telegram.answer("getMe", http=status, description="Unauthorized")
    before = read(query, accounts[0], "bots::text")
    with pytest.raises(refused):
        await change(app, accounts[0], NEW)
    assert read(query, accounts[0], "bots::text") == before


@pytest.mark.gen_test
async def test_change_that_telegram_did_not_hear_of_is_done_by_a_repeat(app: Any, accounts: Any, telegram: Any) -> None:
    telegram.answer("setWebhook", http=502, description="Bad Gateway", times=1)
    with pytest.raises(Unavailable):
        await change(app, accounts[0], NEW)
    await change(app, accounts[0], NEW)
    said = [call.params["secret_token"] for call in telegram.list_calls("setWebhook")]
    assert said == [app.vault.webhook_secret(accounts[0].key, 2)] * 2


@pytest.mark.gen_test
async def test_replaced_bot_keeps_its_row_and_its_leads_wait_to_start_the_new_one(
    app: Any, chat: Chat, fake_telegram: Any, query: Query
) -> None:
    tenant, key = chat.tenant, {"account_id": chat.tenant.account_id, "bot_id": chat.tenant.bot_id}
    await app.db.bot_files.remember(**key, sha256="x", form="photo", file_id="old", now=app.clock())
    note = "INSERT INTO applied_updates (applied_on, account_id, bot_id, update_id) VALUES (%s, %s, %s, 1)"
    query(note, app.clock().date(), key["account_id"], key["bot_id"])
    message = await chat.plan()
    know(fake_telegram, 700_000_007, "outro_bot")
    await change(app, tenant, ANOTHER, replaces=True)
    assert [call.token for call in fake_telegram.list_calls("deleteWebhook")] == [tenant.token]
    assert read(query, tenant, "telegram_id, username, status") == (700_000_007, "outro_bot", "active")
    assert chat.read_lead().status == "blocked"
    assert query("SELECT count(*) FROM bot_files") == query("SELECT count(*) FROM applied_updates") == [(0,)]
    await chat.send(message)
    assert (chat.read(message).status, fake_telegram.list_calls("sendMessage")) == ("failed", [])


@pytest.mark.gen_test
async def test_replacement_waits_until_the_old_webhook_is_dropped(
    app: Any, accounts: Any, fake_telegram: Any, query: Query
) -> None:
    know(fake_telegram, 700_000_007, "outro_bot")
    fake_telegram.answer("deleteWebhook", http=502, description="Bad Gateway", times=1)
    with pytest.raises(Unavailable, match="nothing was changed"):
        await change(app, accounts[0], ANOTHER, replaces=True)
    assert read(query, accounts[0], "username") == ("tenant1_bot",)


@pytest.mark.gen_test
async def test_replacement_by_a_bot_that_is_here_already_is_refused(
    app: Any, accounts: Any, fake_telegram: Any
) -> None:
    know(fake_telegram, 900_000_002, "tenant2_bot")
    with pytest.raises(Conflict, match="in this installation already"):
        await change(app, accounts[0], accounts[1].token, replaces=True)


@pytest.mark.gen_test
async def test_repair_sets_ours_again_and_sees_it_at_once(
    app: Any, accounts: Any, fake_telegram: Any, query: Query
) -> None:
    tenant = accounts[0]
    query(
        "INSERT INTO bot_webhooks (bot_id, account_id, state, host, state_since, asked_at)"
        " VALUES (%s, %s, 'taken', 'thief.example.org', now(), now())",
        *(tenant.bot_id, tenant.account_id),
    )
    url = f"https://bots.example.com/webhook/telegram/{tenant.key}"
    fake_telegram.answer("getWebhookInfo", {"url": url})
    await tokens.repair(app, tenant.account_id, tenant.bot_id, actor="command")
    assert [call.params["url"] for call in fake_telegram.list_calls("setWebhook")] == [url]
    assert query("SELECT state, host FROM bot_webhooks") == [("ours", None)]


@pytest.mark.gen_test
async def test_repair_brings_a_bot_back_that_telegram_knows_again(app: Any, accounts: Any, query: Query) -> None:
    query("UPDATE bots SET status = 'dead', status_reason = 'x'")
    await tokens.repair(app, accounts[0].account_id, accounts[0].bot_id, actor="command")
    assert read(query, accounts[0], "status, status_reason") == ("active", None)
    assert read(query, accounts[1], "status") == ("dead",)


@pytest.mark.gen_test
async def test_repair_refuses_a_bot_that_telegram_disowns(
    app: Any, accounts: Any, fake_telegram: Any, query: Query
) -> None:
    query("UPDATE bots SET status = 'dead'")
    fake_telegram.answer("setWebhook", http=401, description="Unauthorized")
    with pytest.raises(Invalid):
        await tokens.repair(app, accounts[0].account_id, accounts[0].bot_id, actor="command")
    assert read(query, accounts[0], "status") == ("dead",)


@pytest.mark.gen_test
async def test_another_accounts_bot_is_none(app: Any, accounts: Any, fake_telegram: Any) -> None:
    for do in (tokens.repair, tokens.get):
        with pytest.raises(NotFound):
            await do(app, accounts[0].account_id, accounts[1].bot_id, **({"actor": "x"} if do is tokens.repair else {}))
    assert fake_telegram.calls == []


@pytest.mark.gen_test
async def test_token_is_in_no_audit_row_and_no_log(
    app: Any, accounts: Any, telegram: Any, query: Query, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="grimbots")
    await change(replace(app, bots=BotCache(0.0)), accounts[0], NEW)
    told = str(query("SELECT details, action, subject FROM audit")) + caplog.text
    assert "bot.token" in told
    assert NEW not in told
