"""Films, sounds, files and albums: sent by our own client, sent again by their ids, refused, shown on the page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grimbots.services.clients.telegram import Answer, File, TelegramClient
from grimbots.tests.fakes.bot_api import find_mistakes
from grimbots.tests.services.sandbox.drivers import CHAT, Driver, ask
from grimbots.tests.services.sandbox.test_pictures import make_png

MP4, MP3, PDF = b"\0\0\0\x18ftypisom", b"ID3 sound", b"%PDF-1.7 book"
CONTENTS = {"video": MP4, "animation": b"GIF89a\x01\0\x01\0", "voice": b"OggS voice", "audio": MP3, "document": PDF}
TYPES = {
    "video": "video/mp4",
    "animation": "image/gif",
    "voice": "audio/ogg",
    "audio": "audio/mpeg",
    "document": "application/pdf",
}


@pytest.fixture
def telegram(http: Any, sandbox: Driver) -> TelegramClient:
    return TelegramClient(http, sandbox.server.url)


async def upload(telegram: TelegramClient, sandbox: Driver, kind: str, content: bytes, **params: Any) -> Answer:
    """Send one file as the bot."""
    files = {kind: File("Início.bin", content, "application/octet-stream")}
    return await telegram.call(sandbox.token, f"send{kind.title()}", {"chat_id": CHAT, **params}, files)


async def send_album(telegram: TelegramClient, sandbox: Driver, *items: dict[str, Any], **files: bytes) -> Answer:
    """Send an album as the bot."""
    attached = {name: File(name, content, "image/png") for name, content in files.items()}
    return await telegram.call(sandbox.token, "sendMediaGroup", {"chat_id": CHAT, "media": list(items)}, attached)


@pytest.mark.gen_test
async def test_a_round_film_is_kept_and_bears_no_text(telegram: TelegramClient, sandbox: Driver) -> None:
    await sandbox.say()
    files = {"video_note": File("a.mp4", MP4, "video/mp4")}
    params = {"chat_id": CHAT, "length": 240, "caption": "Oi"}
    sent = (await telegram.call(sandbox.token, "sendVideoNote", params, files)).result
    assert find_mistakes(sent, "Message") == []
    assert "caption" not in sent and "mime_type" not in sent["video_note"]
    again = await sandbox.call("sendVideoNote", chat_id=CHAT, video_note=sent["video_note"]["file_id"])
    assert again.json["result"]["video_note"]["file_size"] == len(MP4)
    shown = await ask(f"{sandbox.server.url}/sandbox/files/{sent['video_note']['file_id']}")
    assert (shown.body, shown.headers["Content-Type"]) == (MP4, "video/mp4")


@pytest.mark.gen_test
@pytest.mark.parametrize("kind", CONTENTS)
async def test_file_of_each_kind_is_kept_sent_again_and_shown(
    telegram: TelegramClient, sandbox: Driver, kind: str
) -> None:
    await sandbox.say()
    sent = (await upload(telegram, sandbox, kind, CONTENTS[kind], caption="<b>Oi</b>", parse_mode="HTML")).result
    assert find_mistakes(sent, "Message") == []
    file = sent[kind]
    assert (sent["caption"], file["mime_type"], file["file_size"]) == ("Oi", TYPES[kind], len(CONTENTS[kind]))
    assert file.get("file_name") == (None if kind == "voice" else "Início.bin")
    again = await sandbox.call(f"send{kind.title()}", chat_id=CHAT, **{kind: file["file_id"]})
    assert again.json["result"][kind]["file_id"] == file["file_id"]
    shown = await ask(f"{sandbox.server.url}/sandbox/files/{file['file_id']}")
    assert (shown.body, shown.headers["Content-Type"]) == (CONTENTS[kind], TYPES[kind])


@pytest.mark.gen_test
async def test_album_is_several_messages_of_one_group(telegram: TelegramClient, sandbox: Driver) -> None:
    await sandbox.say()
    items = [
        {"type": "photo", "media": "attach://a", "caption": "<i>Oi</i>", "parse_mode": "HTML"},
        {"type": "video", "media": "attach://b"},
    ]
    first, second = (await send_album(telegram, sandbox, *items, a=make_png(), b=MP4)).result
    assert (first["caption"], "photo" in first, "video" in second) == ("Oi", True, True)
    assert first["media_group_id"] == second["media_group_id"]
    assert find_mistakes([first, second], "Array of Message") == []
    assert second["message_id"] == first["message_id"] + 1
    ids = [
        {"type": "photo", "media": first["photo"][0]["file_id"]},
        {"type": "video", "media": second["video"]["file_id"]},
    ]
    again = await sandbox.call("sendMediaGroup", chat_id=CHAT, media=ids)
    assert [message["message_id"] for message in again.json["result"]] == [4, 5]


def item(kind: str = "photo", media: Any = "attach://a") -> dict[str, Any]:
    return {"type": kind, "media": media}


UNKNOWN = "wrong remote file identifier specified: can't unserialize it"


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("items", "description"),
    [
        ("x", "can't parse media JSON object"),
        ([1, 2], "expected an Array of InputMedia"),
        ([item()], "an album has 2 items or more"),
        ([item()] * 11, "too many messages to send as an album"),
        ([item(), item("voice")], "can't parse InputMedia: type must be one of audio, document, photo and video"),
        ([item(), item("audio")], "Audio can't be mixed with other media types"),
        ([item("video"), item("document")], "Document can't be mixed with other media types"),
        ([item(), item(media=7)], "can't parse InputMedia: media not found"),
        ([item(), item(media="AgADxxx")], f'failed to send message #2 with the error message "{UNKNOWN}"'),
    ],
)
async def test_album_of_wrong_items_is_refused_whole(
    telegram: TelegramClient, sandbox: Driver, items: Any, description: str
) -> None:
    await sandbox.say()
    media = items if isinstance(items, str) else json.dumps(items)
    files = {"a": File("a.png", make_png(), "image/png")}
    answer = await telegram.call(sandbox.token, "sendMediaGroup", {"chat_id": CHAT, "media": media}, files)
    assert (answer.http, answer.description) == (400, f"Bad Request: {description}")
    assert len((await sandbox.chat("messages?after=0")).json) == 1


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({}, "there is no document in the request"),
        ({"document": "https://a.b/c.pdf"}, "failed to get HTTP URL content"),
        ({"document": "BQADxxx"}, UNKNOWN),
        ({"document": "attach://nothing"}, "there is no document in the request"),
    ],
)
async def test_file_that_is_nothing_is_refused(sandbox: Driver, params: dict[str, str], description: str) -> None:
    await sandbox.say()
    reply = await sandbox.call("sendDocument", chat_id=CHAT, **params)
    assert (reply.status, reply.json["description"]) == (400, f"Bad Request: {description}")


@pytest.mark.gen_test
async def test_photo_is_no_document_but_a_film_may_be(telegram: TelegramClient, sandbox: Driver) -> None:
    await sandbox.say()
    photo = (await upload(telegram, sandbox, "photo", make_png())).result["photo"][0]["file_id"]
    film = (await upload(telegram, sandbox, "video", MP4)).result["video"]["file_id"]
    refused = await sandbox.call("sendDocument", chat_id=CHAT, document=photo)
    assert refused.json["description"] == "Bad Request: can't use file of type Photo as Document"
    assert "video" in (await sandbox.call("sendDocument", chat_id=CHAT, document=film)).json["result"]


@pytest.mark.gen_test
async def test_file_of_another_bot_is_refused(telegram: TelegramClient, sandbox: Driver) -> None:
    await sandbox.say()
    film = (await upload(telegram, sandbox, "video", MP4)).result["video"]["file_id"]
    other = Driver(sandbox.server, await sandbox.make_bot("outra_bot"), "outra_bot")
    await other.say()
    reply = await other.call("sendVideo", chat_id=CHAT, video=film)
    assert reply.json["description"] == "Bad Request: wrong file_id or the file is temporarily unavailable"


@pytest.mark.gen_test
@pytest.mark.parametrize(("size", "ok"), [(50_000_000, True), (50_000_001, False)])
async def test_file_is_held_to_its_limit(telegram: TelegramClient, sandbox: Driver, size: int, ok: bool) -> None:
    await sandbox.say()
    answer = await upload(telegram, sandbox, "document", bytes(size))
    assert (answer.kind == "ok") is ok


@pytest.mark.gen_test
async def test_empty_file_is_refused(telegram: TelegramClient, sandbox: Driver) -> None:
    await sandbox.say()
    answer = await upload(telegram, sandbox, "voice", b"")
    assert answer.description == "Bad Request: file must be non-empty"
