"""Figures: clicks, starts, charges, payments, refunds by bot, step, source, campaign and the account's own days.

What is counted is written with the event, in its transaction, by triggers: an entry per event, so that none waits for a
counter that another one holds. A duty adds entries to the figures, one process at a time; reports read both. So at any
moment a report is what a recount of the events would give (tests/services/test_figures.py).

An event has the source and campaign of its click, as the seller wrote them into the link: of a start the click that it
brought, of a charge the buyer's last one. Without a click, or without utm_source, it has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from grimbots.services.errors import Invalid

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Transaction

DIMENSIONS = ("day", "bot", "step", "source", "campaign")
COUNTS = (
    "clicks",
    "starts",
    "matched",
    "charges",
    "charged_cents",
    "paid",
    "paid_cents",
    "refunds",
    "refunded_cents",
)
RATES = ("start_rate", "match_rate", "conversion", "charge_conversion")
BATCH = 2000
MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a report. `key` is what it is of, in the order that was asked for; the counts as in the table.

    `matched`: of the starts, those that brought a click we know. `refunds`: times that money of a sale went back,
    counted on the day it did, however old the sale.
    """

    key: tuple[Any, ...]
    clicks: int = 0
    starts: int = 0
    matched: int = 0
    charges: int = 0
    charged_cents: int = 0
    paid: int = 0
    paid_cents: int = 0
    refunds: int = 0
    refunded_cents: int = 0

    @property
    def revenue_cents(self) -> int:
        """What was paid, less what went back; under nothing where that was more."""
        return self.paid_cents - self.refunded_cents

    @property
    def start_rate(self) -> float | None:
        """Clicks whose visitor started; None without clicks."""
        return _divide(self.matched, self.clicks)

    @property
    def match_rate(self) -> float | None:
        """Starts that brought a click we know; None without starts."""
        return _divide(self.matched, self.starts)

    @property
    def conversion(self) -> float | None:
        """Starts that were followed by a payment; None without starts, as of a step."""
        return _divide(self.paid, self.starts)

    @property
    def charge_conversion(self) -> float | None:
        """Charges that were paid; None without charges."""
        return _divide(self.paid, self.charges)


@dataclass(frozen=True, slots=True)
class Span:
    """Some of an account's own days, the first and the last included."""

    account_id: int
    zone: ZoneInfo
    first_day: date
    last_day: date

    @property
    def days(self) -> list[date]:
        """Every day of it."""
        return [self.first_day + timedelta(days=place) for place in range((self.last_day - self.first_day).days + 1)]


def span_days(account_id: int, zone: ZoneInfo, now: datetime, days: int) -> Span:
    """Give the last `days` days, today included."""
    today = now.astimezone(zone).date()
    return Span(account_id, zone, today - timedelta(days=days - 1), today)


async def report(app: App, span: Span, by: Sequence[str]) -> list[Line]:
    """Return the figures of a span by some of DIMENSIONS, in that order; without any, one line of all.

    Raises:
        Invalid: there is no such dimension, or no day or too many in the span.
    """
    if unknown := [name for name in by if name not in DIMENSIONS]:
        raise Invalid(f"{unknown[0]!r} is none of {', '.join(DIMENSIONS)}")
    if not 0 <= (span.last_day - span.first_day).days < MOST_DAYS:
        raise Invalid(f"the last day must not come before the first, and {MOST_DAYS} days are the most")
    rows = await app.db.figures.report(
        account_id=span.account_id,
        first_day=span.first_day,
        last_day=span.last_day,
        since=_begin(span.first_day, span.zone),
        until=_begin(span.last_day + timedelta(days=1), span.zone),
        zone=span.zone.key,
        by=list(by),
    )
    return [Line(tuple(getattr(row, name) for name in by), *(getattr(row, name) for name in COUNTS)) for row in rows]


def total(lines: Sequence[Line]) -> Line:
    """Add lines up."""
    return Line((), *(sum(getattr(line, name) for line in lines) for name in COUNTS))


async def roll_up(app: App) -> int:
    """Add what was entered to the figures; returns how many entries that was. Harmless in several processes at once."""
    rolled = BATCH
    count = 0
    while rolled == BATCH:
        async with app.db.transaction() as tx:
            if not await tx.duties.take_turn(duty="figures"):
                return count
            rolled = await tx.figures.roll_up(limit=BATCH)
        count += rolled
    return count


async def rebuild(tx: Transaction, account_id: int) -> None:
    """Count an account's events anew: its days begin at other instants now."""
    await tx.figures.wait_turn()
    await tx.figures.rebuild(account_id=account_id)


def open_zone(name: str) -> ZoneInfo:
    """Return a time zone, or UTC where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def columns(by: Sequence[str]) -> list[str]:
    """Name the columns of a report for programs."""
    return [*by, *COUNTS, "revenue_cents", *RATES]


def describe(line: Line, by: Sequence[str]) -> dict[str, Any]:
    """Give a line's values by their columns: cents as whole numbers, rates to four places, days as they are written."""
    key = {
        name: value.isoformat() if isinstance(value, date) else value for name, value in zip(by, line.key, strict=True)
    }
    rates = {name: getattr(line, name) for name in RATES}
    rounded = {name: None if rate is None else round(rate, 4) for name, rate in rates.items()}
    return {**key, **{name: getattr(line, name) for name in (*COUNTS, "revenue_cents")}, **rounded}


def _begin(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _divide(part: int, whole: int) -> float | None:
    return part / whole if whole else None
