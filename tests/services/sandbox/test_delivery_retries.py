"""Updates that a webhook did not take: when they come again, how long they live, what the bot is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from grimbots.services.clients.http import Ambiguous, NeverSent
from grimbots.services.sandbox.couriers import pause_seconds
from grimbots.services.sandbox.webhooks import describe_failure
from grimbots.tests.services.sandbox.drivers import (
    Driver,
    Webhook,
    has_failed,
    has_pending,
    succeed_once,
    wait_until,
)

KEYBOARD = {"inline_keyboard": [[{"text": "Quero", "callback_data": "v1:a"}]]}


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("status", "phrase"), [(500, "Internal Server Error"), (503, "Service Unavailable"), (302, "Found"), (599, "")]
)
async def test_update_comes_again_at_once_after_a_failure(
    served: Driver, webhook: Webhook, status: int, phrase: str
) -> None:
    webhook.answers.append((status, {"Location": "/elsewhere"}, b""))
    await served.say()
    await webhook.wait(2)
    assert webhook.updates[0] == webhook.updates[1]
    info = (await served.call("getWebhookInfo")).json["result"]
    assert info["last_error_message"] == f"Wrong response from the webhook: {status} {phrase}".rstrip()


@pytest.mark.gen_test
async def test_failed_update_holds_back_its_queue(served: Driver, webhook: Webhook) -> None:
    webhook.answers.append((500, {}, b""))
    webhook.gate.clear()
    await served.say("1")
    await served.say("2")
    await webhook.wait(1)
    webhook.gate.set()
    await webhook.wait(3)
    assert [update["message"]["text"] for update in webhook.updates] == ["1", "1", "2"]


@pytest.mark.gen_test
async def test_retry_after_is_waited_for(served: Driver, webhook: Webhook, io_loop: Any) -> None:
    webhook.answers.append((503, {"Retry-After": "1"}, b""))
    await served.say()
    await webhook.wait(1)
    began = io_loop.time()
    await webhook.wait(2)
    assert 0.8 < io_loop.time() - began < 3


def test_pauses_grow_to_one_or_two_minutes() -> None:
    assert [pause_seconds(failures) for failures in (1, 2, 3, 4, 5, 6)] == [0, 2, 4, 8, 16, 32]
    assert all(60 <= pause_seconds(failures) <= 120 for failures in range(8, 2000))


def test_pauses_honour_retry_after_up_to_an_hour() -> None:
    assert pause_seconds(9, 5) == 5
    assert pause_seconds(1, 99_999) == 3600


@pytest.mark.gen_test
async def test_update_past_its_life_is_dropped(served: Driver, webhook: Webhook, sandbox_clock: Any) -> None:
    await served.say()
    await webhook.wait(1)
    await served.send(reply_markup=KEYBOARD)
    webhook.gate.clear()
    webhook.answers.append((500, {}, b""))
    await served.chat("taps", {"button": "Quero"})
    await webhook.wait(2)
    sandbox_clock.now += 151
    webhook.gate.set()
    await wait_until(lambda: has_pending(served, 0))
    assert len(webhook.deliveries) == 2


@pytest.mark.gen_test
async def test_update_behind_a_dropped_one_starts_afresh(
    served: Driver, webhook: Webhook, sandbox_clock: Any, io_loop: Any
) -> None:
    await succeed_once(served, webhook)
    await served.send(reply_markup=KEYBOARD)
    webhook.gate.clear()
    webhook.answers.extend([(500, {}, b"")] * 2)
    await served.chat("taps", {"button": "Quero"})
    await webhook.wait(2)
    sandbox_clock.now += 100
    await served.chat("taps", {"button": "Quero"})
    sandbox_clock.now += 51  # the first one's next try would come too late
    began = io_loop.time()
    webhook.gate.set()
    await webhook.wait(4)
    first, second, again = (update["callback_query"]["id"] for update in webhook.updates[1:])
    assert first != second == again
    assert io_loop.time() - began < 1


@pytest.mark.gen_test
async def test_update_that_outlived_itself_untried_is_dropped(
    sandbox: Driver, webhook: Webhook, sandbox_clock: Any
) -> None:
    await sandbox.say()
    await sandbox.send(reply_markup=KEYBOARD)
    await sandbox.chat("taps", {"button": "Quero"})
    sandbox_clock.now += 151
    await sandbox.call("setWebhook", url=webhook.url)
    [delivery] = await webhook.wait(1)
    assert "message" in delivery.update
    await wait_until(lambda: has_pending(sandbox, 0))
    assert len(webhook.deliveries) == 1


@pytest.mark.gen_test
async def test_webhook_info_tells_what_went_wrong(sandbox: Driver, webhook: Webhook, sandbox_clock: Any) -> None:
    await sandbox.call("setWebhook", url="http://127.0.0.1:9/nobody", allowed_updates=["message"], max_connections=7)
    await sandbox.say()
    await wait_until(lambda: has_failed(sandbox))
    info = (await sandbox.call("getWebhookInfo")).json["result"]
    assert info == {
        "url": "http://127.0.0.1:9/nobody",
        "has_custom_certificate": False,
        "pending_update_count": 1,
        "last_error_date": int(sandbox_clock.now),
        "last_error_message": "Connection refused",
        "max_connections": 7,
        "allowed_updates": ["message"],
    }
    sandbox_clock.now += 1
    await sandbox.call("setWebhook", url=webhook.url)
    await webhook.wait(1)
    await wait_until(lambda: has_pending(sandbox, 0))
    assert not await has_failed(sandbox)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (NeverSent("webhook:1: ClientConnectorError Connect call failed ('127.0.0.1', 9)"), "Connection refused"),
        (NeverSent("webhook:1: ConnectionTimeoutError"), "Connection timed out"),
        (Ambiguous("webhook:1: SocketTimeoutError"), "Read timeout expired"),
        (Ambiguous("webhook:1: TimeoutError"), "Read timeout expired"),
        (Ambiguous("webhook:1: ClientOSError Connection reset by peer"), "Connection reset by peer"),
        (Ambiguous("webhook:1: ServerDisconnectedError"), "Connection closed"),
    ],
)
def test_failure_is_named_as_telegram_names_it(failure: NeverSent | Ambiguous, expected: str) -> None:
    assert describe_failure(failure) == expected
