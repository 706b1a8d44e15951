"""Pictures: uploaded once per bot, then sent by their id, uploaded again when Telegram forgot them; QR codes."""

from __future__ import annotations

import asyncio
import hashlib
import io
from typing import Any

import pytest

from grimbots.queue.task import Again
from grimbots.services import pictures
from grimbots.tests.services.chats import Chat

PNG = b"\x89PNG\r\n\x1a\n a picture"
SHA256 = hashlib.sha256(PNG).hexdigest()
BAD_FILE = "Bad Request: wrong file_id or the file is temporarily unavailable"


@pytest.fixture
def chat(io_loop: Any, app: Any, accounts: Any, database_url: str) -> Chat:
    return io_loop.run_sync(Chat(app, accounts[0], database_url).open)


@pytest.fixture
def stored(io_loop: Any, app: Any, accounts: Any) -> None:
    """Store the picture in both accounts."""

    async def store() -> None:
        for tenant in accounts:
            await app.db.assets.add(
                account_id=tenant.account_id, sha256=SHA256, content_type="image/png", content=PNG, now=app.clock()
            )

    io_loop.run_sync(store)


async def plan_photo(chat: Chat) -> Any:
    return await chat.plan(method="sendPhoto", body={"photo": {"asset": SHA256}, "caption": "olá"})


@pytest.mark.gen_test
async def test_call_uploads_a_picture_once(chat: Chat, stored: None, fake_telegram: Any) -> None:
    messages = [await plan_photo(chat) for _ in range(3)]
    for message in messages:
        await chat.send(message)
    first, *rest = fake_telegram.calls
    assert (first.files["photo"].body, first.files["photo"].content_type) == (PNG, "image/png")
    assert first.files["photo"].filename == f"{SHA256[:12]}.png"
    assert first.params == {"chat_id": "501", "caption": "olá"}
    assert [call.params["photo"] for call in rest] == ["1280-1", "1280-1"]  # the largest size
    assert [chat.read(message).status for message in messages] == ["sent"] * 3


@pytest.mark.gen_test
async def test_call_uploads_once_for_many_chats_at_once(
    app: Any, accounts: Any, database_url: str, stored: None, fake_telegram: Any
) -> None:
    release = asyncio.Event()
    fake_telegram.answer("sendPhoto", until=release, times=1)
    chats = [await Chat(app, accounts[0], database_url, chat_id=600 + n).open() for n in range(8)]
    sends = [asyncio.create_task(chat.send(await plan_photo(chat))) for chat in chats]
    await fake_telegram.wait_for_calls(1)
    release.set()
    await asyncio.gather(*sends)
    assert len(fake_telegram.calls) == 8
    assert len([call for call in fake_telegram.calls if call.files]) == 1


@pytest.mark.gen_test
async def test_call_uploads_for_each_bot(
    app: Any, accounts: Any, database_url: str, stored: None, fake_telegram: Any
) -> None:
    for tenant in accounts:
        chat = await Chat(app, tenant, database_url).open()
        await chat.send(await plan_photo(chat))
    assert [(call.token, bool(call.files)) for call in fake_telegram.calls] == [
        (accounts[0].token, True),
        (accounts[1].token, True),
    ]


@pytest.mark.gen_test
async def test_call_uploads_again_what_telegram_forgot(chat: Chat, stored: None, fake_telegram: Any) -> None:
    await chat.send(await plan_photo(chat))
    fake_telegram.answer("sendPhoto", http=400, description=BAD_FILE, times=1)
    message = await plan_photo(chat)
    await chat.send(message)
    await chat.send(await plan_photo(chat))
    assert [bool(call.files) for call in fake_telegram.calls] == [True, False, True, False]
    assert fake_telegram.calls[3].params["photo"] == "1280-2"
    assert chat.read(message).status == "sent"


@pytest.mark.gen_test
async def test_call_uploads_again_only_once(chat: Chat, stored: None, fake_telegram: Any) -> None:
    await chat.send(await plan_photo(chat))
    fake_telegram.answer("sendPhoto", http=400, description=BAD_FILE)
    message = await plan_photo(chat)
    await chat.send(message)
    assert len(fake_telegram.calls) == 3
    assert (chat.read(message).status, chat.read(message).error) == ("failed", BAD_FILE)


@pytest.mark.gen_test
async def test_call_remembers_no_failed_upload(chat: Chat, stored: None, fake_telegram: Any) -> None:
    fake_telegram.answer("sendPhoto", http=403, description="Forbidden: bot was kicked from the group chat", times=1)
    await chat.send(await plan_photo(chat))
    await chat.send(await plan_photo(chat))
    assert [bool(call.files) for call in fake_telegram.calls] == [True, True]


@pytest.mark.gen_test
async def test_call_without_the_bytes_fails_and_says_what_to_do(chat: Chat, fake_telegram: Any) -> None:
    message = await plan_photo(chat)
    await chat.send(message)
    row = chat.read(message)
    assert (row.status, row.error) == ("failed", "its picture is not stored: publish the funnel again")
    assert fake_telegram.calls == []


@pytest.mark.gen_test
async def test_call_waits_for_an_upload_no_longer_than_its_turn(
    app: Any, chat: Chat, stored: None, fake_telegram: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "TURN_SECONDS", 0.05)
    message = await plan_photo(chat)
    async with app.telegram.uploads.of((chat.tenant.bot_id, SHA256)):
        with pytest.raises(Again):
            await chat.send(message)
    assert chat.read(message).status == "planned"
    assert fake_telegram.calls == []


@pytest.mark.gen_test
async def test_call_draws_a_qr_each_time(chat: Chat, fake_telegram: Any) -> None:
    for code in ("00020126", "00020127"):
        await chat.send(await chat.plan(method="sendPhoto", body={"photo": {"qr": code}, "caption": "PIX"}))
    drawn = [call.files["photo"] for call in fake_telegram.calls]
    assert [(part.filename, part.content_type) for part in drawn] == [("pix.png", "image/png")] * 2
    assert drawn[0].body == pictures.draw_qr("00020126")
    assert drawn[0].body != drawn[1].body


def test_draw_qr_leaves_room_around_the_code() -> None:
    width = int.from_bytes(io.BytesIO(pictures.draw_qr("0" * 8)).getbuffer()[16:20], "big")
    assert width == (21 + 2 * 4) * 8


def test_read_file_id_takes_the_largest_photo() -> None:
    sizes = [{"file_id": "s", "width": 90, "height": 90}, {"file_id": "l", "width": 900, "height": 600}]
    assert pictures.read_file_id({"photo": sizes}, "photo") == "l"


def test_read_file_id_of_other_media_and_of_none() -> None:
    assert pictures.read_file_id({"document": {"file_id": "d"}}, "document") == "d"
    assert pictures.read_file_id({"text": "x"}, "photo") is None
    assert pictures.read_file_id(True, "photo") is None
