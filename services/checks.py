"""Checks: charges that are not paid are asked about at their provider, at growing distances and with an end.

So a payment whose event never came is found without anybody's doing. The row says when (`next_check_at`), a job of the
queue `checks` does it: a queue of its own, so that a provider that hangs keeps no buyer waiting for a code, and a group
per gateway account, so that each is asked one question at a time.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from grimbots.conf import metrics
from grimbots.queue.job import Accepted
from grimbots.queue.task import Done
from grimbots.services import charges, payments, schedules
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

CHECKED = ("pending", "expired")
CLAIM = timedelta(minutes=1)  # a check handed to the queue is handed again after this, until it is done
MOST_EACH, MOST = 4, 100  # of one gateway account, and of all, in one round (services/duties.py: 2 s)
UNANSWERED_AGAIN = timedelta(minutes=5)


async def hand_out_due(app: App) -> int:
    """Hand to the queue what is due to be checked, bounded per gateway account; returns how many that was.

    Raises:
        QueueUnavailable: Redis is away; what was claimed is handed out again after CLAIM.
    """
    now = app.clock()
    async with app.db.transaction() as tx:
        if not await tx.duties.take_turn(duty="checks"):
            return 0
        due = await tx.payments.claim_checks(now=now, claimed_until=now + CLAIM, limit_each=MOST_EACH, limit=MOST)
    await asyncio.gather(*(_hand_out(app, payment) for payment in due))
    return len(due)


def job(payment: Row) -> Job:
    """Make the job of a payment's next check."""
    return check.job(
        id=f"p:{payment.id}:check:{payment.checks}",
        source=f"a{payment.account_id}",
        account=str(payment.account_id),
        group=f"g{payment.gateway_account_id}",
        payment_id=payment.id,
        number=payment.checks,
    )


@task("payments.check", queue="checks", attempts=3)
async def check(app: App, *, payment_id: int, number: int) -> Done:
    """Ask the provider about an unpaid charge, settle what it has seen, and plan the next check."""
    payment = await app.db.payments.find_by_id(payment_id=payment_id)
    if payment.state not in CHECKED or payment.checks != number:
        return Done(await payments.list_unfinished(app, payment, "paid"))
    outcome, jobs, next_at = await _ask(app, payment)
    metrics.checks.labels(outcome).inc()
    await _note(app, payment, next_at)
    return Done(jobs)


async def _ask(app: App, payment: Row) -> tuple[str, list[Job], datetime | None]:
    """Return what came of asking, the jobs that follow, and when to ask again."""
    now = app.clock()
    next_at = schedules.next_check(payment.created_at, payment.expires_at, now)
    try:
        jobs = await payments.ask(app, payment, actor="reconciler")
    except charges.UNANSWERED as error:
        log.info("payment %s cannot be checked: %s", payment.id, error)
        return "unanswered", [], next_at and min(next_at, now + UNANSWERED_AGAIN)
    if jobs is None:  # a buyer or an event has just asked; what they saw may be from before the money came
        return "put_off", [], now + charges.ASK_EVERY
    if jobs:
        log.warning("payment %s was paid, and no event had said so: is its provider told our address?", payment.id)
    return "found" if jobs else "nothing", jobs, next_at


async def _hand_out(app: App, payment: Row) -> None:
    given = job(payment)
    if await app.queue.enqueue(given) is Accepted.DEAD:
        await _note(app, payment, app.clock() + schedules.LONGEST_BETWEEN_CHECKS)
        log.error("job %s is dead, the payment is checked again later: see `grimbots queue dead`", given.id)


async def _note(app: App, payment: Row, next_at: datetime | None) -> None:
    await app.db.payments.note_check(
        account_id=payment.account_id, payment_id=payment.id, checks=payment.checks, next_check_at=next_at
    )
