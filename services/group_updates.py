"""Group updates: what Telegram tells of groups and channels, acted upon. Each may come twice and acts once.

`chat_member` is the proof that a buyer is in. Whoever asks to come in by a link of ours is let in if he may be there,
else turned away; whoever comes in by a link that was another's is put out, and the other gets a new link.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from grimbots.services import accesses, admissions, groups, leads, subscriptions
from grimbots.services.group_news import Asked, Changed, Moved, News, Rights

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.services.bots import Bot
    from grimbots.sql.database import Row


async def apply(app: App, bot: Bot, news: News, cause: str) -> list[Job]:
    """Act upon news of a group; `cause` names the update. Returns the jobs of what follows."""
    if isinstance(news, Moved):
        await groups.move(app, bot, news.chat_id, news.to_chat_id)
        return []
    if isinstance(news, Rights):
        _, acts = await groups.note(app, bot, news.chat_id, news.title, groups.find_reason(news.member))
        return [admissions.job(act) for act in acts]
    group = await app.db.groups.find(account_id=bot.account_id, bot_id=bot.id, chat_id=news.chat_id)
    if group is None:
        return []
    return await (_answer if isinstance(news, Asked) else _note_change)(app, bot, group, news, cause)  # type: ignore[arg-type]


async def _answer(app: App, bot: Bot, group: Row, asked: Asked, cause: str) -> list[Job]:
    """Answer who asks by a link of ours, or has paid; who comes by somebody else's link is that person's affair."""
    of_person = {"account_id": bot.account_id, "group_id": group.id, "user_id": asked.user_id}
    if asked.creator_id != bot.telegram_id and not await app.db.accesses.is_live(**of_person):
        return []
    async with app.db.transaction() as tx:
        return await admissions.plan(app, tx, **of_person, act=admissions.ANSWER, cause=cause)


async def _note_change(app: App, bot: Bot, group: Row, change: Changed, cause: str) -> list[Job]:
    of_person = {"account_id": bot.account_id, "group_id": group.id, "user_id": change.user_id}
    known = await app.db.accesses.find_by_user(**of_person)
    jobs: list[Job] = []
    if change.is_inside and change.creator_id == bot.telegram_id and not await app.db.accesses.is_live(**of_person):
        jobs = await _put_out_stranger(app, group, change, cause)
    if known is None:
        return jobs
    await _note_presence(app, known, change)
    if not change.is_inside and change.by_id == bot.telegram_id:  # put out, and it has been paid for at that moment
        jobs += await subscriptions.reissue(app, known, cause)
    return jobs


async def _note_presence(app: App, known: Row, change: Changed) -> None:
    """Write that a buyer is in or out, unless something later is known."""
    seen_at = datetime.fromtimestamp(change.date, UTC)
    which = {"account_id": known.account_id, "access_id": known.id}
    async with app.db.transaction() as tx:
        lead = await leads.lock_by_id(tx, account_id=known.account_id, lead_id=known.lead_id)
        access = await tx.accesses.find(**which)
        if access.seen_at is not None and seen_at < access.seen_at:
            return
        if change.is_inside and access.status in ("granted", "outside"):
            await accesses.enter(app, tx, access, lead, seen_at)
        elif not change.is_inside:
            await tx.accesses.leave(**which, seen_at=seen_at)


async def _put_out_stranger(app: App, group: Row, change: Changed, cause: str) -> list[Job]:
    """Put out who came in by a buyer's link; the buyer gets another."""
    which = {"account_id": group.account_id, "group_id": group.id}
    access = await app.db.accesses.find_by_link(**which, link=change.link)
    if access is None:
        return []
    async with app.db.transaction() as tx:
        jobs = await admissions.plan(app, tx, **which, user_id=change.user_id, act=admissions.REMOVE, cause=cause)
    return jobs + await subscriptions.reissue(app, access, cause)
