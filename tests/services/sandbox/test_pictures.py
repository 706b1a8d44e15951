"""Pictures: uploaded, sent again by file_id, refused where Telegram would, shown on the page."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import pytest

from grimbots.services.sandbox.pictures import Picture, read
from grimbots.tests.services.sandbox.drivers import CHAT, Driver, Reply, ask


def make_png(width: int = 4, height: int = 3) -> bytes:
    """Give a grey PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\x80" * width for _ in range(min(height, 50))))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


async def upload(
    sandbox: Driver, content: bytes, field: str = "photo", method: str = "sendPhoto", **params: Any
) -> Reply:
    """Call a method as multipart."""
    edge = "edge1234"
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in ({"chat_id": CHAT} | params).items()
    ]
    head = f'--{edge}\r\nContent-Disposition: form-data; name="{field}"; filename="a.png"\r\n'
    parts.append(f"{head}Content-Type: image/png\r\n\r\n".encode() + content + f"\r\n--{edge}--\r\n".encode())
    url = f"{sandbox.server.url}/bot{sandbox.token}/{method}"
    return await ask(url, "POST", b"".join(parts), Content_Type=f"multipart/form-data; boundary={edge}")


@pytest.mark.gen_test
async def test_upload_gives_a_photo_that_can_be_sent_again(sandbox: Driver) -> None:
    await sandbox.say()
    sent = (await upload(sandbox, make_png(), caption="<b>Oi</b>", parse_mode="HTML")).json["result"]
    [photo] = sent["photo"]
    assert (photo["width"], photo["height"], photo["file_size"]) == (4, 3, len(make_png()))
    assert (sent["caption"], sent["caption_entities"]) == ("Oi", [{"type": "bold", "offset": 0, "length": 2}])
    again = await sandbox.call("sendPhoto", chat_id=CHAT, photo=photo["file_id"])
    assert again.json["result"]["photo"] == [photo]


@pytest.mark.gen_test
async def test_upload_may_be_attached_under_another_name(sandbox: Driver) -> None:
    await sandbox.say()
    sent = await upload(sandbox, make_png(), "qr", photo="attach://qr")
    assert sent.json["ok"] is True


@pytest.mark.gen_test
async def test_equal_uploads_share_the_unique_id_only(sandbox: Driver) -> None:
    await sandbox.say()
    first, second = [(await upload(sandbox, make_png())).json["result"]["photo"][0] for _ in range(2)]
    assert first["file_unique_id"] == second["file_unique_id"]
    assert first["file_id"] != second["file_id"]


@pytest.mark.gen_test
async def test_file_id_of_another_bot_is_refused(sandbox: Driver) -> None:
    await sandbox.say()
    photo = (await upload(sandbox, make_png())).json["result"]["photo"][0]
    other = Driver(sandbox.server, await sandbox.make_bot("outra_bot"), "outra_bot")
    await other.say()
    reply = await other.call("sendPhoto", chat_id=CHAT, photo=photo["file_id"])
    assert reply.json["description"] == "Bad Request: wrong file_id or the file is temporarily unavailable"


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("photo", "description"),
    [
        ("", "there is no photo in the request"),
        ("https://a.b/c.png", "failed to get HTTP URL content"),
        ("AgADxxx", "wrong remote file identifier specified: can't unserialize it"),
    ],
)
async def test_photo_that_is_nothing_is_refused(sandbox: Driver, photo: str, description: str) -> None:
    await sandbox.say()
    reply = await sandbox.call("sendPhoto", chat_id=CHAT, photo=photo)
    assert (reply.status, reply.json["description"]) == (400, f"Bad Request: {description}")


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("content", "status", "description"),
    [
        (b"hello", 400, "Bad Request: IMAGE_PROCESS_FAILED"),
        (make_png(9000, 1001), 400, "Bad Request: PHOTO_INVALID_DIMENSIONS"),
        (make_png(100, 4), 400, "Bad Request: PHOTO_INVALID_DIMENSIONS"),
        (make_png() + b"x" * 10_000_000, 413, "Request Entity Too Large"),
    ],
)
async def test_upload_of_no_picture_is_refused(sandbox: Driver, content: bytes, status: int, description: str) -> None:
    await sandbox.say()
    reply = await upload(sandbox, content)
    assert (reply.status, reply.json["description"]) == (status, description)


@pytest.mark.gen_test
@pytest.mark.parametrize(("size", "ok"), [(1024, True), (1025, False)])
async def test_caption_is_measured_after_parsing(sandbox: Driver, size: int, ok: bool) -> None:
    await sandbox.say()
    reply = await upload(sandbox, make_png(), caption=f"<b>{'x' * size}</b>", parse_mode="HTML")
    assert reply.json["ok"] is ok
    assert ok or reply.json["description"] == "Bad Request: message caption is too long"


@pytest.mark.gen_test
async def test_caption_is_edited_and_removed(sandbox: Driver) -> None:
    await sandbox.say()
    sent = (await upload(sandbox, make_png(), caption="antes")).json["result"]
    edit = {"chat_id": CHAT, "message_id": sent["message_id"]}
    assert (await sandbox.call("editMessageCaption", caption="depois", **edit)).json["result"]["caption"] == "depois"
    assert "caption" not in (await sandbox.call("editMessageCaption", **edit)).json["result"]


@pytest.mark.gen_test
async def test_picture_is_shown_as_what_it_is(sandbox: Driver) -> None:
    await sandbox.say()
    photo = (await upload(sandbox, make_png())).json["result"]["photo"][0]
    shown = await ask(f"{sandbox.server.url}/sandbox/files/{photo['file_id']}")
    assert (shown.status, shown.body) == (200, make_png())
    assert shown.headers["Content-Type"] == "image/png"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert (await ask(f"{sandbox.server.url}/sandbox/files/nothing")).status == 404


@pytest.mark.parametrize(
    ("content", "picture"),
    [
        (make_png(7, 5), Picture("image/png", 7, 5)),
        (b"GIF89a\x07\x00\x05\x00", Picture("image/gif", 7, 5)),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc2\x00\x0b\x08\x00\x05\x00\x07", Picture("image/jpeg", 7, 5)),
        (b"RIFF....WEBPVP8X" + b"." * 8 + b"\x06\0\0\x04\0\0", Picture("image/webp", 7, 5)),
        (b"RIFF....WEBPVP8 " + b"." * 10 + b"\x07\0\x05\0", Picture("image/webp", 7, 5)),
        (b"RIFF....WEBPVP8L" + b"." * 5 + (6 | 4 << 14).to_bytes(4, "little") + b"." * 5, Picture("image/webp", 7, 5)),
        (b"", None),
        (b"\xff\xd8\xff", None),
        (b"\xff\xd8\xff\xda\x00\x02", None),
    ],
)
def test_read_knows_the_kinds_of_pictures(content: bytes, picture: Picture | None) -> None:
    assert read(content) == picture
