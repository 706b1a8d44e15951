"""Accesses: the right of a lead to be in a group or channel: given by payments, once each, and proven by Telegram.

    granted -> inside <-> outside          while it lasts: in only once Telegram says so (chat_member, getChatMember)
    any of them -> ending -> removed       its time is over, or its money was given back
    ending, removed -> inside, granted     it is paid for again

Whoever changes one has locked its lead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grimbots.services import periods, timers
from grimbots.services.periods import Term

if TYPE_CHECKING:
    from datetime import datetime

    from grimbots.services.app import App
    from grimbots.services.funnels.effects import Grant
    from grimbots.sql.database import Row, Transaction

TICK = "accesses.tick"  # the task in services/subscriptions.py


async def give(app: App, tx: Transaction, *, lead: Row, payment_id: int, step: str, grant: Grant) -> Row:
    """Give a lead what a payment's step grants, once; returns the access as it is now."""
    now = app.clock()
    group_id = await _find_group_id(tx, lead, grant.group, now)
    terms = {
        "by_request": grant.by_request,
        "remind_days": list(grant.remind_days),
        "grace_days": grant.grace_days,
        "payment_id": payment_id,
        "step": step,
    }
    of_lead = {"account_id": lead.account_id, "group_id": group_id, "lead_id": lead.id}
    lasts, owed = grant.days is None, grant.days or 0
    added = await tx.accesses.add(**of_lead, **terms, user_id=lead.chat_id, lasts=lasts, days_owed=owed, now=now)
    access = added or await tx.accesses.find_by_lead(**of_lead)
    which = {"account_id": lead.account_id, "access_id": access.id}
    is_first = await tx.access_grants.add(**which, payment_id=payment_id, step=step, days=grant.days, now=now)
    if is_first is None:
        return access
    if added is None:
        await change(tx, access, periods.extend(read_term(access), grant.days, now), **terms)
    await plan_tick(app, tx, access, lead)
    return await tx.accesses.find(**which)


async def enter(app: App, tx: Transaction, access: Row, lead: Row, seen_at: datetime | None = None) -> None:
    """Note the proof that a lead is in: by Telegram's word of `seen_at`, or because it was asked. The days begin."""
    which = {"account_id": access.account_id, "access_id": access.id}
    await tx.accesses.enter(**which, now=app.clock(), seen_at=seen_at)
    await plan_tick(app, tx, access, lead)


async def plan_tick(app: App, tx: Transaction, access: Row, lead: Row) -> None:
    """Plan the timer of the next thing to be done about an access; the ones before it count no more."""
    now, which = app.clock(), {"account_id": access.account_id, "access_id": access.id}
    access = await tx.accesses.find(**which)
    number = await tx.accesses.count_tick(**which, told_at=now)
    mark = periods.find_next(access, now)
    if mark is None:
        return
    await timers.plan(
        tx,
        TICK,
        account_id=access.account_id,
        bot_id=lead.bot_id,
        payment_id=access.payment_id,
        cause=f"a:{access.id}",
        ordinal=number,
        payload={"access_id": access.id, "number": number},
        due_at=mark.at,
        now=now,
    )


def read_term(access: Row) -> Term:
    """Read how long an access lasts."""
    return Term(access.status, access.lasts, access.days_owed, access.ends_at)


async def change(tx: Transaction, access: Row, term: Term, **terms: object) -> None:
    """Write how long an access lasts, and on what terms if they are new."""
    names = ("payment_id", "step", "by_request", "remind_days", "grace_days")
    kept = {name: getattr(access, name) for name in names}
    await tx.accesses.change(
        account_id=access.account_id,
        access_id=access.id,
        status=term.status,
        lasts=term.lasts,
        days_owed=term.days_owed,
        ends_at=term.ends_at,
        **{**kept, **terms},
    )


async def _find_group_id(tx: Transaction, lead: Row, chat_id: int, now: datetime) -> int:
    """Find a group's row; made where it was sold before anybody knew of it: the first call will tell how it is."""
    which = {"account_id": lead.account_id, "bot_id": lead.bot_id, "chat_id": chat_id}
    group = await tx.groups.find(**which)
    if group is None:
        group = await tx.groups.note(**which, title="", status="ready", reason=None, now=now)
    group_id: int = group.id
    return group_id
