"""What Telegram's answer to an attempt means for its message, its lead and its bot: one function per kind of answer.

A result is written by whoever knows it, fence or no fence: `sent` wins over everything, the rest only while no later
attempt has begun. Nothing ends silently: what will not be sent is `failed` or `uncertain`, the reason on its row.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from grimbots.conf import metrics
from grimbots.queue.task import Again, Done
from grimbots.services import deaths, deliveries
from grimbots.services.arrivals import MAX_ID
from grimbots.services.clients.telegram import Answer, Kind
from grimbots.services.clients.telegram_errors import is_gone_for_good
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

# One message a second per chat, short bursts allowed (core.telegram.org/bots/faq, November 2026).
BURST, BURST_SPAN, PAUSE_MS = 5, timedelta(seconds=5), 1000
GIVE_UP_AFTER = timedelta(seconds=45)  # under the 60 s a chat's head may spend: the row ends here, not the job there
WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0, 10.0)
DEAD_BOT_SECONDS, DOUBTED_BOT_SECONDS = 60.0, 10.0
STORE_AWAY_PAUSES_SECONDS = (0.2, 1.0, 3.0)
SENT = (Kind.OK, Kind.IGNORED)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One claimed message and what became of it. `note`: why it went out in a simpler form."""

    message: Row
    answer: Answer
    note: str = ""


async def write(app: App, attempt: Attempt) -> Done:
    """Write the outcome of an attempt. Tries for some seconds when Postgres is away: nobody else knows it.

    Raises:
        Again: the message is to be sent again later.
    """
    message, kind = attempt.message, attempt.answer.kind
    metrics.messages_sent.labels(kind.value).inc()
    level = logging.DEBUG if kind in SENT else logging.WARNING
    log.log(level, "message %d of bot %d: %s (attempt %d)", message.id, message.bot_id, kind.value, message.attempts)
    for pause in STORE_AWAY_PAUSES_SECONDS:
        try:
            return await OUTCOMES[kind](app, attempt)
        except (DatabaseUnavailable, StatementTimeout):
            await asyncio.sleep(pause)
    return await OUTCOMES[kind](app, attempt)


async def _sent(app: App, attempt: Attempt) -> Done:
    now = app.clock()
    values = {
        "message_id": attempt.message.id,
        "telegram_message_id": _read_message_id(attempt.answer.result),
        "error": attempt.note or None,
        "now": now,
        "since": now - BURST_SPAN,
    }
    if not attempt.message.delivers:
        written = await app.db.messages.mark_sent(**values)
    else:
        async with app.db.transaction() as tx:
            written = await tx.messages.mark_sent(**values)
            if written is not None:
                await deliveries.conclude(tx, message=written, now=now)
    recent = 0 if written is None else written.recent + _count_messages(attempt.answer.result) - 1
    return Done(pause_ms=PAUSE_MS if recent >= BURST else 0)


def _count_messages(result: object) -> int:
    """Count what was sent: each of an album's items is a message of its chat."""
    return len(result) if isinstance(result, list) else 1


def _read_message_id(result: object) -> int | None:
    """Return the id of the sent Message, or of an album's first; None for no id, and for 0: not published yet."""
    first = result[0] if isinstance(result, list) and result else result
    message_id = first.get("message_id") if isinstance(first, dict) else None
    return message_id if isinstance(message_id, int) and 0 < message_id < MAX_ID else None


async def _flooded(app: App, attempt: Attempt) -> NoReturn:
    """Nothing was executed. The chat waits as told; the whole bot does when two of its chats were refused at once."""
    wait = attempt.answer.retry_after_seconds
    await _plan_again(app, attempt, wait)
    if attempt.answer.is_bot_wide:
        await app.queue.hold_source(f"b{attempt.message.bot_id}", wait)
    raise Again(wait, "telegram: too many requests", spend=False)


