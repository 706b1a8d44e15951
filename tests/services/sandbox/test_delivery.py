"""Updates to a bot's webhook: secret, order per queue, retries, lives, answer-as-method."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from grimbots.services.clients.http import Ambiguous, NeverSent
from grimbots.services.sandbox.couriers import pause_seconds
from grimbots.services.sandbox.webhooks import describe_failure
from grimbots.tests.services.sandbox.drivers import CHAT, Driver, Webhook, has_message, wait_until

KEYBOARD = {"inline_keyboard": [[{"text": "Quero", "callback_data": "v1:a"}]]}


@pytest.mark.gen_test
async def test_update_carries_secret_and_message(served: Driver, webhook: Webhook) -> None:
    message = await served.say("/start abc")
    [delivery] = await webhook.wait(1)
    assert delivery.headers["X-Telegram-Bot-Api-Secret-Token"] == "s3cret"
    assert delivery.headers["Content-Type"] == "application/json"
    assert delivery.update["message"] == message
    assert message["entities"] == [{"type": "bot_command", "offset": 0, "length": 6}]


@pytest.mark.gen_test
async def test_update_carries_no_secret_where_none_is_set(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.call("setWebhook", url=webhook.url)
    await sandbox.say()
    [delivery] = await webhook.wait(1)
    assert "X-Telegram-Bot-Api-Secret-Token" not in delivery.headers


@pytest.mark.gen_test
async def test_update_ids_grow_by_one(served: Driver, webhook: Webhook) -> None:
    for number in range(3):
        await served.say(str(number))
    await webhook.wait(3)
    first = webhook.updates[0]["update_id"]
    assert [update["update_id"] for update in webhook.updates] == [first, first + 1, first + 2]
    assert [update["message"]["text"] for update in webhook.updates] == ["0", "1", "2"]


@pytest.mark.gen_test
async def test_connection_is_kept(served: Driver, webhook: Webhook) -> None:
    for number in range(3):
        await served.say(str(number))
        await webhook.wait(number + 1)
    assert len(webhook.connections) == 1


async def succeed_once(sandbox: Driver, webhook: Webhook) -> None:
    """Deliver a first update: until one is taken a webhook has one connection."""
    await sandbox.say()
    await webhook.wait(1)
    await wait_until(lambda: has_pending(sandbox, 0))


@pytest.mark.gen_test
async def test_one_message_of_a_chat_is_in_flight(served: Driver, webhook: Webhook) -> None:
    await succeed_once(served, webhook)
    webhook.gate.clear()
    await served.say("1")
    await served.say("2")
    await served.say("other", chat=77)
    await webhook.wait(3)
    assert sorted(update["message"]["text"] for update in webhook.updates[1:]) == ["1", "other"]
    webhook.gate.set()
    await webhook.wait(4)
    assert webhook.updates[-1]["message"]["text"] == "2"


@pytest.mark.gen_test
async def test_tap_does_not_wait_for_the_chats_messages(served: Driver, webhook: Webhook) -> None:
    await served.say()
    await webhook.wait(1)
    await served.send(reply_markup=KEYBOARD)
    webhook.gate.clear()
    await served.say("slow")
    await webhook.wait(2)
    await served.chat("taps", {"button": "Quero"})
    await webhook.wait(3)
    assert webhook.updates[-1]["callback_query"]["data"] == "v1:a"


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
async def test_updates_wait_for_a_webhook(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.say("early")
    assert (await sandbox.call("getWebhookInfo")).json["result"]["pending_update_count"] == 1
    await sandbox.call("setWebhook", url=webhook.url)
    [delivery] = await webhook.wait(1)
    assert delivery.update["message"]["text"] == "early"
    await wait_until(lambda: has_pending(sandbox, 0))


async def has_pending(sandbox: Driver, count: int) -> bool:
    """Tell whether this many updates wait."""
    info = (await sandbox.call("getWebhookInfo")).json["result"]
    return bool(info["pending_update_count"] == count)


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


async def has_failed(sandbox: Driver) -> bool:
    """Tell whether a delivery has gone wrong."""
    return "last_error_date" in (await sandbox.call("getWebhookInfo")).json["result"]


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
async def test_method_in_the_answer_is_run_and_noted(served: Driver, webhook: Webhook) -> None:
    await served.say()
    await webhook.wait(1)
    await served.send(reply_markup=KEYBOARD)
    query = {"method": "answerCallbackQuery", "text": "Anotado"}
    webhook.gate.clear()
    tapped = (await served.chat("taps", {"button": "Quero"})).json
    await webhook.wait(2)
    body = json.dumps(query | {"callback_query_id": tapped["callback_query_id"]}).encode()
    webhook.answers.append((200, {"Content-Type": "application/json"}, body))
    webhook.gate.set()
    [answer] = await wait_until(lambda: read_answers(served))
    assert answer == {"id": tapped["callback_query_id"], "text": "Anotado", "show_alert": False}
    noted = (await served.face("calls?after=0")).json[-1]
    assert (noted["method"], noted["via"], noted["answer"]) == (
        "answerCallbackQuery",
        "webhook",
        {"ok": True, "result": True},
    )


async def read_answers(sandbox: Driver) -> Any:
    """Give the answers to the person's taps."""
    return (await sandbox.chat("changes?since=0")).json["answers"]


