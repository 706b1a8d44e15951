"""The Bot API methods that put films, sounds, files and albums into a chat.

Source of the refusals: tdlib/td, FileManager.cpp (check_input_file_id), MessagesManager.cpp (send_message_group).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from grimbots.services.sandbox import pictures, texts
from grimbots.services.sandbox.refusals import Refusal
from grimbots.services.sandbox.registry import Call, Upload, method
from grimbots.services.sandbox.sending import HOW, TO, find_chat, find_picture, send
from grimbots.services.sandbox.store import Row

LIMIT_BYTES = 50_000_000
ALBUM_LEAST, ALBUM_MOST = 2, 10
ATTACHED = "attach://"
CAPTION = "caption parse_mode caption_entities:json"
SIZES = "duration:integer width:integer height:integer"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file is sent as: the beginning of its file ids, as Telegram's begin, and its parameters besides."""

    title: str
    prefix: str
    options: str = ""
    measures: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = {
    "video": Kind(
        "Video",
        "BAACAgEAAxkD",
        f"{SIZES} thumbnail:file cover:file start_timestamp:integer show_caption_above_media:boolean"
        " has_spoiler:boolean supports_streaming:boolean",
        ("width", "height", "duration"),
    ),
    "animation": Kind(
        "Animation",
        "CgACAgEAAxkD",
        f"{SIZES} thumbnail:file show_caption_above_media:boolean has_spoiler:boolean",
        ("width", "height", "duration"),
    ),
    "video_note": Kind(
        "VideoNote", "DQACAgEAAxkD", "duration:integer length:integer thumbnail:file", ("length", "duration")
    ),
    "voice": Kind("VoiceNote", "AwACAgEAAxkD", "duration:integer", ("duration",)),
    "audio": Kind("Audio", "CQACAgEAAxkD", "duration:integer performer title thumbnail:file", ("duration",)),
    "document": Kind("Document", "BQACAgEAAxkD", "thumbnail:file disable_content_type_detection:boolean"),
}
TYPES = {
    b"OggS": "audio/ogg",
    b"ID3": "audio/mpeg",
    b"\xff\xfb": "audio/mpeg",
    b"GIF8": "image/gif",
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"%PDF": "application/pdf",
    b"PK\x03\x04": "application/zip",
}
HOMOGENEOUS = {"audio": "Audio", "document": "Document"}  # in an album only among their like


def _make_sender(kind: str) -> Callable[[Call], dict[str, Any]]:
    def send_one(call: Call) -> dict[str, Any]:
        find_chat(call)
        return send(call, texts.read_caption(call) | _find_file(call, kind, call.params.get(kind, "")))

    return send_one


for name, described in KINDS.items():
    spoken = "" if name == "video_note" else CAPTION  # a round film bears no text
    method(f"send{name.title().replace('_', '')}", f"{TO} {name}:file {spoken} {described.options} {HOW}")(
        _make_sender(name)
    )


@method(
    "sendMediaGroup",
    "business_connection_id chat_id message_thread_id:integer direct_messages_topic_id:integer media:json"
    " disable_notification:boolean protect_content:boolean allow_paid_broadcast:boolean message_effect_id"
    " reply_parameters:json",
)
def send_media_group(call: Call) -> list[dict[str, Any]]:
    """Put an album into a chat: all of it, or nothing."""
    find_chat(call)
    items = _read_album(call.params.get("media"))
    contents = [_read_item(call, place, item) for place, item in enumerate(items, 1)]
    group = str(secrets.randbits(63))
    return [send(call, {"media_group_id": group} | content) for content in contents]


def _read_album(media: Any) -> list[Mapping[str, Any]]:
    if not isinstance(media, list) or not all(isinstance(item, dict) for item in media):
        raise Refusal(400, "Bad Request: expected an Array of InputMedia")
    if len(media) < ALBUM_LEAST:
        raise Refusal(400, f"Bad Request: an album has {ALBUM_LEAST} items or more")
    if len(media) > ALBUM_MOST:
        raise Refusal(400, "Bad Request: too many messages to send as an album")
    types = {item.get("type") for item in media}
    if not types <= {"photo", "video", "audio", "document"}:
        raise Refusal(400, "Bad Request: can't parse InputMedia: type must be one of audio, document, photo and video")
    for alone, title in HOMOGENEOUS.items():
        if alone in types and len(types) > 1:
            raise Refusal(400, f"Bad Request: {title} can't be mixed with other media types")
    return media


