"""Messages: effects on a chat. Planned as rows, sent by jobs; the row is the truth, a job only a hint that work waits.

planned -> sending -> sent, failed, uncertain, or planned again where Telegram surely did nothing. Found in `sending`:
an earlier attempt died around the call. Policy `retry` sends again and the row says `resent`; `once` ends `uncertain`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from grimbots.queue.task import Done, LeaseLost
from grimbots.services import answers, deliveries, invites, media
from grimbots.services.clients.telegram import Answer, Kind
from grimbots.services.fallbacks import leave_out_media, simplify
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.answers import Attempt
    from grimbots.services.app import App
    from grimbots.services.bots import Bot
    from grimbots.sql.database import Database, Row, Transaction

log = logging.getLogger(__name__)

ATTEMPTS = 30  # a bound that answers.GIVE_UP_AFTER reaches first
TIMEOUT_SECONDS = 300.0  # a wait for another's upload, two calls, one of 50 MB, and the writing of what came of them


@dataclass(frozen=True, slots=True)
class Planned:
    """A message that was planned a moment ago, as `job` wants its row."""

    account_id: int
    bot_id: int
    chat_id: int
    cause: str
    ordinal: int
    campaign_id: int | None
    regrants: int = 0


async def plan(
    tx: Transaction,
    *,
    lead: Row,
    cause: str,
    ordinal: int,
    version_id: int | None,
    step: str,
    method: str,
    body: Mapping[str, Any],
    nonce: str | None,
    policy: str,
    payment_id: int | None,
    planned_at: datetime,
    campaign_id: int | None = None,
) -> Job:
    """Plan effect `ordinal` of `cause`, once however often the cause is handled, and return its job.

    `body`: parameters of `method` without chat_id; {"asset": "<sha256>"} or {"qr": "<code>"} in it are files.
    """
    await tx.messages.add(
        account_id=lead.account_id,
        bot_id=lead.bot_id,
        lead_id=lead.id,
        chat_id=lead.chat_id,
        cause=cause,
        ordinal=ordinal,
        version_id=version_id,
        step=step,
        payment_id=payment_id,
        method=method,
        body=dict(body),
        nonce=nonce,
        policy=policy,
        campaign_id=campaign_id,
        planned_at=planned_at,
    )
    return job(Planned(lead.account_id, lead.bot_id, lead.chat_id, cause, ordinal, campaign_id))


def job(message: Row | Planned) -> Job:
    """Make the job that sends a planned message, in its chat's order; a campaign's waits behind nobody's answer.

    A job's id is used once, so each regrant has its own.
    """
    regrant = f"@{message.regrants}" if message.regrants else ""
    if not regrant and message.campaign_id is not None:
        return _broadcast_job(message)
    return send.job(
        id=f"{message.cause}#{message.ordinal}{regrant}",
        source=f"b{message.bot_id}",
        account=str(message.account_id),
        group=str(message.chat_id),
        cause=message.cause,
        ordinal=message.ordinal,
    )


def _broadcast_job(message: Row | Planned) -> Job:
    """Make the one job of all that a campaign says to a lead."""
    return broadcast.job(
        id=message.cause,
        source=f"b{message.bot_id}",
        account=str(message.account_id),
        account_id=message.account_id,
        cause=message.cause,
    )


async def find_by_nonce(db: Database | Transaction, bot_id: int, nonce: str) -> Row | None:
    """Return the message whose buttons carry `nonce`, or None."""
    return await db.messages.find_by_nonce(bot_id=bot_id, nonce=nonce)


async def give_up(app: App, message: Row, reason: str) -> None:
    """Mark a message whose job is dead as failed, unless its end is known already."""
    async with app.db.transaction() as tx:
        closed = await tx.messages.mark_given_up(message_id=message.id, account_id=message.account_id, error=reason)
        if closed is not None:
            await deliveries.conclude(tx, message=closed, now=app.clock())


@task("messages.send", queue="tasks", timeout_seconds=TIMEOUT_SECONDS, attempts=ATTEMPTS)
async def send(app: App, *, cause: str, ordinal: int) -> Done:
    """Send one planned message and write what became of it; the only place where a bot acts on a chat."""
    message = await app.db.messages.claim(cause=cause, ordinal=ordinal, now=app.clock())
    if message is None:
        await _close_unsendable(app, cause, ordinal)
        return Done()
    return await answers.write(app, await _attempt(app, message))


@task("messages.broadcast", queue="campaigns", timeout_seconds=TIMEOUT_SECONDS, attempts=ATTEMPTS)
async def broadcast(app: App, *, account_id: int, cause: str) -> Done:
    """Send, in order, what a campaign says to one lead. Outside the chat's order: an answer never waits for it."""
    planned = await app.db.messages.list_open_by_cause(account_id=account_id, cause=cause)
    for message in planned:
        if not message.regrants:  # what a person sends again has a job of its own
            await send(app, cause=cause, ordinal=message.ordinal)
    return Done()


async def _close_unsendable(app: App, cause: str, ordinal: int) -> None:
    async with app.db.transaction() as tx:
        closed = await tx.messages.close_unsendable(cause=cause, ordinal=ordinal)
        if closed is not None:
            await deliveries.conclude(tx, message=closed, now=app.clock())
    if closed is not None:
        log.warning("message %d not sent: it is %s", closed.id, closed.status)


async def _attempt(app: App, message: Row) -> Attempt:
    """Call Telegram; again in a simpler form, or at the group's new id, where it asks for that."""
    bot = await app.bots.by_id(app, message.bot_id)
    if bot.status == "removed":
        return answers.Attempt(message, Answer(Kind.REFUSED, description="the bot was removed"))
    if bot.status == "dead":
        return answers.Attempt(message, Answer(Kind.DEAD_BOT, description="the bot is dead"))
    body, note = await invites.fill_in(app, bot, message.account_id, message.body), ""
    if isinstance(body, Answer):
        return answers.Attempt(message, body)
    answer = await _call(app, bot, message, body)
    while answer.kind is Kind.DEGRADE and (simpler := simplify(body)) is not None:
        body, note = simpler, f"sent in a simpler form: {answer.description}"
        answer = await _call(app, bot, message, body)
    if answer.kind is Kind.BAD_FILE and (text := leave_out_media(message.method, body)) is not None:
        note = f"sent without its media: {answer.description}"
        answer = await _call(app, bot, message, text[1], method=text[0])
    return answers.Attempt(message, answer, note)


async def _call(app: App, bot: Bot, message: Row, body: Mapping[str, Any], method: str = "") -> Answer:
    how = method or message.method
    try:
        answer = await media.call(app, bot, how, {"chat_id": message.chat_id, **body})
        if answer.kind is Kind.MIGRATED and answer.migrate_to_chat_id is not None:
            await app.db.messages.move_lead(
                lead_id=message.lead_id, account_id=message.account_id, chat_id=answer.migrate_to_chat_id
            )
            answer = await media.call(app, bot, how, {"chat_id": answer.migrate_to_chat_id, **body})
    except LeaseLost:
        await app.db.messages.mark_planned(
            message_id=message.id, attempts=message.attempts, error="the lease was lost", wait_seconds=0.0
        )
        raise
    return answer