@pytest.mark.gen_test
@pytest.mark.parametrize("body", [b"ok", b"[1]", b'{"method": "deleteWebhook"}', b'{"method": "getMe"}', b"\xff"])
async def test_other_answers_run_nothing(served: Driver, webhook: Webhook, body: bytes) -> None:
    webhook.answers.append((200, {}, body))
    await served.say()
    await wait_until(lambda: has_pending(served, 0))
    methods = {call["method"] for call in (await served.face("calls")).json if call["via"] == "webhook"}
    assert methods == set()
    assert (await served.call("getWebhookInfo")).json["result"]["url"] == webhook.url


@pytest.mark.gen_test
async def test_query_is_answered_once_and_in_time(served: Driver, webhook: Webhook, sandbox_clock: Any) -> None:
    await served.say()
    await served.send(reply_markup=KEYBOARD)
    first, late = [(await served.chat("taps", {"button": "Quero"})).json["callback_query_id"] for _ in range(2)]
    assert (await served.call("answerCallbackQuery", callback_query_id=first)).json["ok"] is True
    sandbox_clock.now += 151
    for query_id in (first, late, "1"):
        reply = await served.call("answerCallbackQuery", callback_query_id=query_id)
        expected = "Bad Request: query is too old and response timeout expired or query ID is invalid"
        assert (reply.status, reply.json["description"]) == (400, expected)


@pytest.mark.gen_test
async def test_blocking_tells_the_bot(served: Driver, webhook: Webhook) -> None:
    await served.say()
    await served.chat("block", {})
    await webhook.wait(2)
    change = next(update["my_chat_member"] for update in webhook.updates if "my_chat_member" in update)
    assert (change["old_chat_member"]["status"], change["new_chat_member"]["status"]) == ("member", "kicked")
    assert change["from"]["id"] == CHAT


@pytest.mark.gen_test
async def test_checkout_asks_the_bot(served: Driver, webhook: Webhook) -> None:
    await served.say()
    asked = (await served.chat("checkouts", {"payload": "pedido-1", "total_amount": 50})).json
    await webhook.wait(2)
    query = next(update["pre_checkout_query"] for update in webhook.updates if "pre_checkout_query" in update)
    assert query == asked
    assert (query["invoice_payload"], query["total_amount"], query["currency"]) == ("pedido-1", 50, "XTR")
    answered = await served.call("answerPreCheckoutQuery", pre_checkout_query_id=query["id"], ok=True)
    assert answered.json == {"ok": True, "result": True}


@pytest.mark.gen_test
async def test_update_is_written_as_telegram_writes_it(served: Driver, webhook: Webhook) -> None:
    await served.say("Olá \N{GRINNING FACE}")
    [delivery] = await webhook.wait(1)
    assert rb'"text":"Ol\u00e1 \ud83d\ude00"' in delivery.body
    assert b'": ' not in delivery.body
    assert delivery.body.startswith(b'{"update_id":')
    assert delivery.headers["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.gen_test
async def test_packed_answer_is_read(served: Driver, webhook: Webhook) -> None:
    body = json.dumps({"method": "sendMessage", "chat_id": CHAT, "text": "do webhook"}).encode()
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    webhook.answers.append((200, headers, gzip.compress(body)))
    await served.say()
    await wait_until(lambda: has_message(served, "do webhook"))


@pytest.mark.gen_test
async def test_update_over_64_kib_is_dropped_at_the_source(served: Driver, webhook: Webhook) -> None:
    await served.say()
    rows = [[{"text": "x" * 3000, "callback_data": f"v1:{number}"}] for number in range(30)]
    await served.send(reply_markup={"inline_keyboard": rows})
    await served.chat("taps", {"button": "x" * 3000})
    await served.say("depois")
    await webhook.wait(2)
    first, second = webhook.updates
    assert second["message"]["text"] == "depois"
    assert second["update_id"] == first["update_id"] + 1


@pytest.mark.gen_test
async def test_410_for_23_hours_removes_the_webhook(served: Driver, webhook: Webhook, sandbox_clock: Any) -> None:
    webhook.answers.extend([(410, {}, b"")] * 3)
    webhook.gate.clear()
    await served.say()
    await webhook.wait(1)
    webhook.gate.set()
    await webhook.wait(2)  # the first retry comes at once; the next one in two seconds
    sandbox_clock.now += 23 * 3600 + 1
    await webhook.wait(3)
    await wait_until(lambda: has_no_webhook(served))
    assert await has_pending(served, 1)


async def has_no_webhook(sandbox: Driver) -> bool:
    """Tell whether updates go nowhere."""
    return (await sandbox.call("getWebhookInfo")).json["result"]["url"] == ""


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
