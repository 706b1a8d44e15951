"""Media: uploaded once per bot, then sent by their id, uploaded again when Telegram forgot them; albums; QR codes."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from grimbots.queue.task import Again
from grimbots.services import contents, media, qr_codes
from grimbots.services.funnels.sources import CHUNK_BYTES, read_chunks
from grimbots.tests.services.chats import Chat

PNG = b"\x89PNG\r\n\x1a\n a picture"
SHA256 = hashlib.sha256(PNG).hexdigest()
BAD_FILE = "Bad Request: wrong file_id or the file is temporarily unavailable"


@pytest.fixture
def stored(io_loop: Any, app: Any, accounts: Any) -> None:
    """Store the picture in both accounts."""

    async def store_everywhere() -> None:
        for tenant in accounts:
            await store(app, tenant, PNG)

    io_loop.run_sync(store_everywhere)


async def store(app: Any, tenant: Any, content: bytes, content_type: str = "image/png") -> str:
    """Store a content as publishing does, and give its name."""
    sha256, key = hashlib.sha256(content).hexdigest(), {"account_id": tenant.account_id}
    described = {"content_type": content_type, "size_bytes": len(content), "now": app.clock()}
    asset_id = await app.db.assets.add(**key, sha256=sha256, **described)
    for number, chunk in enumerate(read_chunks(content)):
        await app.db.assets.add_chunk(**key, asset_id=asset_id, number=number, content=chunk)
    return sha256


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
    assert first.params == {"chat_id": "501", "caption": "olá", "photo": "attach://photo"}
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
    assert (row.status, row.error) == ("failed", "its file is not stored: publish the funnel again")
    assert fake_telegram.calls == []


@pytest.mark.gen_test
async def test_call_waits_for_an_upload_no_longer_than_its_turn(
    app: Any, chat: Chat, stored: None, fake_telegram: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "TURN_SECONDS", 0.05)
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
    assert drawn[0].body == qr_codes.draw_png("00020126")
    assert drawn[0].body != drawn[1].body


def test_read_file_id_takes_the_largest_photo() -> None:
    sizes = [{"file_id": "s", "width": 90, "height": 90}, {"file_id": "l", "width": 900, "height": 600}]
    assert media.read_file_id({"photo": sizes}, "photo") == "l"


def test_read_file_id_of_other_media_and_of_none() -> None:
    assert media.read_file_id({"document": {"file_id": "d"}}, "document") == "d"
    assert media.read_file_id({"text": "x"}, "photo") is None
    assert media.read_file_id(True, "photo") is None


SINGLES = ["video", "voice", "audio", "document", "animation"]


@pytest.mark.gen_test
@pytest.mark.parametrize("kind", SINGLES)
async def test_call_uploads_every_kind_once(app: Any, chat: Chat, fake_telegram: Any, kind: str) -> None:
    sha256 = await store(app, chat.tenant, b"content of " + kind.encode(), "application/octet-stream")
    body = {kind: {"asset": sha256, "name": 'Início "1".pdf'}, "caption": "olá"}
    method = f"send{kind.title()}"
    for _ in range(2):
        await chat.send(await chat.plan(method=method, body=body))
    first, second = fake_telegram.list_calls(method)
    assert (first.files[kind].body, first.files[kind].filename) == (b"content of " + kind.encode(), 'Início "1".pdf')
    assert (second.files, second.params[kind]) == ({}, f"{kind}-1")


@pytest.mark.gen_test
async def test_call_keeps_an_id_for_each_form_of_a_content(
    app: Any, chat: Chat, stored: None, fake_telegram: Any
) -> None:
    bodies = [
        ("sendPhoto", {"photo": {"asset": SHA256}}),
        ("sendDocument", {"document": {"asset": SHA256, "name": "a.png"}}),
        ("sendDocument", {"document": {"asset": SHA256, "name": "b.png"}}),
    ]
    for _ in range(2):
        for method, body in bodies:
            await chat.send(await chat.plan(method=method, body=body))
    assert [bool(call.files) for call in fake_telegram.calls] == [True] * 3 + [False] * 3
    assert [call.params.get("document") for call in fake_telegram.calls[4:]] == ["document-2", "document-3"]


@pytest.mark.gen_test
async def test_call_takes_the_id_of_a_film_that_became_an_animation(app: Any, chat: Chat, fake_telegram: Any) -> None:
    sha256 = await store(app, chat.tenant, b"a film without sound", "video/mp4")
    fake_telegram.answer("sendVideo", {"message_id": 1, "animation": {"file_id": "a"}, "document": {"file_id": "a"}})
    for _ in range(2):
        await chat.send(await chat.plan(method="sendVideo", body={"video": {"asset": sha256}}))
    assert [bool(call.files) for call in fake_telegram.calls] == [True, False]
    assert fake_telegram.calls[1].params["video"] == "a"


@pytest.mark.gen_test
async def test_call_sends_a_large_file_from_disk(
    app: Any, chat: Chat, fake_telegram: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "SMALL_BYTES", 1000)
    content = bytes(range(256)) * (CHUNK_BYTES // 256 * 2 + 1)
    sha256 = await store(app, chat.tenant, content, "video/mp4")
    await chat.send(await chat.plan(method="sendVideo", body={"video": {"asset": sha256}}))
    (call,) = fake_telegram.calls
    assert call.files["video"].body == content
    assert int(call.headers["content-length"]) > len(content)


def plan_album(chat: Chat, *names: str, **changes: Any) -> Any:
    items = [{"type": "photo", "media": {"asset": name}} for name in names]
    items[0] |= {"caption": "<b>olá</b>", "parse_mode": "HTML"}
    return chat.plan(method="sendMediaGroup", body={"media": items}, **changes)


def read_album(call: Any) -> list[str]:
    media = call.params["media"]
    return [item["media"] for item in (json.loads(media) if isinstance(media, str) else media)]


@pytest.fixture
def album(io_loop: Any, app: Any, accounts: Any) -> list[str]:
    """Store three pictures."""
    return [io_loop.run_sync(partial(store, app, accounts[0], PNG + bytes([place]))) for place in range(3)]


@pytest.mark.gen_test
async def test_call_keeps_an_id_for_each_item_of_an_album(chat: Chat, album: list[str], fake_telegram: Any) -> None:
    messages = [await plan_album(chat, *album) for _ in range(2)]
    for message in messages:
        await chat.send(message)
    first, second = fake_telegram.calls
    assert read_album(first) == ["attach://file0", "attach://file1", "attach://file2"]
    assert [first.files[f"file{place}"].body for place in range(3)] == [PNG + bytes([place]) for place in range(3)]
    assert (second.files, read_album(second)) == ({}, ["1280-1", "1280-2", "1280-3"])
    assert [chat.read(message).telegram_message_id for message in messages] == [1, 4]


@pytest.mark.gen_test
async def test_call_uploads_only_what_an_album_lacks(chat: Chat, album: list[str], fake_telegram: Any) -> None:
    await chat.send(await chat.plan(method="sendPhoto", body={"photo": {"asset": album[1]}}))
    await chat.send(await plan_album(chat, *album))
    assert read_album(fake_telegram.calls[1]) == ["attach://file0", "1280-1", "attach://file1"]
    assert sorted(fake_telegram.calls[1].files) == ["file0", "file1"]


@pytest.mark.gen_test
async def test_call_uploads_a_content_that_stands_twice_in_an_album_once(
    chat: Chat, album: list[str], fake_telegram: Any
) -> None:
    await chat.send(await plan_album(chat, album[0], album[1], album[0]))
    assert read_album(fake_telegram.calls[0]) == ["attach://file0", "attach://file1", "attach://file0"]


@pytest.mark.gen_test
async def test_call_uploads_an_album_again_when_one_item_is_forgotten(
    chat: Chat, album: list[str], fake_telegram: Any
) -> None:
    await chat.send(await plan_album(chat, *album))
    forgotten = (
        f'Bad Request: failed to send message #2 with the error message "{BAD_FILE.removeprefix("Bad Request: ")}"'
    )
    fake_telegram.answer("sendMediaGroup", http=400, description=forgotten, times=1)
    message = await plan_album(chat, *album)
    await chat.send(message)
    assert [len(call.files) for call in fake_telegram.calls] == [3, 0, 3]
    assert chat.read(message).status == "sent"


@pytest.mark.gen_test
async def test_albums_that_share_items_do_not_wait_for_one_another_for_ever(
    app: Any, accounts: Any, database_url: str, album: list[str], fake_telegram: Any
) -> None:
    chats = [await Chat(app, accounts[0], database_url, chat_id=600 + n).open() for n in range(4)]
    orders = [album, album[::-1], album[1:], album[:2]]
    messages = [await plan_album(chat, *order) for chat, order in zip(chats, orders, strict=True)]
    await asyncio.gather(*(chat.send(message) for chat, message in zip(chats, messages, strict=True)))
    assert sum(len(call.files) for call in fake_telegram.calls) == 3


@pytest.mark.gen_test
async def test_album_goes_out_in_plain_text_where_its_markup_is_refused(
    chat: Chat, album: list[str], fake_telegram: Any
) -> None:
    fake_telegram.answer("sendMediaGroup", http=400, description="Bad Request: can't parse entities: no", times=1)
    message = await plan_album(chat, *album)
    await chat.send(message)
    assert json.loads(fake_telegram.calls[1].params["media"])[0]["caption"] == "olá"
    assert chat.read(message).status == "sent"


@pytest.mark.gen_test
async def test_album_counts_as_many_messages_of_its_chat(chat: Chat, album: list[str], fake_telegram: Any) -> None:
    assert (await chat.send(await plan_album(chat, *album))).pause_ms == 0
    assert (await chat.send(await plan_album(chat, *album, *album))).pause_ms > 0


@pytest.mark.gen_test
async def test_call_waits_for_the_upload_of_another_process(
    app: Any, chat: Chat, stored: None, fake_telegram: Any
) -> None:
    key = {"account_id": chat.tenant.account_id, "bot_id": chat.tenant.bot_id, "sha256": SHA256, "form": "photo"}
    until = app.clock() + timedelta(seconds=media.CLAIM_SECONDS)
    assert await app.db.bot_files.claim(**key, until=until, now=app.clock())
    message = await plan_photo(chat)
    with pytest.raises(Again) as waits:
        await chat.send(message)
    assert (waits.value.spend, fake_telegram.calls) == (False, [])
    await app.db.bot_files.remember(**key, file_id="theirs", now=app.clock())
    await chat.send(message)
    assert [call.params["photo"] for call in fake_telegram.calls] == ["theirs"]


@pytest.mark.gen_test
async def test_call_uploads_when_the_other_process_has_died(
    app: Any, chat: Chat, stored: None, fake_telegram: Any
) -> None:
    key = {"account_id": chat.tenant.account_id, "bot_id": chat.tenant.bot_id, "sha256": SHA256, "form": "photo"}
    await app.db.bot_files.claim(**key, until=app.clock() + timedelta(seconds=media.CLAIM_SECONDS), now=app.clock())
    app.clock.move(seconds=media.CLAIM_SECONDS)
    await chat.send(await plan_photo(chat))
    assert [bool(call.files) for call in fake_telegram.calls] == [True]


@pytest.mark.gen_test
async def test_album_of_ids_and_files_keeps_each_in_its_place(chat: Chat, album: list[str], fake_telegram: Any) -> None:
    items = [{"type": "photo", "media": "known"}, {"type": "photo", "media": {"asset": album[0]}}]
    for _ in range(2):
        await chat.send(await chat.plan(method="sendMediaGroup", body={"media": items}))
    assert [read_album(call) for call in fake_telegram.calls] == [["known", "attach://file0"], ["known", "1280-2"]]
