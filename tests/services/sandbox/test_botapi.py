"""The Bot API face: who may call, how, and what is refused with Telegram's own words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grimbots.tests.services.sandbox.drivers import CHAT, Driver, ask


async def refuse(sandbox: Driver, http: int, description: str, name: str = "sendMessage", **params: Any) -> None:
    """Assert that a call is refused like this."""
    given = {"chat_id": CHAT} | params
    reply = await sandbox.call(name, **{key: value for key, value in given.items() if value is not None})
    assert (reply.status, reply.json["description"]) == (http, description)
    assert reply.json["ok"] is False
    assert reply.json["error_code"] == http


def button(**action: Any) -> dict[str, Any]:
    """Give a keyboard of one button."""
    return {"inline_keyboard": [[{"text": "Sim"} | action]]}


@pytest.mark.gen_test
async def test_call_answers_404_for_malformed_token(sandbox: Driver) -> None:
    reply = await ask(f"{sandbox.server.url}/botnonsense/getMe")
    assert (reply.status, reply.json["description"]) == (404, "Not Found")


@pytest.mark.gen_test
async def test_call_answers_401_for_unknown_token(sandbox: Driver) -> None:
    reply = await ask(f"{sandbox.server.url}/bot123456:{'A' * 35}/getMe")
    assert (reply.status, reply.json["description"]) == (401, "Unauthorized")


@pytest.mark.gen_test
async def test_call_answers_404_for_unknown_method(sandbox: Driver) -> None:
    await refuse(sandbox, 404, "Not Found: method not found", "sendPigeon")


@pytest.mark.gen_test
async def test_call_takes_any_case_of_method_name(sandbox: Driver) -> None:
    reply = await sandbox.call("GETME")
    assert reply.json["result"]["username"] == "loja_bot"
    assert reply.json["result"]["is_bot"] is True


@pytest.mark.gen_test
async def test_call_takes_forms(sandbox: Driver) -> None:
    await sandbox.say()
    url = f"{sandbox.server.url}/bot{sandbox.token}/sendMessage"
    keyboard = json.dumps(button(callback_data="x")).encode()
    body = b"chat_id=4242&text=Ol%C3%A1&protect_content=true&reply_markup=" + keyboard
    reply = await ask(url, "POST", body, Content_Type="application/x-www-form-urlencoded")
    assert reply.json["result"]["text"] == "Olá"
    assert reply.json["result"]["has_protected_content"] is True
    assert reply.json["result"]["reply_markup"] == button(callback_data="x")


@pytest.mark.gen_test
async def test_call_takes_query_strings(sandbox: Driver) -> None:
    await sandbox.say()
    reply = await ask(f"{sandbox.server.url}/bot{sandbox.token}/sendMessage?chat_id=4242&text=oi")
    assert reply.json["result"]["text"] == "oi"


@pytest.mark.gen_test
@pytest.mark.parametrize("body", [b"{", b"[]", b"7", b"[" * 5000])
async def test_call_refuses_bodies_that_are_no_object(sandbox: Driver, body: bytes) -> None:
    reply = await ask(f"{sandbox.server.url}/bot{sandbox.token}/sendMessage", "POST", body)
    assert (reply.status, reply.json["ok"]) == (400, False)


@pytest.mark.gen_test
async def test_send_gives_a_whole_message(sandbox: Driver) -> None:
    await sandbox.say()
    message = await sandbox.send("<b>Oi</b>, tudo bem?", parse_mode="HTML", reply_markup=button(callback_data="v1:a"))
    assert message == {
        "message_id": 2,
        "from": {"id": int(sandbox.token.split(":")[0]), "is_bot": True, "first_name": "Loja", "username": "loja_bot"},
        "chat": {"id": CHAT, "type": "private", "first_name": f"Cliente {CHAT}"},
        "date": 1_772_452_800,
        "text": "Oi, tudo bem?",
        "entities": [{"type": "bold", "offset": 0, "length": 2}],
        "reply_markup": button(callback_data="v1:a"),
    }


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("description", "params"),
    [
        ("chat_id is empty", {"chat_id": None, "text": "x"}),
        ("chat_id is empty", {"chat_id": "", "text": "x"}),
        ("chat not found", {"chat_id": 1, "text": "x"}),
        ("chat not found", {"chat_id": "@somebody", "text": "x"}),
        ("chat not found", {"chat_id": "9" * 30, "text": "x"}),
        ("message text is empty", {}),
        ("message text is empty", {"text": " \n "}),
        ("message text is empty", {"text": "<b> </b>", "parse_mode": "HTML"}),
        ("message is too long", {"text": "x" * 4097}),
        ("message is too long", {"text": "\N{GRINNING FACE}" * 2049}),
        ("unsupported parse_mode", {"text": "x", "parse_mode": "Markdown"}),
        ('field "protect_content" must be of type Boolean', {"text": "x", "protect_content": "maybe"}),
        ('field "text" must be of type String', {"text": {"a": 1}}),
        ("can't parse reply_markup JSON object", {"text": "x", "reply_markup": "{"}),
        ("object expected as reply markup", {"text": "x", "reply_markup": [1]}),
        ("message to be replied not found", {"text": "x", "reply_parameters": {"message_id": 99}}),
        ('can\'t find field "message_id"', {"text": "x", "reply_parameters": {"quote": "a"}}),
        (
            "can't parse MessageEntity: Unsupported type specified",
            {"text": "x", "entities": [{"type": "loud", "offset": 0, "length": 1}]},
        ),
        (
            "entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 9",
            {"text": "x", "entities": [{"type": "bold", "offset": 0, "length": 9}]},
        ),
    ],
)
async def test_send_refuses_with_telegrams_words(sandbox: Driver, description: str, params: dict[str, Any]) -> None:
    await sandbox.say()
    await refuse(sandbox, 400, f"Bad Request: {description}", **params)


@pytest.mark.gen_test
async def test_send_measures_text_after_parsing(sandbox: Driver) -> None:
    await sandbox.say()
    message = await sandbox.send(f"<b>{'x' * 4096}</b>", parse_mode="html")
    assert len(message["text"]) == 4096


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("description", "markup"),
    [
        ("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard", button()),
        (
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
            button(callback_data=""),
        ),
        (
            "can't parse inline keyboard button: exactly one action is allowed, not url and callback_data",
            button(url="https://a.b", callback_data="x"),
        ),
        (
            "can't parse inline keyboard button: Can't find field \"text\"",
            {"inline_keyboard": [[{"url": "https://a.b"}]]},
        ),
        ("BUTTON_DATA_INVALID", button(callback_data="ç" * 33)),
        ("BUTTON_COPY_TEXT_INVALID", button(copy_text={"text": "x" * 257})),
        ("BUTTON_TYPE_INVALID", button(pay=True)),
        ("BUTTON_STYLE_INVALID", button(callback_data="x", style="golden")),
        ("inline keyboard button URL 'not-a-url' is invalid: Wrong HTTP URL", button(url="not-a-url")),
        (
            "inline keyboard button URL 'ftp://example.com' is invalid: Unsupported URL protocol",
            button(url="ftp://example.com"),
        ),
        ('field "inline_keyboard" must be of type Array', {"inline_keyboard": "bad"}),
        ("reply markup is too long", {"inline_keyboard": [[{"text": "x", "callback_data": "x"}]] * 101}),
    ],
)
async def test_send_refuses_keyboards(sandbox: Driver, description: str, markup: dict[str, Any]) -> None:
    await sandbox.say()
    await refuse(sandbox, 400, f"Bad Request: {description}", text="x", reply_markup=markup)


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "action",
    [
        {"callback_data": "ç" * 32},
        {"copy_text": {"text": "x" * 256}},
        {"url": "https://example.com/a?b=c"},
        {"url": "example.com"},
        {"callback_data": "x", "style": "success"},
    ],
)
async def test_send_takes_keyboards_at_their_limits(sandbox: Driver, action: dict[str, Any]) -> None:
    await sandbox.say()
    message = await sandbox.send(reply_markup=button(**action))
    assert message["reply_markup"] == button(**action)


@pytest.mark.gen_test
async def test_send_refuses_a_blocked_chat_until_it_unblocks(sandbox: Driver) -> None:
    await sandbox.say()
    await sandbox.chat("block", {})
    await refuse(sandbox, 403, "Forbidden: bot was blocked by the user", text="x")
    await sandbox.chat("block", {"blocked": False})
    await sandbox.send()


@pytest.mark.gen_test
async def test_edit_replaces_text_and_drops_keyboard(sandbox: Driver) -> None:
    await sandbox.say()
    sent = await sandbox.send(reply_markup=button(callback_data="x"))
    reply = await sandbox.call(
        "editMessageText", chat_id=CHAT, message_id=sent["message_id"], text="<i>Pago</i>", parse_mode="HTML"
    )
    assert reply.json["result"]["text"] == "Pago"
    assert reply.json["result"]["entities"] == [{"type": "italic", "offset": 0, "length": 4}]
    assert "reply_markup" not in reply.json["result"]
    assert (await sandbox.chat("messages")).json[-1] == reply.json["result"]


@pytest.mark.gen_test
async def test_edit_refuses_what_telegram_refuses(sandbox: Driver) -> None:
    mine = await sandbox.say()
    sent = await sandbox.send("igual")
    same = "message is not modified: specified new message content and reply markup are exactly the same"
    same += " as a current content and reply markup of the message"
    for description, message_id in (
        ("message to edit not found", 99),
        ("message can't be edited", mine["message_id"]),
        (same, sent["message_id"]),
    ):
        await refuse(
            sandbox, 400, f"Bad Request: {description}", "editMessageText", message_id=message_id, text="igual"
        )
    await refuse(
        sandbox,
        400,
        "Bad Request: there is no caption in the message to edit",
        "editMessageCaption",
        message_id=sent["message_id"],
        caption="x",
    )


@pytest.mark.gen_test
async def test_edit_reply_markup_removes_the_keyboard(sandbox: Driver) -> None:
    await sandbox.say()
    sent = await sandbox.send(reply_markup=button(callback_data="x"))
    reply = await sandbox.call("editMessageReplyMarkup", chat_id=CHAT, message_id=sent["message_id"])
    assert "reply_markup" not in reply.json["result"]


@pytest.mark.gen_test
async def test_delete_takes_the_message_out_once(sandbox: Driver) -> None:
    await sandbox.say()
    sent = await sandbox.send()
    reply = await sandbox.call("deleteMessage", chat_id=CHAT, message_id=sent["message_id"])
    assert reply.json == {"ok": True, "result": True}
    assert [message["message_id"] for message in (await sandbox.chat("messages")).json] == [1]
    await refuse(
        sandbox, 400, "Bad Request: message to delete not found", "deleteMessage", message_id=sent["message_id"]
    )


@pytest.mark.gen_test
async def test_delete_refuses_after_two_days(sandbox: Driver, sandbox_clock: Any) -> None:
    await sandbox.say()
    sent = await sandbox.send()
    sandbox_clock.now += 48 * 3600 + 1
    await refuse(sandbox, 400, "Bad Request: message can't be deleted", "deleteMessage", message_id=sent["message_id"])


@pytest.mark.gen_test
async def test_chat_action_shows_typing_for_five_seconds(sandbox: Driver, sandbox_clock: Any) -> None:
    await sandbox.say()
    await sandbox.call("sendChatAction", chat_id=CHAT, action="typing")
    assert (await sandbox.chat("changes?since=0")).json["is_typing"] is True
    sandbox_clock.now += 5.1
    assert (await sandbox.chat("changes?since=0")).json["is_typing"] is False


@pytest.mark.gen_test
async def test_chat_action_refuses_unknown_action(sandbox: Driver) -> None:
    await sandbox.say()
    await refuse(sandbox, 400, "Bad Request: wrong parameter action in request", "sendChatAction", action="dancing")
