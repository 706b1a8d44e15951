"""Texts, prices, addresses of the old settings as a funnel holds them. Total: whatever stands there."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from html import escape
from typing import Any

from grimbots.services.funnels.fields import MAX_MINUTES, MAX_PRICE_CENTS
from grimbots.services.funnels.markup import BadMarkup, read_plain
from grimbots.services.funnels.moving.remarks import Remark
from grimbots.services.funnels.splitting import is_blank
from grimbots.services.funnels.surveys import is_url
from grimbots.services.funnels.texts import UNSTORABLE

Note = Callable[[Remark], None]
NUMBER = re.compile(r"\d[\d.,]*")
MOST = 10**15
LONGEST_LABEL, LONGEST_PRODUCT, LONGEST_ADDRESS = 200, 100, 500
PIX = {"{pix_code}": "{{code}}", "{produto}": "{{product}}", "{valor}": "{{price}}"}
PAID = {"{produto}": "{{product}}", "{valor}": "{{price}}"}


def read_text(raw: Any) -> str:
    """Give a text that can be stored; "" for what is none."""
    return UNSTORABLE.sub("", raw).strip() if isinstance(raw, str) else ""


def write_html(raw: Any, place: str, note: Note, names: dict[str, str] | None = None) -> str:
    """Give a text in Telegram's HTML; escaped where Telegram would refuse it. `names`: its variables and ours."""
    text = read_text(raw).replace("{{", "{&#123;")
    try:
        read_plain(text)
    except BadMarkup as bad:
        note(Remark("bad_markup", place, {"sign": bad.sign}))
        text = escape(text.replace("&#123;", "{"), quote=False).replace("{{", "{&#123;")
    for old, ours in (names or {}).items():
        text = text.replace(old, ours)
    return "" if is_blank(text) else text


def write_plain(raw: Any, most: int = LONGEST_LABEL) -> str:
    """Give the words of a button, a product's name."""
    return re.sub(r"\s+", " ", read_text(raw).replace("{{", "{ {"))[:most].strip()


def read_flag(raw: Any) -> bool:
    """Read true; rows of SQLite have 1, forms "on"."""
    return raw is True or raw == 1 or (isinstance(raw, str) and raw.strip().lower() in ("1", "true", "on"))


def read_number(raw: Any) -> Decimal | None:
    """Read a number as sellers wrote it: 19.97, "19,97", "R$ 1.990,00"; None for what is none."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str) or (isinstance(raw, int) and abs(raw) > MOST):
        return None
    found = NUMBER.search(str(raw)[:40])
    text = found[0] if found and "-" not in str(raw) and "e" not in str(raw).lower() else ""
    if "," in text:
        text = text.replace(".", "").replace(",", ".")
    try:
        return Decimal(text.strip("."))
    except InvalidOperation:
        return None


def read_cents(raw: Any) -> int:
    """Read a price in reais; 0 for what is none."""
    number = read_number(raw)
    return round_cents(number * 100) if number is not None and 0 < number * 100 <= MAX_PRICE_CENTS else 0


def round_cents(cents: Decimal) -> int:
    """Round half up."""
    return int(cents.quantize(Decimal(1), ROUND_HALF_UP))


def read_minutes(raw: Any, default: int, place: str, note: Note) -> int:
    """Read a wait, from none to what a funnel waits at most."""
    number = read_number(raw)
    minutes = default if number is None else int(min(number, Decimal(MAX_MINUTES + 1)))
    if minutes > MAX_MINUTES:
        note(Remark("delay_fitted", place, {"minutes": MAX_MINUTES}))
    return min(minutes, MAX_MINUTES)


def read_link(raw: Any, place: str, note: Note) -> str:
    """Read what a button opens; "" where Telegram would not."""
    link = read_text(raw)
    if link.startswith(("t.me/", "telegram.me/")):
        link = f"https://{link}"
    if not link or (is_url(link) and len(link) <= LONGEST_ADDRESS):
        return link
    note(Remark("link_unusable", place, {"link": link[:LONGEST_LABEL]}))
    return ""


def read_media(address: Any, kind: Any, place: str, note: Note) -> dict[str, str]:
    """Read what is shown: {"video": address} and the like; nothing where the old system sent only the text."""
    found = read_text(address)
    if not found:
        return {}
    shown = kind if kind in ("photo", "video", "audio") else "video"
    if "/c/" in found:
        note(Remark("media_private", place, {"address": found[:LONGEST_LABEL]}))
        return {}
    if not found.startswith("http") or not is_url(found):
        note(Remark("media_no_address", place, {"address": found[:LONGEST_LABEL]}))
        return {}
    if found.startswith("http://"):
        note(Remark("media_secured", place))
    return {shown: re.sub(r"^http://", "https://", found)}


def read_audio(is_enabled: Any, address: Any, place: str, note: Note) -> dict[str, str]:
    """Read the audio that follows a message."""
    shown = read_media(address, "audio", place, note) if read_flag(is_enabled) else {}
    return {"audio_after": shown["audio"]} if shown else {}
