"""Pictures bots send: kept per bot, found again by file_id, refused where Telegram would."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from grimbots.services.sandbox.refusals import Refusal
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

# Source: Bot API, sendPhoto.
LIMIT_BYTES, LIMIT_SIDES, LIMIT_RATIO = 10_000_000, 10_000, 20


@dataclass(frozen=True, slots=True)
class Picture:
    """What the head of a file says it is; sizes in pixels."""

    content_type: str
    width: int
    height: int


def keep(sandbox: Sandbox, bot: Row, content: bytes) -> dict[str, Any]:
    """Store an uploaded picture; give its PhotoSize. Each upload has its own file_id; equal bytes share the unique id.

    Raises:
        Refusal: too big, not a picture, or of impossible shape.
    """
    if len(content) > LIMIT_BYTES:
        raise Refusal(413, "Request Entity Too Large")
    picture = read(content)
    if picture is None:
        raise Refusal(400, "Bad Request: IMAGE_PROCESS_FAILED")
    if _is_misshapen(picture):
        raise Refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
    file_id = f"AgACAgEAAxkB{secrets.token_urlsafe(36)}"
    sandbox.store.run(
        """
        INSERT INTO files (id, bot_id, unique_id, content_type, width, height, content)
        VALUES (:id, :bot_id, :unique_id, :content_type, :width, :height, :content)
        """,
        id=file_id,
        bot_id=bot["id"],
        unique_id=f"AQAD{base64.urlsafe_b64encode(hashlib.sha256(content).digest()[:9]).decode()}",
        content_type=picture.content_type,
        width=picture.width,
        height=picture.height,
        content=content,
    )
    return find(sandbox, bot, file_id)


def find(sandbox: Sandbox, bot: Row, file_id: str) -> dict[str, Any]:
    """Give the PhotoSize of a file this bot has sent before.

    Raises:
        Refusal: no such file, or another bot's.
    """
    row = sandbox.store.find("SELECT *, length(content) AS size FROM files WHERE id = :file_id", file_id=file_id)
    if row is None:
        raise Refusal(400, "Bad Request: wrong remote file identifier specified: can't unserialize it")
    if row["bot_id"] != bot["id"]:
        raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
    return {
        "file_id": row["id"],
        "file_unique_id": row["unique_id"],
        "width": row["width"],
        "height": row["height"],
        "file_size": row["size"],
    }


def read(content: bytes) -> Picture | None:
    """Read a picture's kind and size out of its first bytes; None for anything but PNG, JPEG, GIF and WebP."""
    if content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) >= 24:
        return Picture("image/png", int.from_bytes(content[16:20]), int.from_bytes(content[20:24]))
    if content[:6] in {b"GIF87a", b"GIF89a"} and len(content) >= 10:
        return Picture("image/gif", int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little"))
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP" and len(content) >= 30:
        return _read_webp(content)
    return _read_jpeg(content) if content[:2] == b"\xff\xd8" else None


def _read_jpeg(content: bytes) -> Picture | None:
    """Walk the segments to the frame header (SOF0 to SOF15, but for the tables among them)."""
    position = 2
    while position + 9 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = content[position + 5 : position + 7], content[position + 7 : position + 9]
            return Picture("image/jpeg", int.from_bytes(width), int.from_bytes(height))
        position += 2 + int.from_bytes(content[position + 2 : position + 4])
    return None


def _read_webp(content: bytes) -> Picture | None:
    if content[12:16] == b"VP8X":
        return Picture(
            "image/webp", int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
        )
    if content[12:16] == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return Picture("image/webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if content[12:16] == b"VP8 ":
        width, height = int.from_bytes(content[26:28], "little"), int.from_bytes(content[28:30], "little")
        return Picture("image/webp", width & 0x3FFF, height & 0x3FFF)
    return None


def _is_misshapen(picture: Picture) -> bool:
    short, long = sorted((picture.width, picture.height))
    return short < 1 or short + long > LIMIT_SIDES or long > short * LIMIT_RATIO
