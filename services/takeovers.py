"""Takeovers: a person has a chat for a while and the bot is silent; then the bot goes on with what came due meanwhile.

That a chat is held stands in the lead's walk, where `advance` looks; a row says who holds it since when. A takeover
ends when the chat is given back, or by its timer: a chat that somebody forgot is not silent for ever.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from grimbots.queue.dispatcher import QueueUnavailable
from grimbots.queue.task import Done
from grimbots.services import effects, leads, moves, timers
from grimbots.services.errors import Conflict, Invalid, NotFound
from grimbots.services.funnels.events import Held
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.sql.database import Row, Transaction

log = logging.getLogger(__name__)

MOST_HOURS = 24 * 30
LIMIT = 200


async def take(app: App, *, account_id: int, lead_id: int, hours: int, actor: str) -> datetime:
    """Silence the bot in a chat and return until when; who takes it again holds it anew.

    Raises:
        Invalid: nobody holds a chat for that long.
        NotFound: the account has no such lead.
        Conflict: the lead has not begun the funnel, so there is nothing to silence.
    """
    if not 1 <= hours <= MOST_HOURS:
        raise Invalid(f"a chat is taken over for 1 to {MOST_HOURS} hours")
    until = app.clock() + timedelta(hours=hours)
    async with app.db.transaction() as tx:
        lead = await _lock(tx, account_id, lead_id)
        if lead.version_id is None:
            raise Conflict("this lead has not begun the funnel: the bot says nothing to it anyway")
        await tx.takeovers.finish(account_id=account_id, lead_id=lead_id, now=app.clock())
        key = {"account_id": account_id, "lead_id": lead_id, "bot_id": lead.bot_id}
        added = await tx.takeovers.add(**key, actor=actor, until=until, now=app.clock())
        await moves.make(app, tx, lead, lead.version_id, Held(until), cause=f"takeover:{added.id}")
        await _plan_end(app, tx, lead, added.id, until)
        await _note(app, tx, lead, "chat.take", actor)
    return until


async def give_back(app: App, *, account_id: int, lead_id: int, actor: str) -> None:
    """Let the bot speak again, and go on with what came due.

    Raises:
        NotFound: the account has no such lead.
        Conflict: nobody has the chat.
    """
    async with app.db.transaction() as tx:
        lead = await _lock(tx, account_id, lead_id)
        jobs = await _end(app, tx, lead, cause=f"giveback:{lead_id}:{app.clock().timestamp()}")
        if jobs is None:
            raise Conflict("nobody has this chat: the bot speaks in it already")
        await _note(app, tx, lead, "chat.give_back", actor)
    await _hand_over(app, jobs)


@task("takeovers.end", queue="tasks")
async def end(app: App, *, timer_id: int, account_id: int, lead_id: int, until: str) -> Done:
    """End a takeover whose time is over, unless the chat was given back or taken anew meanwhile."""
    cause = f"t:{timer_id}"
    async with app.db.transaction() as tx:
        lead = await leads.lock_by_id(tx, account_id=account_id, lead_id=lead_id)
        if lead is not None and leads.walk(app, lead).held_until == datetime.fromisoformat(until):
            await _end(app, tx, lead, cause=cause)
        await timers.finish(tx, timer_id, app.clock())
        return Done(await effects.pending(tx, account_id=account_id, cause=cause))


async def list_open(app: App, account_id: int) -> list[Any]:
    """Return the chats that a person has, the newest first."""
    rows: list[Any] = await app.db.takeovers.list_open(account_id=account_id, limit=LIMIT)
    return rows


async def _lock(tx: Transaction, account_id: int, lead_id: int) -> Row:
    lead = await leads.lock_by_id(tx, account_id=account_id, lead_id=lead_id)
    if lead is None:
        raise NotFound(f"there is no lead {lead_id} in this account")
    return lead


async def _end(app: App, tx: Transaction, lead: Row, *, cause: str) -> list[Job] | None:
    """Give a chat back to the bot; None where nobody has it."""
    if not await tx.takeovers.finish(account_id=lead.account_id, lead_id=lead.id, now=app.clock()):
        return None
    return await moves.make(app, tx, lead, lead.version_id, Held(None), cause=cause)


async def _plan_end(app: App, tx: Transaction, lead: Row, takeover_id: int, until: datetime) -> None:
    await timers.plan(
        tx,
        end,
        account_id=lead.account_id,
        bot_id=lead.bot_id,
        payment_id=None,
        cause=f"takeover:{takeover_id}",
        ordinal=0,
        payload={"account_id": lead.account_id, "lead_id": lead.id, "until": until.isoformat()},
        due_at=until,
        now=app.clock(),
    )


async def _note(app: App, tx: Transaction, lead: Row, action: str, actor: str) -> None:
    await tx.audit.note(
        account_id=lead.account_id, actor=actor, action=action, subject=f"lead:{lead.id}", details={}, at=app.clock()
    )


async def _hand_over(app: App, jobs: Sequence[Job]) -> None:
    """Enqueue what follows. With Redis away its rows are planned all the same, and the sweep finds them."""
    try:
        for job in jobs:
            await app.queue.enqueue(job)
    except QueueUnavailable:
        log.warning("a chat was given back and the queue is away: the sweep will hand on what follows")
