"""The Bot API client against a fake server on a real port."""

from __future__ import annotations

import logging
import socket
from typing import Any

import pytest

from grimbots.services.clients.telegram import Answer, File, Kind, TelegramClient

TOKEN = "123456:very-secret-token-of-a-bot"


@pytest.fixture
def telegram(http: Any, fake_telegram: Any) -> TelegramClient:
    return TelegramClient(http, fake_telegram.url)


async def say(telegram: TelegramClient, chat_id: int = 7) -> Answer:
    return await telegram.call(TOKEN, "sendMessage", {"chat_id": chat_id, "text": "oi"})


@pytest.mark.gen_test
async def test_call_posts_json_and_gives_the_result(telegram: TelegramClient, fake_telegram: Any) -> None:
    params = {"chat_id": 7, "text": "olá \ud83d", "reply_markup": {"inline_keyboard": []}}
    answer = await telegram.call(TOKEN, "sendMessage", params)
    call = fake_telegram.calls[0]
    assert (call.token, call.method, call.params) == (TOKEN, "sendMessage", params)
    assert (answer.kind, answer.result["message_id"]) == (Kind.OK, 1)


@pytest.mark.gen_test
async def test_call_uploads_files_as_a_form(telegram: TelegramClient, fake_telegram: Any) -> None:
    params = {"chat_id": 7, "caption": "olá", "protect_content": True, "reply_markup": {"inline_keyboard": []}}
    content = bytes(range(256)) * 8192  # 2 MiB
    await telegram.call(TOKEN, "sendPhoto", params, {"photo": File("a.png", content, "image/png")})
    call = fake_telegram.calls[0]
    assert call.params["caption"] == "olá"
    assert call.params["protect_content"] == "true"
    assert call.params["reply_markup"] == '{"inline_keyboard": []}'
    assert (call.files["photo"].content_type, call.files["photo"].body) == ("image/png", content)


@pytest.mark.gen_test
async def test_call_reads_a_refusal(telegram: TelegramClient, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", http=403, description="Forbidden: bot was blocked by the user")
    answer = await say(telegram)
    assert answer == Answer(Kind.DEAD_CHAT, http=403, description="Forbidden: bot was blocked by the user")


@pytest.mark.gen_test
async def test_call_reads_the_new_id_of_a_group(telegram: TelegramClient, fake_telegram: Any) -> None:
    text = "Bad Request: group chat was upgraded to a supergroup chat"
    fake_telegram.answer("sendMessage", http=400, description=text, parameters={"migrate_to_chat_id": -1002233445568})
    answer = await say(telegram)
    assert (answer.kind, answer.migrate_to_chat_id) == (Kind.MIGRATED, -1002233445568)


@pytest.mark.gen_test
async def test_call_reads_how_long_to_wait(telegram: TelegramClient, fake_telegram: Any) -> None:
    told = {"retry_after": 35}
    fake_telegram.answer("sendMessage", http=429, description="Too Many Requests: ...", parameters=told, times=1)
    fake_telegram.answer("sendMessage", http=429, body=b"<html>", headers={"Retry-After": "9"}, times=1)
    fake_telegram.answer("sendMessage", http=429, body=b"<html>", times=1)
    answers = [await say(telegram) for _ in range(3)]
    assert [answer.kind for answer in answers] == [Kind.FLOOD] * 3
    assert [answer.retry_after_seconds for answer in answers] == [35.0, 9.0, 5.0]


@pytest.mark.gen_test
async def test_call_tells_when_the_whole_bot_floods(telegram: TelegramClient, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", http=429, description="Too Many Requests", parameters={"retry_after": 1})
    assert [(await say(telegram, chat)).is_bot_wide for chat in (1, 1, 2)] == [False, False, True]


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, b"<html>Bad Gateway</html>"),
        (500, b'{"ok":false,"error_code":500,"description":"Internal Server Error: restart"}'),
        (200, b"<html>log in to this network</html>"),
        (403, b"<html>a firewall</html>"),
        (200, b"[]"),
        (200, b""),
        (302, b"-"),
    ],
)
async def test_call_answered_by_somebody_else_is_ambiguous(
    telegram: TelegramClient, fake_telegram: Any, status: int, body: bytes
) -> None:
    fake_telegram.answer("sendMessage", http=status, body=body)
    assert (await say(telegram)).kind is Kind.AMBIGUOUS


@pytest.mark.gen_test
async def test_call_cut_off_is_ambiguous(telegram: TelegramClient, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", drop="after")
    assert (await say(telegram)).kind is Kind.AMBIGUOUS
    assert len(fake_telegram.calls) == 1


@pytest.mark.gen_test
async def test_call_without_a_server_is_never_sent(http: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        answer = await say(TelegramClient(http, f"http://127.0.0.1:{unused.getsockname()[1]}"))
    assert answer.kind is Kind.NEVER_SENT
    assert TOKEN not in repr(answer)


@pytest.mark.gen_test
async def test_call_logs_an_unknown_refusal_once_and_without_what_it_quotes(
    telegram: TelegramClient, fake_telegram: Any, caplog: pytest.LogCaptureFixture
) -> None:
    fake_telegram.answer("sendMessage", http=400, description='Bad Request: BRAND_NEW about "Maria Silva"')
    answers = [await say(telegram) for _ in range(2)]
    assert [answer.kind for answer in answers] == [Kind.REFUSED] * 2
    assert "Maria" in answers[0].description
    assert [record.getMessage() for record in caplog.records if "BRAND_NEW" in record.getMessage()] == [
        'telegram refuses with a text telegram_errors.py does not know: 400 Bad Request: BRAND_NEW about "..."'
    ]


@pytest.mark.gen_test
async def test_call_never_logs_the_token(
    telegram: TelegramClient, fake_telegram: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fake_telegram.answer("sendMessage", http=401, description="Unauthorized", times=1)
    fake_telegram.answer("sendMessage", http=400, description="Bad Request: BRAND_NEW", times=1)
    fake_telegram.answer("sendMessage", drop="after", times=1)
    answers = [await say(telegram) for _ in range(4)]
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(answers)
