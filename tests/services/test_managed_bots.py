"""Managed bots: announced ones enter service by themselves, strangers' do not; their tokens come from the manager."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from grimbots.services import bots, managed_bots
from grimbots.services.errors import Conflict, Invalid, NotFound
from grimbots.tests.conftest import Tenant

Query = Callable[..., list[Any]]
TOKEN, NEWER = "700000005:" + "M" * 35, "700000005:" + "N" * 35
MADE = {"id": 700_000_005, "is_bot": True, "first_name": "Nova", "username": "Nova_Bot"}


@pytest.fixture
def telegram(fake_telegram: Any) -> Any:
    """Let a bot that can manage others, and the one that is made, answer."""
    fake_telegram.answer("getMe", {**MADE, "can_manage_bots": True})
    fake_telegram.answer("getManagedBotToken", TOKEN)
    return fake_telegram


async def invite(app: Any, tenant: Tenant, username: str = "nova_bot", **how: Any) -> str:
    wanted = {"manager": f"@{tenant.name}_bot", "username": username, "name": "", "funnel": None}
    return await managed_bots.invite(app, account=tenant.name, **{**wanted, **how}, actor="command")


async def tell(app: Any, tenant: Tenant, made: Any = MADE) -> None:
    update = {"update_id": 1, "managed_bot": {"user": {"id": 5, "is_bot": False, "first_name": "Ana"}, "bot": made}}
    await managed_bots.adopt(app, bot_id=tenant.bot_id, update=update)


@pytest.mark.gen_test
async def test_link_names_manager_and_bot(app: Any, accounts: Any, telegram: Any) -> None:
    assert await invite(app, accounts[0], "@nova_bot", name="Loja Nova") == (
        "https://t.me/newbot/tenant1_bot/nova_bot?name=Loja+Nova"
    )


@pytest.mark.gen_test
async def test_an_announced_bot_enters_service_without_a_token_pasted(
    app: Any, accounts: Any, telegram: Any, query: Query
) -> None:
    await invite(app, accounts[0])
    for _ in range(2):
        await tell(app, accounts[0])
    ((account_id, manager_id, status, sealed),) = query(
        "SELECT account_id, manager_id, status, token_encrypted FROM bots WHERE telegram_id = %s", MADE["id"]
    )
    assert (account_id, manager_id, status) == (accounts[0].account_id, accounts[0].bot_id, "active")
    assert app.vault.decrypt(sealed) == TOKEN
    assert [call.token for call in telegram.list_calls("setWebhook")] == [accounts[0].token, TOKEN]
    assert {call.token for call in telegram.list_calls("getManagedBotToken")} == {accounts[0].token}


@pytest.mark.parametrize("announced", ["outra_bot", None])
@pytest.mark.gen_test
async def test_a_bot_that_nobody_announced_stays_outside_and_is_told_of(
    app: Any, accounts: Any, telegram: Any, query: Query, announced: str | None
) -> None:
    if announced:
        await invite(app, accounts[0], announced)
    await invite(app, accounts[1])  # another account's announcement is none of this manager's
    await tell(app, accounts[0])
    assert query("SELECT count(*) FROM bots WHERE telegram_id = %s", MADE["id"]) == [(0,)]
    assert query("SELECT account_id, kind, detail FROM alarms") == [(accounts[0].account_id, "stranger", "@Nova_Bot")]


@pytest.mark.gen_test
async def test_an_announcement_ends_after_a_week_and_serves_once(
    app: Any, accounts: Any, telegram: Any, query: Query
) -> None:
    await invite(app, accounts[0])
    app.clock.move(days=7)
    await tell(app, accounts[0])
    assert query("SELECT count(*) FROM bots WHERE telegram_id = %s", MADE["id"]) == [(0,)]


@pytest.mark.gen_test
async def test_a_bot_of_another_account_is_not_taken(app: Any, accounts: Any, telegram: Any, query: Query) -> None:
    await bots.add(app, account="tenant2", token=TOKEN, funnel=None, actor="command")
    await invite(app, accounts[0])
    await tell(app, accounts[0])
    assert query("SELECT account_id FROM bots WHERE telegram_id = %s", MADE["id"]) == [(accounts[1].account_id,)]


@pytest.mark.gen_test
async def test_a_token_that_botfather_renewed_is_fetched_when_the_manager_hears_of_it(
    app: Any, accounts: Any, telegram: Any, query: Query
) -> None:
    await invite(app, accounts[0])
    await tell(app, accounts[0])
    telegram.answer("getManagedBotToken", NEWER)
    await tell(app, accounts[0])
    ((sealed,),) = query("SELECT token_encrypted FROM bots WHERE telegram_id = %s", MADE["id"])
    assert app.vault.decrypt(sealed) == NEWER


@pytest.mark.gen_test
async def test_manager_replaces_a_token_on_demand(app: Any, accounts: Any, telegram: Any) -> None:
    await invite(app, accounts[0])
    await tell(app, accounts[0])
    telegram.answer("replaceManagedBotToken", NEWER)
    bot = await bots.get_by_username(app, "tenant1", "nova_bot")
    changed = await managed_bots.fetch_token(app, bot, actor="command", anew=True)
    assert (changed.token, telegram.list_calls("replaceManagedBotToken")[0].params) == (NEWER, {"user_id": MADE["id"]})
    with pytest.raises(Conflict, match="no manager"):
        await managed_bots.fetch_token(app, await app.bots.by_id(app, accounts[0].bot_id), actor="command")


@pytest.mark.gen_test
async def test_invite_refuses_what_cannot_come_true(app: Any, accounts: Any, fake_telegram: Any) -> None:
    with pytest.raises(Invalid, match="ends in bot"):
        await invite(app, accounts[0], "nova")
    with pytest.raises(NotFound):
        await invite(app, accounts[0], manager="tenant2_bot")
    fake_telegram.answer("getMe", {**MADE, "can_manage_bots": False})
    with pytest.raises(Invalid, match="Bot Management Mode"):
        await invite(app, accounts[0])


@pytest.mark.parametrize("told", [None, 7, {}, {"bot": {"id": "x", "username": "a_bot"}}, {"bot": {"id": 1}}])
@pytest.mark.gen_test
async def test_what_names_no_bot_is_passed_over(app: Any, accounts: Any, fake_telegram: Any, told: Any) -> None:
    await managed_bots.adopt(app, bot_id=accounts[0].bot_id, update={"update_id": 1, "managed_bot": told})
    assert fake_telegram.calls == []


@pytest.mark.gen_test
async def test_update_becomes_a_job_of_the_manager(
    app: Any, accounts: Any, telegram: Any, http_client: Any, base_url: str
) -> None:
    body = json.dumps({"update_id": 9, "managed_bot": {"user": {"id": 5}, "bot": MADE}})
    secret = {"X-Telegram-Bot-Api-Secret-Token": app.vault.webhook_secret(accounts[0].key, 1)}
    url = f"{base_url}/webhook/telegram/{accounts[0].key}"
    assert (await http_client.fetch(url, method="POST", body=body, headers=secret)).code == 200
    assert (await app.queue.reads.count_jobs())["tasks"].enqueued == 1
