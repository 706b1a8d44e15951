"""Bodies: what is to be said as Bot API calls, one message each, every one within Telegram's limits.

The check (check.py) is strict about what a seller writes; what variables make too long is split here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from grimbots.services.funnels.media import ALBUM_METHOD, KINDS
from grimbots.services.funnels.splitting import MAX_CAPTION_UNITS, MAX_TEXT_UNITS, fits, is_blank, split

MARKUP = {"parse_mode": "HTML"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A file as a body holds it: {"asset": "<sha256>"}, with the "name" its reader sees if there is one; or {"qr"}; or
    the address that Telegram fetches it from.

    One that `follows` is a message of its own behind all that is said.
    """

    kind: str
    file: Mapping[str, str] | str
    follows: bool = False

    def write(self) -> dict[str, str] | str:
        """Give the body's value."""
        return self.file if isinstance(self.file, str) else dict(self.file)


@dataclass(frozen=True, slots=True)
class Call:
    """A Bot API call but for its chat_id. One that `follows` bears neither the text nor the buttons."""

    method: str
    body: Mapping[str, Any]
    follows: bool = False


def compose(html: str, media: Sequence[Shown], rows: Sequence[Mapping[str, Any]]) -> list[Call]:
    """Say `html` with `media` (one, or an album) and buttons, one a row.

    The text is the caption where it fits there: no album has buttons, so with buttons an album's text follows it. A
    text too long for a caption, or beside what takes none, follows what is shown; the buttons are on the last message,
    and what follows by itself comes behind that.
    """
    shown = [one for one in media if not one.follows]
    behind = [replace(_show([one], {}, {}), follows=True) for one in media if one.follows]
    return [*_compose(html, shown, rows), *behind]


def _compose(html: str, media: Sequence[Shown], rows: Sequence[Mapping[str, Any]]) -> list[Call]:
    keyboard = {"reply_markup": {"inline_keyboard": [[dict(row)] for row in rows]}} if rows else {}
    if not media:
        return _write_texts(html, keyboard)
    if is_blank(html):
        return [_show(media, {}, keyboard)]
    if not fits(html, MAX_CAPTION_UNITS) or not KINDS[media[0].kind].has_caption or (len(media) > 1 and rows):
        return [_show(media, {}, {}), *_write_texts(html, keyboard)]
    return [_show(media, {"caption": html, **MARKUP}, keyboard)]


def _show(media: Sequence[Shown], caption: Mapping[str, Any], keyboard: Mapping[str, Any]) -> Call:
    if len(media) > 1:
        items = [{"type": shown.kind, "media": shown.write(), **_options(shown.kind)} for shown in media]
        return Call(ALBUM_METHOD, {"media": [{**items[0], **caption}, *items[1:]]})
    (shown,) = media
    return Call(KINDS[shown.kind].method, {shown.kind: shown.write(), **caption, **_options(shown.kind), **keyboard})


def _options(kind: str) -> dict[str, Any]:
    return {"supports_streaming": True} if kind == "video" else {}


def _write_texts(html: str, keyboard: Mapping[str, Any]) -> list[Call]:
    """Split a text; a part of nothing but spaces is left out: Telegram would refuse it."""
    parts = [part for part in split(html, MAX_TEXT_UNITS) if not is_blank(part)] or [html]
    bodies: list[dict[str, Any]] = [{"text": part, **MARKUP} for part in parts]
    return [Call("sendMessage", body) for body in (*bodies[:-1], {**bodies[-1], **keyboard})]
