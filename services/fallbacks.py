"""Simpler forms of a message that Telegram would not take as it was."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from grimbots.services.funnels.media import ADDRESS, KINDS

LINK = re.compile(r"""<a\s+href=["']([^"']*)["'][^>]*>(.*?)</a>""", re.DOTALL)
TAG = re.compile(r"</?[a-z][^>]*>")
TEXTS = ("text", "caption")


def simplify(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the next simpler form of a method's parameters: not a reply, then without formatting, then None."""
    if "reply_parameters" in body:
        return {name: value for name, value in body.items() if name != "reply_parameters"}
    if "parse_mode" in body:
        return _write_plain(body)
    album = body.get("media", ())
    if any("parse_mode" in item for item in album):
        return {**body, "media": [_write_plain(item) for item in album]}
    return None


def _write_plain(body: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in body.items() if name != "parse_mode"}
    return kept | {name: strip_tags(kept[name]) for name in TEXTS if name in kept}


def leave_out_media(method: str, body: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Return the call that says only the text of one whose media Telegram could not fetch from its address.

    None where there is none of either.
    """
    kind = next((name for name in KINDS if KINDS[name].method == method), "")
    if not str(body.get(kind, "")).startswith(ADDRESS) or not body.get("caption"):
        return None
    named = {"caption": "text"}
    kept = {named.get(name, name): value for name, value in body.items() if name not in (kind, "supports_streaming")}
    return "sendMessage", kept


def strip_tags(text: str) -> str:
    """Return Telegram's HTML as plain text. A link keeps its address: it may be what was paid for."""
    return html.unescape(TAG.sub("", LINK.sub(r"\2 \1", text)))
