"""How the pages write money, instants and spans of time, in the reader's language and the account's zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo

from grimbots.services.funnels.effects import STARS
from grimbots.services.funnels.texts import format_money

INSTANTS = {"pt-BR": "%d/%m/%Y %H:%M", "en": "%Y-%m-%d %H:%M"}
DAYS = {"pt-BR": "%d/%m", "en": "%b %d"}
MONTHS = {"pt-BR": "%m/%Y", "en": "%b %Y"}
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
SWAPPED = str.maketrans(",.", ".,")


def show_money(cents: int, language: str, currency: str = "BRL") -> str:
    """Write money so that its sign never stands alone at a line's end: R$ 1.234,56, -R$ 1,234.56, or 249 Stars."""
    if currency == STARS:
        return f"{show_count(cents, language)}{NO_BREAK_SPACE}Stars"
    return "-" * (cents < 0) + format_money(abs(cents), language).replace(" ", NO_BREAK_SPACE)


def show_instant(at: datetime, zone: tzinfo, language: str) -> str:
    """Write an instant to the minute."""
    return at.astimezone(zone).strftime(INSTANTS[language])


def show_moment(at: datetime, zone: tzinfo, language: str) -> str:
    """Write an instant to the second."""
    return at.astimezone(zone).strftime(f"{INSTANTS[language]}:%S")


def show_clock(at: datetime, zone: tzinfo) -> str:
    """Write the time of day to the second."""
    return at.astimezone(zone).strftime("%H:%M:%S")


def show_count(number: float, language: str) -> str:
    """Write a whole number: 12.345 or 12,345."""
    text = f"{number:,.0f}"
    return text.replace(",", ".") if language == "pt-BR" else text


def show_span(seconds: float) -> str:
    """Write how long something lasts, in its largest unit: 12 s, 3 min, 2 h, 5 d."""
    for size, sign in UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f}{NO_BREAK_SPACE}{sign}"
    return f"{seconds:.0f}{NO_BREAK_SPACE}s"


def show_brief(seconds: float, language: str) -> str:
    """Write how long something short lasts: 3 ms, 1,5 s; from ten seconds on as `show_span` does."""
    if seconds >= 10:
        return show_span(seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f}{NO_BREAK_SPACE}ms"
    return f"{show_decimal(seconds, language)}{NO_BREAK_SPACE}s"


def show_decimal(number: float, language: str) -> str:
    """Write a number to a tenth: 1.234,5 or 1,234.5."""
    text = f"{number:,.1f}"
    return text.translate(SWAPPED) if language == "pt-BR" else text


def show_percent(rate: float | None, language: str) -> str:
    """Write a share to a tenth of a per cent: 12,5% or 12.5%; a dash where there is nothing to divide by."""
    return "–" if rate is None else f"{show_decimal(rate * 100, language)}%"


def show_day(day: date, language: str) -> str:
    """Write a day."""
    return day.strftime(DAYS[language])


def show_month(day: date, language: str) -> str:
    """Write the month of a day: 11/2026 or Nov 2026."""
    return day.strftime(MONTHS[language])


def read_ms(ms: int) -> datetime:
    """Read Redis's milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC)
