"""Updates on their way to a bot's webhook: what they carry, in which order they come, what is not sent."""

from __future__ import annotations

import pytest

from grimbots.tests.services.sandbox.drivers import (
    CHAT,
    Driver,
    Webhook,
    succeed_once,
)

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
