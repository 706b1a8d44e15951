"""Telegram's HTML: read into plain text and entities, refused with the server's own words. Offsets count UTF-16 units.

Sources: core.telegram.org/bots/api, "HTML style"; tdlib/td, MessageEntity.cpp (parse_html); recorded answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from grimbots.services.sandbox.refusals import Refusal

Entity = dict[str, Any]

STYLES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
TOKEN = re.compile(
    r"""
    <(?P<slash>/?)(?P<name>[^\s>]*+)(?P<attributes>(?:[^>"']|"[^"]*"|'[^']*')*+)>
    | (?P<broken><)
    | &(?P<sign>\#\d+|\#x[0-9a-fA-F]+|lt|gt|amp|quot);?
    """,
    re.VERBOSE,
)
SIGN = re.compile(r"&(#\d+|#x[0-9a-fA-F]+|lt|gt|amp|quot);?")
ATTRIBUTE = re.compile(r"([a-zA-Z-]+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'>]+))?")
LINK = re.compile(r"(https?|tg|mailto|tel):\S+", re.IGNORECASE)
FOUND = re.compile(
    r"(?P<bot_command>(?<![\w/])/[A-Za-z0-9_]{1,64}(?:@\w+)?)|(?P<url>https?://[^\s<>\"]*[^\s<>\".,;:!?')\]])"
)


@dataclass(slots=True)
class _Tag:
    name: str
    offset: int
    attributes: dict[str, str] = field(default_factory=dict)


def utf16_length(text: str) -> int:
    """Count as Telegram counts: one emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """Read HTML into plain text and its entities.

    Raises:
        Refusal: "can't parse entities", with the byte offset.
    """
    text, position = "", 0
    open_tags: list[_Tag] = []
    entities: list[Entity] = []
    for token in TOKEN.finditer(source):
        text += source[position : token.start()]
        position = token.end()
        if token["broken"]:
            raise _refuse(f"Unclosed start tag at byte offset {_bytes(source, token.start())}")
        if token["sign"]:
            text += _sign(token["sign"])
        elif token["slash"]:
            entity = _close(open_tags, token["name"].lower(), utf16_length(text), _bytes(source, token.start()))
            entities += [entity] if entity else []
        else:
            open_tags.append(_open(token, utf16_length(text), _bytes(source, token.start())))
    text += source[position:]
    if open_tags:
        raise _refuse(f'Can\'t find end tag corresponding to start tag "{open_tags[-1].name}"')
    return trim(text, entities)


def find_entities(text: str, taken: list[Entity] | None = None) -> list[Entity]:
    """Give `taken` and what Telegram finds by itself: commands and web addresses outside of code and links."""
    closed = [entity for entity in taken or [] if entity["type"] in {"code", "pre", "text_link"}]
    found = [
        {"type": match.lastgroup, "offset": utf16_length(text[: match.start()]), "length": utf16_length(match[0])}
        for match in FOUND.finditer(text)
    ]
    free = [entity for entity in found if not any(_overlap(entity, other) for other in closed)]
    return sorted([*(taken or []), *free], key=lambda entity: (entity["offset"], -entity["length"]))


def trim(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Drop white space around the text, as Telegram does, and move the entities along."""
    shift = utf16_length(text) - utf16_length(text.lstrip())
    stripped = text.strip()
    size = utf16_length(stripped)
    kept = []
    for entity in entities:
        start, end = max(entity["offset"] - shift, 0), min(entity["offset"] + entity["length"] - shift, size)
        if end > start:
            kept.append(entity | {"offset": start, "length": end - start})
    return stripped, sorted(kept, key=lambda entity: (entity["offset"], -entity["length"]))


def _open(token: re.Match[str], offset: int, at: int) -> _Tag:
    name = token["name"].lower()
    if name not in STYLES:
        raise _refuse(f'Unsupported start tag "{name}" at byte offset {at}')
    attributes = {match[1].lower(): _read_value(match[2] or "") for match in ATTRIBUTE.finditer(token["attributes"])}
    if name == "span" and attributes.get("class") != "tg-spoiler":
        raise _refuse(f'Tag "span" must have class "tg-spoiler" at byte offset {at}')
    return _Tag(name, offset, attributes)


def _close(open_tags: list[_Tag], name: str, offset: int, at: int) -> Entity | None:
    if not open_tags:
        raise _refuse(f"Unexpected end tag at byte offset {at}")
    tag = open_tags.pop()
    if name and name != tag.name:
        raise _refuse(f'Unmatched end tag at byte offset {at}, expected "</{tag.name}>", found "</{name}>"')
    if tag.name == "code" and open_tags and open_tags[-1].name == "pre" and "class" in tag.attributes:
        open_tags[-1].attributes["language"] = tag.attributes["class"].removeprefix("language-")
        return None
    if offset == tag.offset or (tag.name == "a" and not LINK.match(tag.attributes.get("href", ""))):
        return None
    entity = {"type": STYLES[tag.name], "offset": tag.offset, "length": offset - tag.offset}
    return entity | _extras(tag)


def _extras(tag: _Tag) -> Entity:
    if tag.name == "a":
        return {"url": tag.attributes["href"]}
    if tag.name == "pre" and "language" in tag.attributes:
        return {"language": tag.attributes["language"]}
    if tag.name == "tg-emoji":
        return {"custom_emoji_id": tag.attributes.get("emoji-id", "")}
    if tag.name == "blockquote" and "expandable" in tag.attributes:
        return {"type": "expandable_blockquote"}
    return {}


def _read_value(raw: str) -> str:
    return SIGN.sub(lambda match: _sign(match[1]), raw.strip("\"'"))


def _sign(sign: str) -> str:
    if not sign.startswith("#"):
        return NAMED[sign]
    code = int(sign[2:], 16) if sign[1] == "x" else int(sign[1:])  # noqa: FURB166
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else f"&{sign};"


def _bytes(source: str, index: int) -> int:
    return len(source[:index].encode("utf-8", "surrogatepass"))


def _overlap(one: Entity, other: Entity) -> bool:
    start, end = other["offset"], other["offset"] + other["length"]
    return bool(one["offset"] < end and start < one["offset"] + one["length"])


def _refuse(message: str) -> Refusal:
    return Refusal(400, f"Bad Request: can't parse entities: {message}")
