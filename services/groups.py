"""Groups and channels that bots let buyers into: whether each bot may do there what it has to.

A bot needs the rights to invite and to ban. What Telegram says of them is kept in a row: told by `my_chat_member`,
found out by a refusal, or asked for. Without them what lets into the group is not sold (payments.charge), and what was
sold waits; with them again it goes on by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from grimbots.services.arrivals import clean
from grimbots.services.clients.http import NeverSent
from grimbots.services.clients.telegram import Answer, Kind

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.bots import Bot
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

ASK_AGAIN = timedelta(minutes=1)  # a buyer who wants what is not sold makes us ask, once in so long
ASK_LOST = timedelta(minutes=10)
ASKED_A_ROUND = 100
MAX_TITLE = 128
UNKNOWN = (Kind.NEVER_SENT, Kind.AMBIGUOUS, Kind.FLOOD, Kind.DEAD_BOT, Kind.CONFLICT)  # says nothing of the group


def find_reason(member: Mapping[str, Any]) -> str | None:
    """Tell what a bot lacks, by what it is in a group (ChatMember): outside, not_admin, no_invite, no_ban; or None."""
    status = member.get("status")
    if status == "creator":
        return None
    if status != "administrator":
        return "outside" if status in ("left", "kicked") else "not_admin"
    if member.get("can_invite_users") is not True:
        return "no_invite"
    return None if member.get("can_restrict_members") is True else "no_ban"


async def note(app: App, bot: Bot, chat_id: int, title: str, reason: str | None) -> tuple[Row, list[Row]]:
    """Write what a bot may do in a group; where it may again, what has waited for that is planned.

    Returns the group's row and the acts (services/admissions.py) that are planned.
    """
    now = app.clock()
    which = {"account_id": bot.account_id, "bot_id": bot.id, "chat_id": chat_id}
    status = "ready" if reason is None else "lost"
    async with app.db.transaction() as tx:
        row = await tx.groups.note(**which, title=clean(title)[:MAX_TITLE], status=status, reason=reason, now=now)
        if row.was != status:
            log.info("bot %d is %s in group %d (%s)", bot.id, status, row.id, reason or "it has its rights")
        if status == "lost" or row.was == "ready":
            return row, []
        of_group = {"account_id": bot.account_id, "group_id": row.id, "now": now}
        await tx.groups.hasten_deliveries(**of_group)
        return row, await tx.group_acts.plan_again(**of_group)


async def move(app: App, bot: Bot, chat_id: int, to_chat_id: int) -> None:
    """Follow a group that became a supergroup: its row has the new id, its old links are forgotten."""
    which = {"account_id": bot.account_id, "bot_id": bot.id}
    async with app.db.transaction() as tx:
        group = await tx.groups.find(**which, chat_id=chat_id)
        if group is None or group.chat_id == to_chat_id:
            return
        await tx.groups.drop_unused(**which, chat_id=to_chat_id)  # the supergroup was heard of before its origin
        await tx.groups.move(**which, chat_id=chat_id, to_chat_id=to_chat_id)
        await tx.accesses.forget_links(account_id=bot.account_id, group_id=group.id)


async def confirm(app: App, bot: Bot, chat_id: int) -> Row:
    """Return the row of a group that is about to be sold; Telegram is asked where it is not known, or lost a while ago.

    Raises:
        NeverSent: Telegram could not be asked.
    """
    group = await app.db.groups.find(account_id=bot.account_id, bot_id=bot.id, chat_id=chat_id)
    if group is None or (group.status == "lost" and group.asked_at <= app.clock() - ASK_AGAIN):
        group = await ask(app, bot, chat_id if group is None else group.chat_id)
    if not group.is_sold:
        await app.db.groups.mark_sold(account_id=bot.account_id, group_id=group.id)
    return group


async def ask(app: App, bot: Bot, chat_id: int) -> Row:
    """Ask Telegram what the bot is in a group and write it down.

    Raises:
        NeverSent: Telegram could not be asked.
    """
    me = {"chat_id": chat_id, "user_id": bot.telegram_id}
    answer = await app.telegram.call(bot.token, "getChatMember", me)
    if answer.kind is Kind.MIGRATED and answer.migrate_to_chat_id is not None:
        await move(app, bot, chat_id, answer.migrate_to_chat_id)
        former, chat_id = chat_id, answer.migrate_to_chat_id
        answer = await app.telegram.call(bot.token, "getChatMember", {**me, "chat_id": chat_id})
        group = await _note_answer(app, bot, chat_id, answer)
        await app.db.groups.name_former(account_id=bot.account_id, group_id=group.id, former_chat_id=former)
        return group
    return await _note_answer(app, bot, chat_id, answer)


async def ask_lost(app: App) -> None:
    """Ask again about groups that something is sold for and whose bot has not its rights: a cron's work."""
    now = app.clock()
    for group in await app.db.groups.claim_lost(before=now - ASK_LOST, now=now, limit=ASKED_A_ROUND):
        try:
            await ask(app, await app.bots.by_id(app, group.bot_id), group.chat_id)
        except NeverSent as error:
            log.info("group %d could not be asked about: %s", group.id, error)


