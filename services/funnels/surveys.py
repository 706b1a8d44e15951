"""Judge a text or a link as Telegram will, before anybody is sent it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from grimbots.services.funnels.markup import BadMarkup, read_plain
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.sources import Source
from grimbots.services.funnels.splitting import MAX_CAPTION_UNITS, MAX_TEXT_UNITS
from grimbots.services.funnels.texts import count_units, render_html


@dataclass(frozen=True, slots=True)
class Survey:
    """What a field's check may look at: the files at hand, and variables at their longest and at their emptiest."""

    files: Mapping[str, Source]
    longest: Mapping[str, str]
    emptiest: Mapping[str, str]


def check_markup(text: str, survey: Survey, is_caption: bool) -> Iterator[Finding]:
    """Check HTML, length once filled in with the longest values, and that something is left with the emptiest."""
    try:
        longest, emptiest = (
            read_plain(render_html(text, variables)) for variables in (survey.longest, survey.emptiest)
        )
    except BadMarkup as bad:
        yield Finding("", bad.code, {"sign": bad.sign})
        return
    units, limit = count_units(longest), MAX_CAPTION_UNITS if is_caption else MAX_TEXT_UNITS
    if units > limit:
        yield Finding("", "caption_too_long" if is_caption else "text_too_long", {"units": units, "limit": limit})
    if not emptiest.strip():
        yield Finding("", "text_empty")


def is_url(text: str) -> bool:
    """Tell whether Telegram takes this as a link: a scheme it opens, a whole host name, nothing that ends a link."""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return False
    if re.search(r"\s", text):
        return False
    if parts.scheme == "tg":
        return bool(host)
    return parts.scheme in ("https", "http") and bool(re.fullmatch(r"[^.]+(\.[^.]+)+", host))
