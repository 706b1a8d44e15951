"""Subscriptions: what time does to an access: reminders, grace, the end; and what money given back does.

An access has one timer that counts, its newest (accesses.plan_tick). It fires at the next thing to be done about the
access as that stood when it was planned; what is really to be done is asked then (services/periods.py), so an access
renewed meanwhile only gets its next timer.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from grimbots.queue.task import Done
from grimbots.services import accesses, admissions, groups, periods, timers
from grimbots.services.cases import Case, open_case
from grimbots.services.clients.telegram import Kind
from grimbots.services.funnels.events import AccessNews
from grimbots.services.group_news import is_inside
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.sql.database import Row

TAKEN_BACK_A_ROUND = 100


@task(accesses.TICK, queue="tasks")
async def tick(app: App, *, timer_id: int, access_id: int, number: int) -> Done:
    """Do what has fallen due about an access, if that is so still, and plan the next timer."""
    seen = await app.db.accesses.find_by_id(access_id=access_id)
    has_come_in = await _look(app, seen) if seen.status == "granted" and seen.ticks == number else False
    async with open_case(app, await app.db.payments.find_by_id(payment_id=seen.payment_id)) as case:
        access = await case.tx.accesses.find(account_id=seen.account_id, access_id=access_id)
        jobs: list[Job] = []
        if access.ticks == number:
            jobs = await _do_due(case, access)
            await (accesses.enter if has_come_in else accesses.plan_tick)(app, case.tx, access, case.lead)
        await timers.finish(case.tx, timer_id, app.clock())
    return Done(jobs)


async def reissue(app: App, access: Row, cause: str) -> list[Job]:
    """Give a lead another link, which only lets in the lead: the one before is spent, by whomever, or lost."""
    async with open_case(app, await app.db.payments.find_by_id(payment_id=access.payment_id)) as case:
        which = {"account_id": access.account_id, "access_id": access.id}
        access = await case.tx.accesses.find(**which)
        if access.status not in ("granted", "outside"):
            return []
        await case.tx.accesses.forget_link(**which)
        return await _tell(case, access, "again", f"{cause}:again")


async def take_back(case: Case, cause: str) -> list[Job]:
    """Take back what a payment gave: who may be in a group by it alone is put out. Once; returns the jobs."""
    of_payment = {"account_id": case.payment.account_id, "payment_id": case.payment.id}
    grants = await case.tx.access_grants.list_by_payment(**of_payment, is_taken=False)
    return [job for grant in grants for job in await _take_back(case, grant, cause)]


async def give_back(case: Case, cause: str) -> list[Job]:
    """Give what was taken back again, and say how to come in; returns the jobs."""
    of_payment = {"account_id": case.payment.account_id, "payment_id": case.payment.id}
    grants = await case.tx.access_grants.list_by_payment(**of_payment, is_taken=True)
    return [job for grant in grants for job in await _give_back(case, grant, cause)]


async def take_back_refunded(app: App) -> None:
    """Do what services/returns.py does at once, for whoever has written a payment's state otherwise: a cron's work."""
    for grant in await app.db.accesses.list_taken_back(limit=TAKEN_BACK_A_ROUND):
        async with open_case(app, await app.db.payments.find_by_id(payment_id=grant.payment_id)) as case:
            await take_back(case, f"p:{grant.payment_id}:taken:{grant.grant_id}")


async def _take_back(case: Case, grant: Row, cause: str) -> list[Job]:
    app, tx, which = case.app, case.tx, {"account_id": grant.account_id, "access_id": grant.access_id}
    await tx.access_grants.take_back(account_id=grant.account_id, grant_id=grant.id, now=app.clock())
    access = await tx.accesses.find(**which)
    left = [row.days for row in await tx.access_grants.list_open(**which)]
    term = periods.shorten(accesses.read_term(access), grant.days, left, app.clock())
    await accesses.change(tx, access, term)
    if term.status == "ending":
        return await _put_out(case, access, f"{cause}:{grant.id}")
    await accesses.plan_tick(app, tx, access, case.lead)
    return []


async def _give_back(case: Case, grant: Row, cause: str) -> list[Job]:
    app, tx, which = case.app, case.tx, {"account_id": grant.account_id, "access_id": grant.access_id}
    await tx.access_grants.give_back(account_id=grant.account_id, grant_id=grant.id)
    access = await tx.accesses.find(**which)
    await accesses.change(tx, access, periods.extend(accesses.read_term(access), grant.days, app.clock()))
    await accesses.plan_tick(app, tx, access, case.lead)
    access = await tx.accesses.find(**which)
    if access.status == "inside":  # nobody has put him out yet
        return []
    await tx.accesses.forget_link(**which)
    return await _tell(case, access, "again", f"{cause}:{grant.id}:again")


async def _look(app: App, access: Row) -> bool:
    """Ask Telegram whether a lead is in; False where it cannot be asked: the next look, or its update, will tell."""
    group = await app.db.groups.get(account_id=access.account_id, group_id=access.group_id)
    bot = await app.bots.by_id(app, group.bot_id)
    answer = await groups.call(app, bot, group, "getChatMember", {"user_id": access.user_id})
    member: Mapping[str, Any] = answer.result if isinstance(answer.result, dict) else {}
    return answer.kind is Kind.OK and is_inside(member)


async def _do_due(case: Case, access: Row) -> list[Job]:
    now = case.app.clock()
    mark = periods.find_due(access, now)
    cause = f"a:{access.id}:{access.ticks}"
    if mark is None or mark.word == "look":
        return []
    if mark.word == "end":
        await case.tx.accesses.end_period(account_id=access.account_id, access_id=access.id)
        return [*await _put_out(case, access, cause), *await _tell(case, access, "ended", cause)]
    end = access.ends_at + timedelta(days=access.grace_days if mark.word == "grace" else 0)
    word: Literal["ending", "grace"] = "grace" if mark.word == "grace" else "ending"
    return await _tell(case, access, word, cause, periods.round_left(end - now))


async def _put_out(case: Case, access: Row, cause: str) -> list[Job]:
    return await admissions.plan(
        case.app,
        case.tx,
        account_id=access.account_id,
        group_id=access.group_id,
        user_id=access.user_id,
        act=admissions.REMOVE,
        cause=f"{cause}:remove",
    )


async def _tell(
    case: Case, access: Row, word: Literal["ending", "grace", "ended", "again"], cause: str, left_seconds: float = 0
) -> list[Job]:
    group = await case.tx.groups.get(account_id=access.account_id, group_id=access.group_id)
    return await case.tell(AccessNews(case.payment.id, access.step, word, group.title, left_seconds), cause)
