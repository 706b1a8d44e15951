"""Texts and captions of a call: read with their markup, measured, refused as Telegram refuses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grimbots.services.sandbox import markup
from grimbots.services.sandbox.refusals import Refusal
from grimbots.services.sandbox.registry import Call

TEXT_LIMIT, CAPTION_LIMIT = 4096, 1024
SOURCE_LIMIT = 1 << 16  # markup included
ENTITY_TYPES = {
    *markup.STYLES.values(),
    "expandable_blockquote",
    "mention",
    "hashtag",
    "cashtag",
    "bot_command",
    "url",
    "email",
    "phone_number",
    "text_mention",
}


def read_text(call: Call) -> dict[str, Any]:
    """Give `text` and `entities` of a Message.

    Raises:
        Refusal: empty, over 4096 characters after parsing, or bad markup.
    """
    text, entities = _parse(call.params, "text", "entities")
    if not text:
        raise Refusal(400, "Bad Request: message text is empty")
    if markup.utf16_length(text) > TEXT_LIMIT:
        raise Refusal(400, "Bad Request: message is too long")
    return {"text": text} | ({"entities": entities} if entities else {})


def read_caption(call: Call) -> dict[str, Any]:
    """Give `caption` and `caption_entities` of a Message, if there is one.

    Raises:
        Refusal: over 1024 characters after parsing, or bad markup.
    """
    text, entities = _parse(call.params, "caption", "caption_entities")
    if markup.utf16_length(text) > CAPTION_LIMIT:
        raise Refusal(400, "Bad Request: message caption is too long")
    if not text:
        return {}
    return {"caption": text} | ({"caption_entities": entities} if entities else {})


def _parse(params: Mapping[str, Any], name: str, entities_name: str) -> tuple[str, list[markup.Entity]]:
    source = params.get(name, "")
    if len(source) > SOURCE_LIMIT:
        raise Refusal(400, "Bad Request: message is too long")
    mode = params.get("parse_mode", "").lower()
    if mode not in {"", "none", "html"}:
        raise Refusal(400, "Bad Request: unsupported parse_mode")
    if mode == "html":
        text, entities = markup.parse_html(source)
    else:
        text, entities = markup.trim(source, _check_entities(params.get(entities_name), source))
    return text, markup.find_entities(text, entities)


def _check_entities(given: Any, text: str) -> list[markup.Entity]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(entity, dict) for entity in given):
        raise Refusal(400, "Bad Request: expected an Array of MessageEntity")
    size = markup.utf16_length(text)
    for entity in given:
        _check_entity(entity, size)
    return given


def _check_entity(entity: Mapping[str, Any], size: int) -> None:
    if entity.get("type") not in ENTITY_TYPES:
        raise Refusal(400, "Bad Request: can't parse MessageEntity: Unsupported type specified")
    offset, length = entity.get("offset"), entity.get("length")
    if not isinstance(offset, int) or not isinstance(length, int):
        raise Refusal(400, 'Bad Request: can\'t parse MessageEntity: Field "offset" must be of type Number')
    if offset < 0:
        raise Refusal(400, f"Bad Request: receive an entity with incorrect offset {offset}")
    if length < 0:
        raise Refusal(400, f"Bad Request: receive an entity with incorrect length {length}")
    if offset >= size:
        raise Refusal(400, f"Bad Request: entity begins after the end of the text at UTF-16 offset {offset}")
    if offset + length > size:
        where = f"at UTF-16 offset {offset} ends after the end of the text at UTF-16 offset {offset + length}"
        raise Refusal(400, f"Bad Request: entity beginning {where}")