def _read_item(call: Call, place: int, item: Mapping[str, Any]) -> dict[str, Any]:
    """Give an item's message content.

    Raises:
        Refusal: Telegram's own, in the words an album wraps around it.
    """
    given = item.get("media")
    if not isinstance(given, str):
        raise Refusal(400, "Bad Request: can't parse InputMedia: media not found")
    inner = replace(call, params=item)
    try:
        if item["type"] == "photo":
            return texts.read_caption(inner) | {"photo": [find_picture(call, given)]}
        return texts.read_caption(inner) | _find_file(call, item["type"], given)
    except Refusal as refusal:
        reason = refusal.description.removeprefix("Bad Request: ")
        text = f'Bad Request: failed to send message #{place} with the error message "{reason}"'
        raise Refusal(refusal.http, text) from refusal


def _find_file(call: Call, kind: str, given: str) -> dict[str, Any]:
    """Give what a message shows: a file uploaded now, or again by its file_id."""
    field = given.removeprefix(ATTACHED) if given.startswith(ATTACHED) else kind
    if (given.startswith(ATTACHED) or not given) and field in call.files:
        return _describe(call, kind, _keep(call, kind, call.files[field]))
    if not given or given.startswith(ATTACHED):
        raise Refusal(400, f"Bad Request: there is no {kind} in the request")
    if given.startswith(("http://", "https://")):
        raise Refusal(400, "Bad Request: failed to get HTTP URL content")
    return _describe(call, kind, _find(call, kind, given))


def _keep(call: Call, kind: str, upload: Upload) -> Row:
    if len(upload) > LIMIT_BYTES:
        raise Refusal(413, "Request Entity Too Large")
    if not upload:
        raise Refusal(400, "Bad Request: file must be non-empty")
    file_id = KINDS[kind].prefix + secrets.token_urlsafe(36)
    call.sandbox.store.run(
        """
        INSERT INTO media (id, bot_id, kind, unique_id, content_type, name, content)
        VALUES (:id, :bot_id, :kind, :unique_id, :content_type, :name, :content)
        """,
        id=file_id,
        bot_id=call.bot["id"],
        kind=kind,
        unique_id=f"AgAD{base64.urlsafe_b64encode(hashlib.sha256(upload).digest()[:9]).decode()}",
        content_type=_tell_type(upload, kind),
        name=upload.name,
        content=upload,
    )
    return _find(call, kind, file_id)


def _find(call: Call, kind: str, file_id: str) -> Row:
    """Find a file this bot has sent. What is no photo may be sent as anything that is none, and stays what it is."""
    row = call.sandbox.store.find(
        """
        SELECT id, bot_id, kind, unique_id, content_type, name, length(content) AS size
        FROM media
        WHERE id = :file_id
        """,
        file_id=file_id,
    )
    if row is None:
        pictures.find(call.sandbox, call.bot, file_id)  # refuses what is nothing at all, or another bot's
        raise Refusal(400, f"Bad Request: can't use file of type Photo as {KINDS[kind].title}")
    if row["bot_id"] != call.bot["id"]:
        raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
    return row


def _describe(call: Call, kind: str, row: Row) -> dict[str, Any]:
    """Give a file as a Message holds it; an animation is a document as well, for old clients."""
    shown = row["kind"]
    file = {"file_id": row["id"], "file_unique_id": row["unique_id"], "file_size": row["size"]}
    named = {} if shown == "voice" or not row["name"] else {"file_name": row["name"]}
    measures = {name: int(call.params.get(name) or 1) for name in KINDS[shown].measures}
    if shown == "video_note":
        return {shown: file | measures}
    whole = file | {"mime_type": row["content_type"]} | named
    return {shown: whole | measures} | ({"document": whole} if shown == "animation" else {})


def _tell_type(content: bytes, kind: str) -> str:
    """Tell a content type by the first bytes; nothing a browser would run."""
    if content[4:8] == b"ftyp":
        return "audio/mp4" if kind in {"audio", "voice"} else "video/mp4"
    return next(
        (found for beginning, found in TYPES.items() if content.startswith(beginning)), "application/octet-stream"
    )