async def find_obstacle(app: App, bot: Bot, chat_ids: set[int]) -> str | None:
    """Tell why a bot cannot let anybody into one of these groups, as the sales pages read it; None: it can.

    Raises:
        NeverSent: Telegram could not be asked.
    """
    for chat_id in sorted(chat_ids):
        group = await confirm(app, bot, chat_id)
        if group.status == "lost":
            return f"{group.reason} in group {name(group)}"
    return None


async def call(app: App, bot: Bot, group: Row, method: str, params: Mapping[str, Any]) -> Answer:
    """Call Telegram about a group; at its new id where it has moved. A refusal for want of rights is written down.

    `group` has `id` and `chat_id`. "Not found" is LOST_CHAT here: it is the group that is not, and no lead's chat.
    """
    app.queue.guard()
    chat_id = group.chat_id
    answer = await app.telegram.call(bot.token, method, {"chat_id": chat_id, **params})
    if answer.kind is Kind.MIGRATED and answer.migrate_to_chat_id is not None:
        await move(app, bot, chat_id, answer.migrate_to_chat_id)
        chat_id = answer.migrate_to_chat_id
        answer = await app.telegram.call(bot.token, method, {"chat_id": chat_id, **params})
    if answer.kind not in (Kind.LOST_CHAT, Kind.DEAD_CHAT):
        return answer
    await _note_refusal(app, bot, chat_id)
    return Answer(Kind.LOST_CHAT, http=answer.http, description=answer.description)


def name(group: Row) -> str:
    """Name a group for its seller."""
    return f"“{group.title}” ({group.chat_id})" if group.title else str(group.chat_id)


async def _note_refusal(app: App, bot: Bot, chat_id: int) -> None:
    """Find out what is missing after a refusal; where that cannot be found out, somebody asks later."""
    try:
        await ask(app, bot, chat_id)
    except NeverSent as error:
        log.info("what bot %d lacks in a group could not be asked: %s", bot.id, error)


async def _note_answer(app: App, bot: Bot, chat_id: int, answer: Answer) -> Row:
    if answer.kind in UNKNOWN:
        raise NeverSent(f"telegram was not asked about a group: {answer.kind} {answer.description}")
    member = answer.result if isinstance(answer.result, dict) else {"status": "left"}
    title = await _read_title(app, bot, chat_id) if answer.kind is Kind.OK else ""
    group, _ = await note(app, bot, chat_id, title, find_reason(member))
    return group


async def _read_title(app: App, bot: Bot, chat_id: int) -> str:
    answer = await app.telegram.call(bot.token, "getChat", {"chat_id": chat_id})
    title = answer.result.get("title") if isinstance(answer.result, dict) else None
    return title if isinstance(title, str) else ""
