"""Telegram's HTML: which tags it takes and what is left of a text without them (core.telegram.org/bots/api#html-style,
2026-07).

Telegram refuses a whole message for one unknown, unclosed or crossed tag, so a funnel's texts are read here before it
is published.
"""

from __future__ import annotations

import re
from html import unescape

PLAIN_TAGS = frozenset(
    {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "tg-spoiler", "code", "pre", "blockquote"}
)
TAG_WITH_ATTRIBUTES = re.compile(
    r"""a\s+href=("[^"]+"|'[^']+')"""
    r"""|span\s+class=("tg-spoiler"|'tg-spoiler')"""
    r"""|tg-emoji\s+emoji-id=("\d+"|'\d+')"""
    r"""|code\s+class=("language-[^"]+"|'language-[^']+')"""
    r"""|blockquote\s+expandable"""
)
TAG = re.compile(r"<(/?)([^<>]*)>")


class BadMarkup(Exception):
    """Telegram would refuse this text. `code` names the rule (problems.py), `sign` is what breaks it."""

    def __init__(self, code: str, sign: str) -> None:
        super().__init__(code, sign)
        self.code, self.sign = code, sign


def read_plain(html: str) -> str:
    """Give the text that a reader sees.

    Raises:
        BadMarkup: a tag Telegram does not know, one not closed in order, or a `<` that is no tag.
    """
    opened: list[str] = []
    for tag in TAG.finditer(html):
        _follow_tag(tag, opened)
    if opened:
        raise BadMarkup("tag_unclosed", f"<{opened[-1]}>")
    text = TAG.sub("", html)
    if "<" in text:
        raise BadMarkup("stray_sign", "<")
    return unescape(text)


def _follow_tag(tag: re.Match[str], opened: list[str]) -> None:
    """Open or close one tag on the stack of those open."""
    closes, inside = bool(tag[1]), tag[2].strip().lower()
    if closes:
        if not opened or opened.pop() != inside:
            raise BadMarkup("tag_crossed", tag[0])
    elif inside in PLAIN_TAGS or TAG_WITH_ATTRIBUTES.fullmatch(inside):
        opened.append(inside.split()[0])
    else:
        raise BadMarkup("tag_unknown", tag[0])
