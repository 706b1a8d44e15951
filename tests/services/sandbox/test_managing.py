"""What becomes of a bot besides its chats: revoked by BotFather, banned, made and managed by another."""

from __future__ import annotations

from typing import Any

import pytest

from grimbots.tests.services.sandbox.drivers import CHAT, Driver, Webhook, ask

UNAUTHORIZED = {"ok": False, "error_code": 401, "description": "Unauthorized"}
OWNER = {"id": 77, "is_bot": False, "first_name": "Ana"}


async def call(sandbox: Driver, token: str, name: str, **params: Any) -> Any:
    return (await ask(f"{sandbox.server.url}/bot{token}/{name}", "POST", params)).json


async def make_managed(sandbox: Driver) -> Any:
    """Let a person make a bot by the driver's bot's link."""
    wanted = {"username": "nova_bot", "name": "Nova", "user_id": OWNER["id"]}
    return await sandbox.face(f"bots/{sandbox.username}/managed", "POST", wanted)


@pytest.mark.gen_test
async def test_revoked_token_is_nobodys_and_the_webhook_stays(served: Driver, webhook: Webhook) -> None:
    old = served.token
    served.token = (await served.face("bots/loja_bot/revoke", "POST", {})).json["token"]
    assert served.token.partition(":")[0] == old.partition(":")[0]
    assert await call(served, old, "getMe") == UNAUTHORIZED
    assert (await call(served, served.token, "getWebhookInfo"))["result"]["url"] == webhook.url
    await served.say("oi")
    assert (await webhook.wait(1))[0].update["message"]["text"] == "oi"


@pytest.mark.gen_test
async def test_banned_bot_is_answered_401_and_hears_what_was_said_when_it_is_let_be(
    served: Driver, webhook: Webhook
) -> None:
    await served.face("bots/loja_bot/ban", "POST", {})
    for method in ("getMe", "sendMessage", "setWebhook"):
        assert await call(served, served.token, method, chat_id=CHAT, text="x") == UNAUTHORIZED
    await served.say("oi")
    await served.face("bots/loja_bot/ban", "POST", {"banned": False})
    assert (await call(served, served.token, "getMe"))["ok"]
    assert len(await webhook.wait(1)) == 1


@pytest.mark.gen_test
async def test_manager_hears_of_a_bot_and_fetches_its_token(served: Driver, webhook: Webhook) -> None:
    made = (await make_managed(served)).json
    told = (await webhook.wait(1))[0].update["managed_bot"]
    assert told == {"user": OWNER, "bot": made}
    token = (await served.call("getManagedBotToken", user_id=made["id"])).json["result"]
    assert (await call(served, token, "getMe"))["result"]["username"] == "nova_bot"


@pytest.mark.gen_test
async def test_replaced_token_is_told_to_the_manager(served: Driver, webhook: Webhook) -> None:
    made = (await make_managed(served)).json
    old = (await served.call("getManagedBotToken", user_id=made["id"])).json["result"]
    new = (await served.call("replaceManagedBotToken", user_id=made["id"])).json["result"]
    assert await call(served, old, "getMe") == UNAUTHORIZED
    assert (await call(served, new, "getMe"))["ok"]
    assert [delivery.update["managed_bot"]["bot"] for delivery in await webhook.wait(2)] == [made] * 2


@pytest.mark.gen_test
async def test_other_bots_are_not_managed(sandbox: Driver) -> None:
    made, stranger = (await make_managed(sandbox)).json, await sandbox.make_bot("outra_bot")
    for user_id, token in ((made["id"], stranger), (7_000_000_001, sandbox.token), (1, sandbox.token)):
        answer = await call(sandbox, token, "getManagedBotToken", user_id=user_id)
        assert (answer["error_code"], answer["ok"]) == (400, False)


@pytest.mark.gen_test
async def test_taken_username_is_refused(sandbox: Driver) -> None:
    assert [(await make_managed(sandbox)).status for _ in range(2)] == [200, 409]


@pytest.mark.gen_test
async def test_limits_say_whether_new_tokens_are_held_up(sandbox: Driver) -> None:
    assert (await sandbox.face("limits")).json["new_tokens"] is False
    assert (await sandbox.face("limits", "POST", {"new_tokens": True})).json == {"chat_burst": 5, "new_tokens": True}
