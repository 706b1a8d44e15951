"""Warmups: a bot's media brought to Telegram before its first lead comes, by way of its storage chat.

A bot may upload only by sending. So the seller names a chat (services/storages.py), his own with the bot or a private
channel, into which it sends every file of its funnel once; leads are then sent the file ids. A version is warmed when
the bot, its funnel or its chat changes. A lead who comes meanwhile uses the upload under way (services/media.py).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from grimbots.queue.job import Accepted
from grimbots.queue.task import Again, Done
from grimbots.services import bots, deaths, media
from grimbots.services.clients.telegram import Kind
from grimbots.services.funnels import versions
from grimbots.services.funnels.media import KINDS
from grimbots.services.media import Part
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.services.bots import Bot
    from grimbots.services.clients.telegram import Answer
    from grimbots.services.funnels.definitions import Version

HANDED_OUT = 100
TIMEOUT_SECONDS = 600.0
AGAIN_SECONDS = 10.0


async def hand_out_due(app: App) -> int:
    """Hand bots whose media are not warm to the queue; return how many. Harmless in several processes at once.

    Raises:
        QueueUnavailable: Redis is away; they are handed out again.
    """
    cold = await app.db.bots.list_cold(limit=HANDED_OUT)
    outcomes = await asyncio.gather(*(app.queue.enqueue(_make_job(row)) for row in cold))
    for row, outcome in zip(cold, outcomes, strict=True):
        if outcome is Accepted.DEAD:
            await _settle(app, row, row.version_id, "the job is dead")
    return len(cold)


def _make_job(row: Any) -> Job:
    return warm.job(
        id=f"warm:{row.id}:{row.version_id}:{row.storage_chat_id}",
        source=f"b{row.id}",
        account=str(row.account_id),
        bot_id=row.id,
        version_id=row.version_id,
    )


@task("bots.warm", queue="campaigns", timeout_seconds=TIMEOUT_SECONDS)
async def warm(app: App, *, bot_id: int, version_id: int) -> Done:
    """Upload what a bot's version shows and Telegram has not from it yet; a file that is refused is said and passed."""
    bot = bots.from_row(app, await app.db.bots.find_by_id(bot_id=bot_id))  # its chat may just have been named
    version = await versions.load(app, version_id)
    errors = [await _warm_one(app, bot, part) for part in list_parts(version)] if bot.status == "active" else []
    await _settle(app, bot, version_id, next(filter(None, errors), None))
    return Done()


def list_parts(version: Version) -> list[Part]:
    """Give the stored files that a version's steps show, in the forms they are sent in, each once."""
    shown = [version.find_media(medium) for step in version.steps.values() for medium in step.list_media()]
    stored = [(one.kind, one.file) for one in shown if one is not None and not isinstance(one.file, str)]
    return list(dict.fromkeys(Part(kind, file["asset"], file.get("name", "")) for kind, file in stored))


async def _warm_one(app: App, bot: Bot, part: Part) -> str | None:
    """Upload one file unless its id is known; give why it was refused.

    Raises:
        Again: it is to be tried later.
    """
    if await media.has_file_id(app, bot, part):
        return None
    file = {"asset": part.sha256, "name": part.name} if part.name else {"asset": part.sha256}
    params = {"chat_id": bot.storage_chat_id, "disable_notification": True, part.kind: file}
    answer = await media.call(app, bot, KINDS[part.kind].method, params)
    if answer.kind is Kind.OK:
        return None
    if answer.kind in (Kind.FLOOD, Kind.NEVER_SENT):
        raise Again(max(answer.retry_after_seconds, AGAIN_SECONDS), answer.description, spend=False)
    if answer.kind is Kind.AMBIGUOUS:
        raise Again(AGAIN_SECONDS, answer.description)
    if answer.kind is Kind.DEAD_BOT:
        await deaths.confirm(app, bot.id, answer)
    return _describe(answer)


def _describe(answer: Answer) -> str:
    return answer.description[:200]


async def _settle(app: App, bot: Any, version_id: int, error: str | None) -> None:
    await app.db.bots.note_warm(account_id=bot.account_id, bot_id=bot.id, version_id=version_id, error=error)
