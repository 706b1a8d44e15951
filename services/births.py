"""Births: bots that were imported, brought to life one after the other, as fast as Telegram takes tokens new to it.

A row waits as `new`. Any process may bring it to life: the rows say how many tokens Telegram was shown lately, so the
pace is kept over all processes, and a process that dies leaves its bots to the next turn.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from grimbots.services import accounts, bots, deaths
from grimbots.services.clients.telegram import Answer, Kind
from grimbots.services.errors import Conflict, ServiceError
from grimbots.services.secrets import MasterKeyError

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.bots import Bot
    from grimbots.sql.database import Transaction

log = logging.getLogger(__name__)

# Telegram takes 20 tokens new to it a minute and 600 an hour from one address (tdlib/telegram-bot-api,
# ClientManager.cpp); some are left for those that people add meanwhile.
PACE = ((timedelta(minutes=1), 15), (timedelta(hours=1), 540))
AT_ONCE = 5
AGAIN_AFTER = timedelta(minutes=2)  # tried and not told what came of it


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an import: its number, a token, and the name of a funnel."""

    number: int
    token: str
    funnel: str | None


@dataclass(frozen=True, slots=True)
class Intake:
    """What became of an import: how many bots came in, how many were there, and what is wrong with which line."""

    added: int
    known: int
    mistakes: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of an account's bots are in service, wait to be brought to life, and are refused by Telegram."""

    active: int
    waiting: int
    dead: int

    def __str__(self) -> str:
        minutes = -(-self.waiting // min(most * timedelta(minutes=1) // span for span, most in PACE))
        rest = f", about {minutes} min" if self.waiting else ""
        return f"in service: {self.active}, waiting: {self.waiting}{rest}, refused by Telegram: {self.dead}"


async def take_in(app: App, account: str, lines: Iterable[Line], *, actor: str) -> Intake:
    """Store bots that wait to be brought to life, their tokens encrypted; a repeat adds what is missing.

    Raises:
        NotFound: no such account.
    """
    tenant = await accounts.get_account(app, account)
    added, known, mistakes = 0, 0, []
    for line in lines:
        try:
            is_new = await _take_one(app, tenant.id, line, actor)
        except ServiceError as error:
            mistakes.append((line.number, error.message))
            continue
        added, known = added + is_new, known + (not is_new)
    return Intake(added, known, mistakes)


async def _take_one(app: App, account_id: int, line: Line, actor: str) -> bool:
    bots.check_token(app, line.token)
    funnel_id = await bots.find_funnel(app, account_id, line.funnel)
    async with app.db.transaction() as tx:
        bot_id = await tx.bots.add_new(
            account_id=account_id,
            telegram_id=int(line.token.partition(":")[0]),
            key=secrets.token_urlsafe(bots.KEY_BYTES),
            token_encrypted=app.vault.encrypt(line.token),
            funnel_id=funnel_id,
            now=app.clock(),
        )
        if bot_id is not None:
            await bots.note_change(app, tx, account_id, bot_id, actor, "bot.import", {})
            return True
    await _compare(app, account_id, line)
    return False


async def _compare(app: App, account_id: int, line: Line) -> None:
    """Raise Conflict unless a bot that is here already is the account's, and has this token."""
    row = await app.db.bots.find_by_telegram_id(telegram_id=int(line.token.partition(":")[0]))
    if row is None or row.account_id != account_id:
        raise Conflict("its bot belongs to another account of this installation: remove it there first")
    if app.vault.decrypt(row.token_encrypted) != line.token:
        raise Conflict(f"@{row.username} is here with another token: give it this one with `grimbots bot token`")


async def describe_progress(app: App, account: str) -> Progress:
    """Tell how far an account's bots are.

    Raises:
        NotFound: no such account.
    """
    statuses = Counter(row.status for row in await bots.list_bots(app, account))
    return Progress(statuses["active"], statuses["new"], statuses["dead"])


async def bring_due(app: App) -> int:
    """Bring to life those whose turn it is and return how many were tried; harmless in several processes at once."""
    now = app.clock()
    async with app.db.transaction() as tx:
        if not await tx.duties.take_turn(duty="births"):
            return 0
        room = await _count_room(app, tx)
        due = await tx.bots.claim_new(now=now, again_at=now + AGAIN_AFTER, limit=room) if room else []
    await asyncio.gather(*(_bring(app, row.id) for row in due))
    return len(due)


async def _count_room(app: App, tx: Transaction) -> int:
    shown: list[int] = [await tx.bots.count_shown(since=app.clock() - span, limit=most) for span, most in PACE]
    return min(AT_ONCE, *(most - count for (_, most), count in zip(PACE, shown, strict=True)))


async def _bring(app: App, bot_id: int) -> None:
    row = await app.db.bots.find_by_id(bot_id=bot_id)
    try:
        bot = bots.from_row(app, row)
    except MasterKeyError as error:
        log.error("bot %d cannot be brought to life: %s", bot_id, error)
        return
    me = await app.telegram.call(bot.token, "getMe", {})
    if me.kind is not Kind.OK:
        await _put_off(app, row, me)
        return
    hooked = await app.telegram.call(bot.token, "setWebhook", bots.describe_webhook(app, bot))
    if hooked.kind is not Kind.OK:
        await _put_off(app, row, hooked)
        return
    await _enter_service(app, bot, me.result)


async def _enter_service(app: App, bot: Bot, me: Mapping[str, Any]) -> None:
    key = {"account_id": bot.account_id, "bot_id": bot.id}
    async with app.db.transaction() as tx:
        names = {"username": me["username"], "name": me["first_name"]}
        if await tx.bots.enliven(**key, **names, now=app.clock()) is not None:
            await tx.webhooks.watch(**key, now=app.clock())
            await bots.note_change(app, tx, **key, actor="task", action="bot.add", details=names)


async def _put_off(app: App, row: Any, answer: Answer) -> None:
    """Try again later; not, where Telegram does not know the token."""
    if answer.kind is Kind.DEAD_BOT:
        await deaths.bury(app, row, f"Telegram answers {answer.http} {answer.description}", "task")
        return
    until = app.clock() + AGAIN_AFTER
    if answer.kind is Kind.FLOOD:  # meant is this installation, not this bot
        until = app.clock() + timedelta(seconds=answer.retry_after_seconds)
        await app.db.bots.postpone(until=until)
    key = {"account_id": row.account_id, "bot_id": row.id}
    await app.db.bots.put_off(**key, reason=answer.description, until=until)
