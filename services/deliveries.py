"""Deliveries: what was paid for, handed over once, tried until Telegram has accepted it or the chat is dead.

What failed for a reason that passes (no clear answer, a dead job) is planned again by a timer, at growing distances;
where the chat is dead, when the buyer is back; what Telegram refuses waits for a person; what is not handed over when
its money goes back is revoked (services/returns.py). Every end of a try is a row (delivery_attempts). Of several
messages only those that were lost are sent again.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from grimbots.conf import metrics
from grimbots.queue.task import Done
from grimbots.services import leads, messages, schedules, timers
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.sql.database import Row, Transaction


async def plan(
    tx: Transaction,
    *,
    account_id: int,
    payment_id: int,
    lead_id: int,
    step: str,
    cause: str,
    ordinal: int,
    now: datetime,
) -> None:
    """Note that a message (effect `ordinal` of `cause`), and those of its step before it, hand over what was paid for.

    Once for a payment and a step.
    """
    await tx.deliveries.add(
        account_id=account_id,
        payment_id=payment_id,
        lead_id=lead_id,
        step=step,
        cause=cause,
        ordinal=ordinal,
        now=now,
    )


async def conclude(tx: Transaction, *, message: Row, now: datetime) -> None:
    """Write what became of the delivery that a message is a part of, if it is one; to be tried again where that helps.

    The message's row has its new status already.
    """
    closed = await tx.deliveries.close(account_id=message.account_id, message_id=message.id, now=now)
    if closed is None:
        return
    metrics.delivery_attempts.labels(closed.status).inc()
    await tx.deliveries.add_attempt(
        account_id=closed.account_id, delivery_id=closed.id, status=closed.status, error=closed.error, now=now
    )
    if closed.is_passing:
        await _plan_retry(tx, closed, now)


@task("deliveries.retry", queue="tasks")
async def retry(app: App, *, timer_id: int, delivery_id: int) -> Done:
    """Plan a failed delivery again, unless it has arrived or the chat is dead: then the buyer's return does that."""
    delivery = await app.db.deliveries.find_by_id(delivery_id=delivery_id)
    async with app.db.transaction() as tx:
        lead = await leads.lock_by_id(tx, account_id=delivery.account_id, lead_id=delivery.lead_id)
        jobs = await regrant(app, tx, lead, delivery_id=delivery_id) if lead.status == "active" else []
        await timers.finish(tx, timer_id, app.clock())
    return Done(jobs)


async def regrant(app: App, tx: Transaction, lead: Row, *, delivery_id: int | None = None) -> list[Job]:
    """Plan again what could not be handed over to a lead, all of it or one, once per failure; returns the jobs.

    The caller has locked the lead.
    """
    rows = await tx.deliveries.plan_again(
        account_id=lead.account_id, lead_id=lead.id, delivery_id=delivery_id, now=app.clock()
    )
    return [messages.job(row) for row in rows]


async def reinstate(tx: Transaction, *, account_id: int, payment_id: int, now: datetime) -> list[Job]:
    """Plan again what was revoked, for its money is there again; returns the jobs. The caller has locked the lead."""
    rows = await tx.deliveries.reinstate(account_id=account_id, payment_id=payment_id, now=now)
    return [messages.job(row) for row in rows]


async def _plan_retry(tx: Transaction, delivery: Row, now: datetime) -> None:
    await timers.plan(
        tx,
        retry,
        account_id=delivery.account_id,
        bot_id=delivery.bot_id,
        payment_id=delivery.payment_id,
        cause=f"d:{delivery.id}",
        ordinal=delivery.tries,
        payload={"delivery_id": delivery.id},
        due_at=schedules.next_try(delivery.tries, now),
        now=now,
    )
