"""Split Telegram's HTML into parts that each keep within a limit. Pure and total.

Telegram counts UTF-16 units of what is left without the markup. A part is well-formed by itself: what is open at a cut
is closed before it and opened again behind it. Nothing is cut in two: no tag, no entity (&amp;), no character. Parts
end at a line's end or a space where one is near; put together, their texts are the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape

from grimbots.services.funnels.texts import count_units

MAX_TEXT_UNITS, MAX_CAPTION_UNITS = 4096, 1024  # after parsing (Bot API: sendMessage, sendPhoto)
# Of named entities Telegram knows these four; any other is shown as it is written.
TOKEN = re.compile(
    r"(?P<tag></?[a-zA-Z][^<>]*>)|(?P<sign>&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|lt|gt|amp|quot);)|(?P<plain>.)", re.DOTALL
)
NEAR = 2  # a break is near if it leaves the part at least half full


@dataclass(frozen=True, slots=True)
class Piece:
    """What is never cut: a tag (0 units), an entity or a character."""

    source: str
    units: int


def measure(html: str) -> int:
    """Count the units of a text without its markup."""
    return sum(piece.units for piece in _read_pieces(html))


def fits(html: str, limit: int) -> bool:
    """Tell whether a text keeps within `limit` units; mostly it does with its markup, too."""
    return count_units(html) <= limit or measure(html) <= limit


def is_blank(html: str) -> bool:
    """Tell whether nothing can be seen of a text: Telegram refuses it."""
    return all(piece.units == 0 or piece.source.isspace() for piece in _read_pieces(html))


def split(html: str, limit: int) -> list[str]:
    """Split into parts of at most `limit` units each (2 at least: one emoji). A short text comes back as it is."""
    if count_units(html) <= limit:  # the usual case: short enough with its markup
        return [html]
    pieces, parts = list(_read_pieces(html)), []
    opened: list[str] = []
    while pieces:
        end = _find_end(pieces, limit)
        parts.append(_write_part(pieces[:end], opened))
        pieces = pieces[end:]
    return parts


def _read_pieces(html: str) -> Iterator[Piece]:
    for token in TOKEN.finditer(html):
        if token["tag"]:
            yield Piece(token[0], 0)
        else:
            yield Piece(token[0], count_units(unescape(token[0]) if token["sign"] else token[0]))


def _find_end(pieces: Sequence[Piece], limit: int) -> int:
    """Give how many of the pieces make the next part: to the last break that is near, else as many as fit."""
    units, line_end, space = 0, 0, 0
    for place, piece in enumerate(pieces):
        units += piece.units
        if units > limit:
            return _take_closing_tags(pieces, line_end or space or max(place, 1))
        if units * NEAR >= limit and piece.source.isspace():
            line_end, space = (place + 1, space) if piece.source == "\n" else (line_end, place + 1)
    return len(pieces)


def _take_closing_tags(pieces: Sequence[Piece], end: int) -> int:
    while pieces[end].source.startswith("</") and pieces[end].units == 0:
        end += 1
    return end


def _write_part(pieces: Sequence[Piece], opened: list[str]) -> str:
    """Write a part between the tags that are open where it begins and ends; `opened` is left as it is at its end."""
    before = "".join(opened)
    for piece in pieces:
        if piece.units == 0 and piece.source.startswith("</"):
            if opened:
                opened.pop()
        elif piece.units == 0:
            opened.append(piece.source)
    after = "".join(f"</{_read_name(tag)}>" for tag in reversed(opened))
    return before + "".join(piece.source for piece in pieces) + after


def _read_name(tag: str) -> str:
    return tag[1:-1].split()[0]
