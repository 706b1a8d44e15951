"""Webhooks: what Telegram says of each bot's, asked about within its limits and kept in a row that pages show.

A webhook is a bot's only way in, and whoever has the token can point it elsewhere: a bot that another program took over
looks healthy from here and hears nothing. So each active bot is asked about (getWebhookInfo) once a minute, up to 500
bots; more of them take turns, 500 a minute over all processes.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from grimbots.conf.redactions import scrub
from grimbots.services import bots, deaths
from grimbots.services.clients.telegram import Kind
from grimbots.services.secrets import MasterKeyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grimbots.services.app import App
    from grimbots.services.bots import Bot

log = logging.getLogger(__name__)

MINUTE = timedelta(minutes=1)
ASKED_A_MINUTE = 500
ASKED_A_ROUND = 50
ASKED_AT_ONCE = 5  # of Telegram's places, which buyers' messages need
HOST_CHARS, ERROR_CHARS = 253, 200
END_OF_TIME = 2**32  # seconds; a later date is none
LOST = frozenset({"missing", "taken"})
LOST_LATELY = timedelta(days=1)  # many at once are the installation's own affair: another one has its tokens
FAILED_LATELY = timedelta(minutes=5)  # Telegram keeps the last error for ever


@dataclass(frozen=True, slots=True)
class Sight:
    """What an answer says. `host`: where a webhook that was taken over points to; the address itself may be secret.

    `error`: Telegram's own words, shown to the seller; an address in them is struck out.
    """

    state: str
    host: str | None
    pending_count: int
    error: str | None
    error_at: datetime | None


async def watch_due(app: App) -> int:
    """Ask about the bots whose turn it is and return how many that was; harmless in several processes at once."""
    now = app.clock()
    async with app.db.transaction() as tx:
        if not await tx.duties.take_turn(duty="webhooks"):
            return 0
        asked = await tx.webhooks.count_asked(since=now - MINUTE, limit=ASKED_A_MINUTE)
        limit = min(ASKED_A_MINUTE - asked, ASKED_A_ROUND)
        due = await tx.webhooks.claim_due(now=now, asked_before=now - MINUTE, limit=limit) if limit else []
    places = asyncio.Semaphore(ASKED_AT_ONCE)
    await asyncio.gather(*(_look(app, row.bot_id, places) for row in due))
    return len(due)


async def note_heard(app: App, bot: Bot, at: datetime) -> None:
    """Note that an update came in: if the webhook was seen lost before `at`, it is ours again, and pools are told."""
    async with app.db.transaction() as tx:
        which = {"account_id": bot.account_id, "bot_id": bot.id}
        if await tx.webhooks.note_heard(**which, at=at, now=app.clock()):
            await tx.bots.announce_change(bot_id=bot.id)


async def watch_missing(app: App) -> None:
    """Watch every active bot that is not: a cron's work, for what an older program added while it was replaced."""
    await app.db.webhooks.watch_missing(now=app.clock())


async def _look(app: App, bot_id: int, places: asyncio.Semaphore) -> None:
    try:
        bot = await app.bots.by_id(app, bot_id)
    except MasterKeyError as error:
        log.error("bot %d cannot be asked about: %s", bot_id, error)
        return
    async with places:
        await look(app, bot)


async def look(app: App, bot: Bot) -> None:
    """Ask about one bot now and keep what is said."""
    answer, bot_id = await app.telegram.call(bot.token, "getWebhookInfo", {}), bot.id
    if answer.kind is Kind.DEAD_BOT:
        await deaths.confirm(app, bot_id, answer)
    elif answer.kind is Kind.OK and isinstance(answer.result, dict) and "url" in answer.result:
        await _note(app, bot, read(answer.result, bots.webhook_url(app, bot)))
    else:
        log.info("the webhook of bot %d is not known: %s %s", bot_id, answer.kind, answer.description)


def read(info: Mapping[str, Any], own_url: str) -> Sight:
    """Read Telegram's WebhookInfo (Bot API 10.3) of a bot whose webhook should be at `own_url`."""
    url, pending_count, error_at = str(info["url"]), info.get("pending_update_count"), info.get("last_error_date")
    state = "ours" if url == own_url else "taken" if url else "missing"
    has_failed = isinstance(error_at, int) and 0 < error_at < END_OF_TIME
    return Sight(
        state=state,
        host=_find_host(url) if state == "taken" else None,
        pending_count=max(0, pending_count) if isinstance(pending_count, int) else 0,
        error=scrub(str(info.get("last_error_message", "")))[:ERROR_CHARS] if has_failed else None,
        error_at=datetime.fromtimestamp(error_at, UTC) if has_failed else None,  # type: ignore[arg-type]
    )


def _find_host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "?")[:HOST_CHARS]
    except ValueError:
        return "?"


async def _note(app: App, bot: Bot, sight: Sight) -> None:
    key = {"account_id": bot.account_id, "bot_id": bot.id}
    async with app.db.transaction() as tx:
        known = await tx.webhooks.note(**key, **asdict(sight), now=app.clock())
        if known is None or known.was == sight.state:
            return
        if (known.was in LOST) is not (sight.state in LOST):
            await tx.bots.announce_change(bot_id=bot.id)  # its pools pass it over, or take it in again
        if sight.state in LOST:
            await tx.alarms.add(**key, kind=sight.state, detail=sight.host or "", now=app.clock())
    if sight.state == "taken":
        log.warning("the webhook of bot %d was taken over: it points to %s, and nothing reaches us", bot.id, sight.host)
    elif sight.state == "missing":
        log.warning("bot %d has no webhook any more: nothing of it reaches us", bot.id)
    elif known.was != "unseen":
        log.info("the webhook of bot %d is ours again", bot.id)
