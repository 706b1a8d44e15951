"""Timers: a task to run at an instant of the application's clock. Rows, so they outlive restarts and an emptied Redis.

A timer's kind is the name of a task whose arguments are `timer_id` and the payload's. The task checks again what the
timer assumed, and calls `finish` in the transaction in which it acts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from grimbots.queue.job import Accepted
from grimbots.queue.task import REGISTRY, Task

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row, Transaction

log = logging.getLogger(__name__)

CLAIM = timedelta(seconds=15)  # a timer handed to the queue is handed again after this, until its task finishes it
BATCH = 500


async def plan(
    tx: Transaction,
    task: Task[Any] | str,
    *,
    account_id: int,
    bot_id: int,
    payment_id: int | None,
    cause: str,
    ordinal: int,
    payload: Mapping[str, Any],
    due_at: datetime,
    now: datetime,
) -> None:
    """Run `task` (its name will do) at `due_at`, once per cause and ordinal."""
    await tx.timers.add(
        account_id=account_id,
        bot_id=bot_id,
        payment_id=payment_id,
        kind=task if isinstance(task, str) else task.name,
        cause=cause,
        ordinal=ordinal,
        payload=dict(payload),
        due_at=due_at,
        now=now,
    )


async def cancel(tx: Transaction, task: Task[Any], *, account_id: int, payment_id: int) -> None:
    """Drop a payment's timers of one kind that have not fired."""
    await tx.timers.cancel(account_id=account_id, payment_id=payment_id, kind=task.name)


async def finish(tx: Transaction, timer_id: int, now: datetime) -> bool:
    """Note that a timer's task has done its work, or found nothing to do; False: that was noted before."""
    return bool(await tx.timers.finish(timer_id=timer_id, now=now))


async def fire_due(app: App) -> int:
    """Hand what is due to the queue and return how many that was; harmless in several processes at once.

    Raises:
        QueueUnavailable: Redis is away; the timers are handed again after CLAIM.
    """
    now = app.clock()
    due = await app.db.timers.claim_due(now=now, claimed_until=now + CLAIM, limit=BATCH)
    await asyncio.gather(*(_fire(app, timer) for timer in due))
    return len(due)


async def _fire(app: App, timer: Row) -> None:
    job = REGISTRY[timer.kind].job(
        id=f"t:{timer.id}",
        source=f"b{timer.bot_id}",
        account=str(timer.account_id),
        timer_id=timer.id,
        **timer.payload,
    )
    if await app.queue.enqueue(job) is Accepted.DEAD:
        await app.db.timers.bury(timer_id=timer.id)
        log.error("the job of timer %s (%s) is dead: look at it with `grimbots queue dead`", timer.id, timer.kind)
