"""Deliveries: what was paid for, handed over once; a row that stays visible until Telegram has accepted its message."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from grimbots.services import messages

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.sql.database import Row, Transaction

FINAL = {"sent": "delivered", "failed": "failed", "discarded": "failed"}  # a message's status -> its delivery's


async def plan(
    tx: Transaction, *, account_id: int, payment_id: int, lead_id: int, step: str, message_id: int, now: datetime
) -> None:
    """Note that `message_id` hands over what `payment_id` paid for; once per payment and step."""
    await tx.deliveries.add(
        account_id=account_id, payment_id=payment_id, lead_id=lead_id, step=step, message_id=message_id, now=now
    )


async def conclude(tx: Transaction, *, message: Row, now: datetime) -> None:
    """Write a message's outcome on the delivery it carries, if it carries one. `message` has its new status."""
    status = FINAL.get(message.status)
    if status is None:
        return
    await tx.deliveries.close(
        account_id=message.account_id,
        message_id=message.id,
        status=status,
        error=message.error,
        delivered_at=now if status == "delivered" else None,
    )


async def regrant(app: App, tx: Transaction, lead: Row) -> list[Job]:
    """Plan again what could not be handed over while the lead was away, once per failure; returns the jobs to enqueue.

    The caller has locked the lead.
    """
    rows = await tx.deliveries.plan_again(account_id=lead.account_id, lead_id=lead.id, now=app.clock())
    return [messages.job(row) for row in rows]
