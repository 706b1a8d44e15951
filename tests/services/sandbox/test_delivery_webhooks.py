"""A bot's webhook: set, set anew, taken away, and what becomes of the updates that wait meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from grimbots.tests.services.sandbox.drivers import (
    Driver,
    Webhook,
    has_failed,
    has_pending,
    wait_until,
)

KEYBOARD = {"inline_keyboard": [[{"text": "Quero", "callback_data": "v1:a"}]]}


@pytest.mark.gen_test
async def test_updates_wait_for_a_webhook(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.say("early")
    assert (await sandbox.call("getWebhookInfo")).json["result"]["pending_update_count"] == 1
    await sandbox.call("setWebhook", url=webhook.url)
    [delivery] = await webhook.wait(1)
    assert delivery.update["message"]["text"] == "early"
    await wait_until(lambda: has_pending(sandbox, 0))


@pytest.mark.gen_test
async def test_new_webhook_cuts_a_pause_short(served: Driver, webhook: Webhook, sandbox_clock: Any) -> None:
    webhook.answers.append((503, {"Retry-After": "3600"}, b""))
    await served.say()
    await webhook.wait(1)
    sandbox_clock.now += 1
    await served.call("setWebhook", url=f"{webhook.url}/new")
    await webhook.wait(2)


@pytest.mark.gen_test
async def test_new_webhook_frees_who_waits_for_a_connection(
    sandbox: Driver, webhook: Webhook, sandbox_clock: Any, io_loop: Any
) -> None:
    await sandbox.call("setWebhook", url="http://127.0.0.1:9/nobody")
    await sandbox.say()
    await wait_until(lambda: has_failed(sandbox))  # the next connection would be opened in two seconds
    sandbox_clock.now += 1
    began = io_loop.time()
    await sandbox.call("setWebhook", url=webhook.url)
    await webhook.wait(1)
    assert io_loop.time() - began < 1


@pytest.mark.gen_test
@pytest.mark.parametrize("status", [200, 410, 500])
async def test_answer_of_an_old_webhook_is_none_of_the_new_one(
    served: Driver, webhook: Webhook, sandbox_clock: Any, status: int
) -> None:
    webhook.gate.clear()
    webhook.answers.append((status, {}, b""))
    await served.say()
    await webhook.wait(1)
    sandbox_clock.now += 1
    await served.call("setWebhook", url=f"{webhook.url}/new")
    webhook.gate.set()
    await wait_until(lambda: has_pending(served, 0))
    assert not await has_failed(served)
    assert len(webhook.deliveries) == (1 if status == 200 else 2)


@pytest.mark.gen_test
async def test_kinds_nobody_allowed_are_not_sent(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.call("setWebhook", url=webhook.url, allowed_updates=["callback_query"])
    await sandbox.say()
    await sandbox.send(reply_markup=KEYBOARD)
    await sandbox.chat("taps", {"button": "Quero"})
    [delivery] = await webhook.wait(1)
    assert "callback_query" in delivery.update


@pytest.mark.gen_test
async def test_allowed_updates_stay_when_left_out(sandbox: Driver, webhook: Webhook, sandbox_clock: Any) -> None:
    await sandbox.call("setWebhook", url=webhook.url, allowed_updates=["message"])
    sandbox_clock.now += 1
    await sandbox.call("setWebhook", url=webhook.url, secret_token="new")
    assert (await sandbox.call("getWebhookInfo")).json["result"]["allowed_updates"] == ["message"]


@pytest.mark.gen_test
async def test_drop_pending_updates_forgets_them(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.say("forgotten")
    await sandbox.call("setWebhook", url=webhook.url, drop_pending_updates=True)
    await sandbox.say("kept")
    [delivery] = await webhook.wait(1)
    assert delivery.update["message"]["text"] == "kept"


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("description", "params"),
    [
        ("bad webhook: An HTTPS URL must be provided for webhook", {"url": "http://example.com/x"}),
        ("bad webhook: An HTTPS URL must be provided for webhook", {"url": "gopher://127.0.0.1"}),
        ("secret token contains unallowed characters", {"url": "https://a.b", "secret_token": "ç"}),
        ("secret token is too long", {"url": "https://a.b", "secret_token": "x" * 257}),
        ("can't parse allowed_updates JSON object", {"url": "https://a.b", "allowed_updates": {"a": 1}}),
    ],
)
async def test_set_webhook_refuses(sandbox: Driver, description: str, params: dict[str, Any]) -> None:
    reply = await sandbox.call("setWebhook", **params)
    assert (reply.status, reply.json["description"]) == (400, f"Bad Request: {description}")


@pytest.mark.gen_test
async def test_410_for_23_hours_removes_the_webhook(served: Driver, webhook: Webhook, sandbox_clock: Any) -> None:
    webhook.answers.extend([(410, {}, b"")] * 2)
    webhook.gate.clear()
    await served.say()
    await webhook.wait(1)
    webhook.gate.set()  # lets the first answer go ...
    webhook.gate.clear()  # ... and holds the next
    await webhook.wait(2)
    sandbox_clock.now += 23 * 3600 + 1
    webhook.gate.set()
    await wait_until(lambda: has_no_webhook(served))
    assert await has_pending(served, 1)


async def has_no_webhook(sandbox: Driver) -> bool:
    """Tell whether updates go nowhere."""
    return (await sandbox.call("getWebhookInfo")).json["result"]["url"] == ""
