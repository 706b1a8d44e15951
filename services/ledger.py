"""The ledger: an account's book. Every cent that moves stands in it twice: what one place has more, another has less.

    provider     what the provider holds of the seller's         disputed     ... and keeps until a dispute is decided
    buyers       paid, and neither handed over nor given back    revenue      handed over
    refunds      of that, given back                             chargebacks  of that, taken back
    fees         the provider's part                             commission   the installation's part
    platform     ... which the seller owes it

Rows are written by triggers on receipts, returns, sales and deliveries (sql/migrations/0020_ledger.sql), in the same
transaction, and never change: a fee that is told later is another row. Here they are read, and counted again. Each
currency has balances of its own: Stars (XTR) are never added to reais.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from grimbots.services import accounts
from grimbots.services.errors import Invalid
from grimbots.services.figures import MOST_DAYS

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.figures import Span
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

PLACES = ("provider", "disputed", "buyers", "revenue", "refunds", "chargebacks", "fees", "commission", "platform")
COLUMNS = ("date", "kind", "payment", "debit", "credit", "amount_cents", "currency", "provider_cents")
CURRENCIES = ("BRL", "XTR")
SLICE_PAYMENTS, PAGE_ROWS = 2_000, 5_000
NIGHTS = 30  # in which every payment is counted again once
QUIET_HOUR_UTC = 6
POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Commission:
    """What the installation keeps of a sale: hundredths of a per cent, and so many cents."""

    points: int = 0
    cents: int = 0


@dataclass(frozen=True, slots=True)
class Balances:
    """What an account's book adds up to, by place, before and after some days, and what is not known yet."""

    opening: dict[str, int]
    closing: dict[str, int]
    commission: Commission
    unknown_fees: int

    def moved(self, place: str) -> int:
        """Return by how much a place has more after these days."""
        return self.closing[place] - self.opening[place]


@dataclass(frozen=True, slots=True)
class Statement(Balances):
    """An account's book of some days, entry by entry."""

    lines: list[dict[str, Any]]


async def set_commission(app: App, account: str, *, points: int, cents: int, actor: str) -> None:
    """Set what the installation keeps of an account's sales from now on. Only its administrator runs the command.

    Raises:
        NotFound: there is no such account.
        Invalid: less than nothing, or more than all.
    """
    if not 0 <= points <= POINTS or cents < 0:
        raise Invalid("a commission is from 0 to 100 per cent, and no less than 0 cents")
    account_id, now = (await accounts.get_account(app, account)).id, app.clock()
    async with app.db.transaction() as tx:
        await tx.ledger.add_commission(account_id=account_id, points=points, cents=cents, now=now)
        await tx.audit.note(
            account_id=account_id,
            actor=actor,
            action="account.commission",
            subject=f"account:{account_id}",
            details={"points": points, "cents": cents},
            at=now,
        )


async def get_commission(app: App, account_id: int) -> Commission:
    """Return what the installation keeps of an account's sales now."""
    row = await app.db.ledger.find_commission(account_id=account_id)
    return Commission() if row is None else Commission(row.points, row.cents)


async def check(app: App, account_id: int | None = None) -> list[Row]:
    """Count every payment again, of one account or all; note and return where the book says something else."""
    return await _check_range(app, 1, await app.db.ledger.find_last_payment() or 0, account_id)


async def check_nightly(app: App) -> None:
    """Count a part of all payments again, another each night, and the newest each night: a cron's work."""
    now = app.clock()
    if now.hour != QUIET_HOUR_UTC:
        return
    last_id = await app.db.ledger.find_last_payment() or 0
    part = last_id // NIGHTS + 1
    night = now.date().toordinal() % NIGHTS
    found = await _check_range(app, night * part + 1, (night + 1) * part)
    found += await _check_range(app, max(last_id - part, 1), last_id)
    if found:
        log.error("the book differs from the rows in %d places: see `grimbots ledger check`", len(found))


async def state(app: App, span: Span, currency: str = "BRL") -> Statement:
    """Return an account's book of some of its own days, in one currency.

    Raises:
        Invalid: no day or too many in the span.
    """
    if not 0 <= (span.last_day - span.first_day).days < MOST_DAYS:
        raise Invalid(f"the last day must not come before the first, and {MOST_DAYS} days are the most")
    found = await balance(app, span, currency)
    rows = await _list_entries(app, {"account_id": span.account_id, "currency": currency}, *bounds(span))
    lines = _describe(rows, found.opening["provider"], span)
    return Statement(found.opening, found.closing, found.commission, found.unknown_fees, lines)


async def balance(app: App, span: Span, currency: str = "BRL") -> Balances:
    """Return what an account's book adds up to before and after some of its own days, in one currency."""
    since, until = bounds(span)
    which = {"account_id": span.account_id, "currency": currency}
    opening, closing = [await _sum_before(app, which, instant) for instant in (since, until)]
    unknown = await app.db.ledger.count_unknown_fees(**which, since=since, until=until)
    return Balances(opening, closing, await get_commission(app, span.account_id), unknown)


def bounds(span: Span) -> tuple[datetime, datetime]:
    """Return the first instant of a span and the first behind it."""
    return _begin(span, span.first_day), _begin(span, span.last_day + timedelta(days=1))


async def _check_range(app: App, first_id: int, last_id: int, account_id: int | None = None) -> list[Row]:
    found: list[Row] = []
    while first_id <= last_id:
        end_id = await app.db.ledger.find_slice_end(first_id=first_id, limit=SLICE_PAYMENTS)
        if end_id is None:
            break
        found += await _check_slice(app, first_id, min(end_id, last_id), account_id)
        first_id = end_id + 1
    return found


async def _check_slice(app: App, first_id: int, last_id: int, account_id: int | None) -> list[Row]:
    which = {"first_id": first_id, "last_id": last_id, "of_account_id": account_id}
    async with app.db.transaction() as tx:
        found: list[Row] = await tx.ledger.recount(**which)
        await tx.ledger.forget_differences(**which)
        for row in found:
            await tx.ledger.note_difference(**row._asdict(), now=app.clock())
    return found


async def _sum_before(app: App, which: Mapping[str, Any], until: datetime) -> dict[str, int]:
    rows = await app.db.ledger.sum_before(**which, until=until)
    return dict.fromkeys(PLACES, 0) | {row.place: row.cents for row in rows}


async def _list_entries(app: App, which: Mapping[str, Any], since: datetime, until: datetime) -> list[Row]:
    rows: list[Row] = []
    page: list[Row] = []
    after_at, after_id = since, 0
    while not rows or len(page) == PAGE_ROWS:
        span = {"since": since, "until": until, "after_at": after_at, "after_id": after_id}
        page = await app.db.ledger.list_entries(**which, **span, limit=PAGE_ROWS)
        if not page:
            break
        rows += page
        after_at, after_id = page[-1].booked_at, page[-1].id
    return rows


def _describe(rows: Sequence[Row], provider_cents: int, span: Span) -> list[dict[str, Any]]:
    """Write each row with what the provider holds after it."""
    lines = []
    for row in rows:
        provider_cents += row.amount_cents * ((row.debit == "provider") - (row.credit == "provider"))
        at = row.booked_at.astimezone(span.zone).isoformat(timespec="seconds")
        known = (at, row.kind, row.payment_id, row.debit, row.credit, row.amount_cents, row.currency, provider_cents)
        lines.append(dict(zip(COLUMNS, known, strict=True)))
    return lines


def _begin(span: Span, day: date) -> datetime:
    return datetime.combine(day, time(), span.zone)
