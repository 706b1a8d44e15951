"""Mishaps: messages that failed or may not have arrived. A person sends one again or discards it, and is on record."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from grimbots.queue.dispatcher import QueueUnavailable
from grimbots.services import deliveries, leads, messages
from grimbots.services.errors import Conflict, NotFound

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.services.sessions import Member
    from grimbots.sql.database import Row, Transaction

log = logging.getLogger(__name__)


async def resend(app: App, member: Member, message_id: int) -> None:
    """Plan a message again, and the delivery it carries, and hand it to the queue.

    Raises:
        Forbidden: the member may look only.
        NotFound: the account has no such message.
        Conflict: it is neither failed nor uncertain any more; nothing was done.
    """
    member.demand_act()
    async with app.db.transaction() as tx:
        message = await _lock(tx, member, message_id)
        planned = await tx.messages.plan_again(account_id=member.account_id, message_id=message_id, now=app.clock())
        if planned is None:
            raise Conflict("the message is neither failed nor uncertain any more: nothing was done")
        await _note(app, tx, member, "message.resend", message)
    await _hand_over(app, messages.job(planned))


async def discard(app: App, member: Member, message_id: int) -> None:
    """Give a message up for good. The delivery it carries stays failed, for all to see.

    Raises:
        Forbidden, NotFound, Conflict: as `resend`.
    """
    member.demand_act()
    async with app.db.transaction() as tx:
        message = await _lock(tx, member, message_id)
        discarded = await tx.messages.discard(account_id=member.account_id, message_id=message_id)
        if discarded is None:
            raise Conflict("the message is neither failed nor uncertain any more: nothing was done")
        await deliveries.conclude(tx, message=discarded, now=app.clock())
        await _note(app, tx, member, "message.discard", message)


async def _lock(tx: Transaction, member: Member, message_id: int) -> Row:
    """Return the message, its lead locked: the lead's row first, as everywhere."""
    message = await tx.messages.find(account_id=member.account_id, message_id=message_id)
    if message is None:
        raise NotFound(f"there is no message {message_id} in this account")
    await leads.lock_by_id(tx, account_id=member.account_id, lead_id=message.lead_id)
    return message


async def _note(app: App, tx: Transaction, member: Member, action: str, message: Row) -> None:
    await tx.audit.note(
        account_id=member.account_id,
        actor=member.actor,
        action=action,
        subject=f"message:{message.id}",
        details={"was": message.status},
        at=app.clock(),
    )


async def _hand_over(app: App, job: Job) -> None:
    """Enqueue. With Redis away the row is planned all the same, and the sweep finds it."""
    try:
        await app.queue.enqueue(job)
    except QueueUnavailable:
        log.warning("job %s of a message that is sent again: the queue is away, so the sweep will hand it on", job.id)