async def _never_sent(app: App, attempt: Attempt) -> NoReturn:
    wait = _wait_seconds(attempt)
    await _plan_again(app, attempt, wait)
    raise Again(wait, attempt.answer.description, spend=False)


async def _in_doubt(app: App, attempt: Attempt) -> Done:
    """Telegram may have executed it. A `retry` message stays in `sending`: the next attempt is marked a repeat."""
    message, reason = attempt.message, attempt.answer.description
    if message.policy == "once":
        await app.db.messages.mark_uncertain(message_id=message.id, attempts=message.attempts, error=reason)
        return Done()
    if app.clock() - message.sending_at >= GIVE_UP_AFTER:
        said = f"no clear answer in {message.attempts} attempts: {reason}"
        return await _fail(app, attempt, said, is_lasting=False)
    raise Again(_wait_seconds(attempt), reason)


async def _dead_chat(app: App, attempt: Attempt) -> Done:
    status = "gone" if is_gone_for_good(attempt.answer.description) else "blocked"
    return await _fail(app, attempt, attempt.answer.description, is_lasting=True, lead_status=status)


async def _dead_bot(app: App, attempt: Attempt) -> NoReturn:
    """The message waits for the bot: a seller who gives it a new token wants its leads served."""
    message = attempt.message
    await _plan_again(app, attempt, DOUBTED_BOT_SECONDS)
    if not await deaths.confirm(app, message.bot_id, attempt.answer):
        raise Again(DOUBTED_BOT_SECONDS, "telegram disowned the bot and then did not", spend=False)
    await app.queue.hold_source(f"b{message.bot_id}", DEAD_BOT_SECONDS)
    raise Again(DEAD_BOT_SECONDS, "the bot is dead", spend=False)


async def _refused(app: App, attempt: Attempt) -> Done:
    return await _fail(app, attempt, attempt.answer.description, is_lasting=True)


async def _lost_chat(app: App, attempt: Attempt) -> Done:
    """The bot cannot let anybody into its group. A delivery is tried again, and at once when it can."""
    return await _fail(app, attempt, attempt.answer.description, is_lasting=False)


async def _plan_again(app: App, attempt: Attempt, wait_seconds: float) -> None:
    message, reason = attempt.message, attempt.answer.description
    await app.db.messages.mark_planned(
        message_id=message.id, attempts=message.attempts, error=reason, wait_seconds=wait_seconds
    )


async def _fail(app: App, attempt: Attempt, reason: str, *, is_lasting: bool, lead_status: str = "") -> Done:
    message = attempt.message
    async with app.db.transaction() as tx:
        if lead_status:  # the lead's row first, as everywhere
            lead = {"lead_id": message.lead_id, "account_id": message.account_id}
            await tx.messages.silence_lead(**lead, status=lead_status, since=message.sending_at)
        written = await tx.messages.mark_failed(
            message_id=message.id, attempts=message.attempts, error=reason, is_lasting=is_lasting
        )
        if written is not None:
            await deliveries.conclude(tx, message=written, now=app.clock())
    return Done()


def _wait_seconds(attempt: Attempt) -> float:
    attempts: int = attempt.message.attempts
    return WAITS_SECONDS[min(attempts, len(WAITS_SECONDS)) - 1]


OUTCOMES: Mapping[Kind, Callable[[App, Attempt], Awaitable[Done]]] = {
    Kind.OK: _sent,
    Kind.IGNORED: _sent,
    Kind.FLOOD: _flooded,
    Kind.NEVER_SENT: _never_sent,
    Kind.AMBIGUOUS: _in_doubt,
    Kind.DEAD_CHAT: _dead_chat,
    Kind.DEAD_BOT: _dead_bot,
    Kind.LOST_CHAT: _lost_chat,
    Kind.MIGRATED: _refused,
    Kind.BAD_FILE: _refused,
    Kind.DEGRADE: _refused,
    Kind.CONFLICT: _refused,
    Kind.REFUSED: _refused,
}
