"""Texts a seller writes, filled in for one lead.

`{{first_name|amigo}}`, money and durations in the funnel's language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

LANGUAGES = ("pt-BR", "en")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # what Postgres refuses in a text
VARIABLE = re.compile(r"\{\{\s*(\w+)\s*(?:\|([^{}]*))?\}\}")
NAMES = ("first_name", "last_name", "username", "start_param")  # what Telegram tells of a lead
OF_MONEY = ("product", "price", "full_price", "stars", "total", "so_far", "coupon", "code", "validity")
RESERVED = frozenset({*NAMES, *OF_MONEY, "returned"})  # variables that no question may fill
UNITS = (
    (86_400, {"pt-BR": ("dia", "dias"), "en": ("day", "days")}),
    (3_600, {"pt-BR": ("hora", "horas"), "en": ("hour", "hours")}),
    (60, {"pt-BR": ("minuto", "minutos"), "en": ("minute", "minutes")}),
)


def render_html(template: str, variables: Mapping[str, str]) -> str:
    """Fill in a template of Telegram HTML.

    What is filled in, fallbacks too, is escaped and never read as a template again.
    """
    return VARIABLE.sub(lambda found: escape(_value(found, variables)), template)


def render_plain(template: str, variables: Mapping[str, str]) -> str:
    """Fill in a template that Telegram shows as it is (a button's text) or a provider gets (a description)."""
    return VARIABLE.sub(lambda found: _value(found, variables), template)


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    """A variable's value; unknown or blank ones give their fallback, else nothing."""
    value = variables.get(found[1], "")
    return value if value.strip() else (found[2] or "").strip()


def format_money(cents: int, language: str) -> str:
    """Write reais as the language does: R$ 1.990,00 or R$ 1,990.00."""
    text = f"R$ {cents // 100:,}.{cents % 100:02d}"
    return text.translate(str.maketrans(",.", ".,")) if language == "pt-BR" else text


def format_duration(seconds: float, language: str) -> str:
    """Write how long something lasts in its largest whole unit (30 minutos, 1 hora, 2 dias), a minute at least."""
    minutes = max(1, round(seconds / 60))
    size, words = next((unit for unit in UNITS if minutes * 60 % unit[0] == 0), UNITS[-1])
    count = minutes * 60 // size
    return f"{count} {words[language][count != 1]}"


def count_units(text: str) -> int:
    """Count UTF-16 code units, as Telegram's limits do: most emoji are two."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2
