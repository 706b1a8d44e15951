"""Sales: what a seller's pages show of one account, to somebody who belongs to it: every function takes the Member."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any

from grimbots.services import figures, ledger
from grimbots.services.errors import NotFound

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from grimbots.services.app import App
    from grimbots.services.figures import Line, Span
    from grimbots.services.sessions import Member
    from grimbots.sql.database import Row

PAGE_ROWS = 50
PAST_ALL_IDS = 2**63 - 1
COUNTED_AT_MOST = 1000
LISTED_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, the newest first. `next_before`: the id behind which the next page begins, None on the last."""

    rows: list[Any]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class Summary:
    """An account's figures over some of its own days: a row per bot, and their sums by column."""

    bots: list[Any]
    totals: dict[str, int]


SUMMED = ("leads", "charges", "charged_cents", "paid", "paid_cents", "delivered")


def open_zone(member: Member) -> ZoneInfo:
    """Return the account's time zone, or UTC where this machine does not know it."""
    return figures.open_zone(member.time_zone)


async def summarize(app: App, member: Member, days: int) -> Summary:
    """Count leads, charges, payments and deliveries of the account's last `days` days, today included."""
    since, until = find_days(app.clock(), days, open_zone(member))
    bots = await app.db.sales.count_by_bot(account_id=member.account_id, since=since, until=until)
    return Summary(bots, {name: sum(getattr(bot, name) for bot in bots) for name in SUMMED})


async def sum_reach(app: App, member: Member, days: int) -> Line:
    """Sum up the account's clicks and starts of its last `days` days (services/figures.py)."""
    span = figures.span_days(member.account_id, open_zone(member), app.clock(), days)
    return figures.total(await figures.report(app, span, ()))


def find_days(now: datetime, days: int, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the first instant of the `days`-th day back and the first of tomorrow; a day may have 23 or 25 hours."""
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days - 1), today + timedelta(days=1)


async def count_trouble(app: App, member: Member) -> Row:
    """Count what waits for a person, each up to 1000.

    `messages`; `events`; `owed`: paid and not handed over; `bots`: which hear nothing, dead or with a webhook that
    is not ours; `groups`: whose bot may not do there what is sold; `acts`: people it could not let in or put out.
    """
    return await app.db.sales.count_trouble(account_id=member.account_id, limit=COUNTED_AT_MOST)


async def list_payments(app: App, member: Member, before: int | None = None) -> Page:
    """Return payments with what came in, their flags and their delivery."""
    return await _read_page(app.db.sales.list_payments, member, before)


async def list_mishaps(app: App, member: Member, before: int | None = None) -> Page:
    """Return messages that failed or may not have arrived (what to do about one: services/mishaps.py)."""
    return await _read_page(app.db.sales.list_mishaps, member, before)


async def list_bots(app: App, member: Member, before: int | None = None) -> Page:
    """Return the account's bots with what Telegram says of their webhooks (services/webhooks.py)."""
    return await _read_page(app.db.sales.list_bots, member, before)


async def list_groups(app: App, member: Member) -> list[Row]:
    """Return the groups and channels of the account's bots, those that cannot be sold first (services/groups.py)."""
    rows: list[Row] = await app.db.sales.list_groups(account_id=member.account_id, limit=LISTED_AT_MOST)
    return rows


async def list_acts(app: App, member: Member) -> list[Row]:
    """Return whom a bot could not let into a group or put out of it (services/admissions.py)."""
    rows: list[Row] = await app.db.sales.list_acts(account_id=member.account_id, limit=LISTED_AT_MOST)
    return rows


async def list_events(app: App, member: Member, before: int | None = None) -> Page:
    """Return events of the account's gateways that no charge could be settled with."""
    return await _read_page(app.db.sales.list_events, member, before)


async def list_entries(app: App, member: Member, span: Span, currency: str, before: int | None = None) -> Page:
    """Return the entries of the account's book of some of its days, with what was sold (services/ledger.py)."""
    since, until = ledger.bounds(span)
    read = partial(app.db.ledger.list_page, currency=currency, since=since, until=until)
    return await _read_page(read, member, before)


async def list_differences(app: App, member: Member) -> list[Row]:
    """Return where the account's book says otherwise than its last recount (services/ledger.py)."""
    rows: list[Row] = await app.db.ledger.list_differences(account_id=member.account_id, limit=LISTED_AT_MOST)
    return rows


@dataclass(frozen=True, slots=True)
class Story:
    """One payment and all that happened to it."""

    payment: Any
    receipts: list[Any]
    returns: list[Any]
    book: list[Any]
    transitions: list[Any]
    deliveries: list[Any]
    accesses: list[Any]
    conversions: list[Any]


async def get_story(app: App, member: Member, payment_id: int) -> Story:
    """Return a payment with its receipts, what goes back, its book, history, deliveries, the places in groups it gave,
    and who was told of it.

    Raises:
        NotFound: the account has no such payment.
    """
    of_payment = {"account_id": member.account_id, "payment_id": payment_id}
    payment = await app.db.sales.find_payment(**of_payment)
    if payment is None:
        raise NotFound(f"there is no payment {payment_id} in this account")
    return Story(
        payment,
        receipts=await app.db.payment_returns.list_receipts(**of_payment),
        returns=await app.db.payment_returns.list_by_payment(**of_payment),
        book=await app.db.ledger.list_by_payment(**of_payment),
        transitions=await app.db.payments.list_transitions(**of_payment),
        deliveries=await app.db.deliveries.list_by_payment(**of_payment),
        accesses=await app.db.sales.list_accesses(**of_payment),
        conversions=await app.db.conversions.list_by_payment(**of_payment),
    )


async def _read_page(read: Any, member: Member, before: int | None) -> Page:
    """Read one row more than is shown: it tells whether there is a next page."""
    rows = await read(account_id=member.account_id, before_id=before or PAST_ALL_IDS, limit=PAGE_ROWS + 1)
    shown = rows[:PAGE_ROWS]
    return Page(shown, shown[-1].id if len(rows) > PAGE_ROWS else None)
