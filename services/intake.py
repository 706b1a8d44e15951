"""Take an update in: from the bytes Telegram posted to a durable job or a dead letter, and what to answer at once."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter

from grimbots.conf import metrics
from grimbots.conf.foreign_json import read_object
from grimbots.queue.dispatcher import QueueUnavailable
from grimbots.queue.job import Accepted, Job
from grimbots.services import checkouts, managed_bots, updates
from grimbots.services.errors import Unavailable

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.bots import Bot

# Telegram carries messages, taps and blockings of one person in queues of their own (tdlib/telegram-bot-api,
# Client.cpp), so that two of them may arrive swapped, tens of milliseconds apart. Each is held back so long, and one of
# a lower update_id that comes meanwhile goes first (queue/job.py, Enqueue; README, "Decisions"). A /start never waits.
HOLD_BACK_MS = 40
HELD_KINDS = frozenset({"callback_query", "message", "my_chat_member"})
KEPT_OF_JUNK_BYTES = 4096


async def receive(app: App, bot: Bot, body: bytes) -> dict[str, Any] | None:
    """Store the update as a job and return the Bot API call to answer with, if its kind wants one at once.

    What cannot be read is stored as a dead letter: refusing it would make Telegram send it again for a day and block
    the bot's queue (tdlib/telegram-bot-api, WebhookActor.cpp).

    Raises:
        Unavailable: Redis is away, or an operator drains the queue; nothing was stored.
    """
    update = read_object(body)
    routed = None if update is None else updates.route(update)
    try:
        if update is None or routed is None:
            await _bury_junk(app, bot, body)
            return None
        job = _make_job(app, bot, update, routed)
        if job is not None:
            await _enqueue(app, job, routed)
    except QueueUnavailable as error:
        raise Unavailable("the queue takes nothing in now: send this update again") from error
    _count_received(routed.kind).inc()
    checkout = update.get("pre_checkout_query")
    if isinstance(checkout, dict) and isinstance(checkout.get("id"), str):
        return await checkouts.answer(app, bot, checkout)
    return _reply(update)


@functools.cache
def _count_received(kind: str) -> Counter:
    """Keep what `labels` gives; kinds are a closed set."""
    return metrics.updates_received.labels(kind)


def _make_job(app: App, bot: Bot, update: dict[str, Any], routed: updates.Routed) -> Job | None:
    """Make the job of an update, None for one that asks for nothing."""
    place = {"id": f"u:{bot.id}:{routed.update_id}", "source": f"b{bot.id}", "account": str(bot.account_id)}
    if routed.kind == managed_bots.KIND:
        return managed_bots.adopt.job(**place, bot_id=bot.id, update=update)
    if not routed.acts:
        return None
    received_at = app.clock().timestamp()
    return updates.handle.job(**place, group=routed.group, bot_id=bot.id, update=update, received_at=received_at)


async def _enqueue(app: App, job: Job, routed: updates.Routed) -> None:
    hold_ms = HOLD_BACK_MS if routed.kind in HELD_KINDS and not routed.begins else 0
    accepted = await app.queue.enqueue(job, rank=routed.update_id, hold_ms=hold_ms)
    if accepted is Accepted.CLOSED:
        raise QueueUnavailable("an operator drains the queue, the bot or the account")
    if accepted is Accepted.FULL:
        metrics.updates_dead.labels("chat_full").inc()
        await app.queue.bury(job, "chat_full")


async def _bury_junk(app: App, bot: Bot, body: bytes) -> None:
    digest = hashlib.sha256(body).hexdigest()[:24]
    payload = {"bot_id": bot.id, "size_bytes": len(body), "beginning": body[:KEPT_OF_JUNK_BYTES].decode("latin-1")}
    junk = Job(
        id=f"x:{bot.id}:{digest}",
        task="updates.handle",
        queue="tasks",
        source=f"b{bot.id}",
        account=str(bot.account_id),
        payload=payload,
    )
    metrics.updates_dead.labels("junk").inc()
    await app.queue.bury(junk, "junk")


def _reply(update: dict[str, Any]) -> dict[str, Any] | None:
    """Return the call that answers this update in the webhook's reply: never behind a chat's queue."""
    callback = update.get("callback_query")
    if isinstance(callback, dict) and isinstance(callback.get("id"), str):
        return {"method": "answerCallbackQuery", "callback_query_id": callback["id"]}
    return None
