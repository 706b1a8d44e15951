"""A webhook's answer that is itself a call: run, noted, or left alone."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from grimbots.tests.services.sandbox.drivers import (
    CHAT,
    Driver,
    Webhook,
    has_message,
    has_pending,
    read_answers,
    wait_until,
)

KEYBOARD = {"inline_keyboard": [[{"text": "Quero", "callback_data": "v1:a"}]]}


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
async def test_packed_answer_is_read(served: Driver, webhook: Webhook) -> None:
    body = json.dumps({"method": "sendMessage", "chat_id": CHAT, "text": "do webhook"}).encode()
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    webhook.answers.append((200, headers, gzip.compress(body)))
    await served.say()
    await wait_until(lambda: has_message(served, "do webhook"))
