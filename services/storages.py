"""Storages: the chat where a bot keeps its media (services/warmups.py) and tells its seller what is wrong (alarms.py).

Named by its id, or by whoever opens the bot's own link, which serves once: its mark is over the chat it had until then.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from grimbots.services import bots, messages
from grimbots.services.clients.telegram import Kind
from grimbots.services.errors import Invalid

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.services.bots import Bot
    from grimbots.sql.database import Row, Transaction

PREFIX = "guardar-"
GREETING = "📦 Aqui @{username} guarda as mídias do funil e avisa quando algo vai mal. Não apague o que ele enviar."


def make_link(app: App, bot: Bot | Row) -> str:
    """Return the link that makes a bot's chat with the person who opens it its storage chat, once."""
    host = f"{app.settings.base_url}/sandbox?bot={bot.username}&" if app.settings.sandbox else ""
    return f"{host or f'https://t.me/{bot.username}?'}start={_make_param(app, bot)}"


async def claim(app: App, tx: Transaction, bot: Bot, lead: Row, *, param: str, cause: str) -> Job | None:
    """Make a lead's chat its bot's storage chat if his /start says so; give the job of the greeting, None if not."""
    row = await tx.bots.find_by_id(bot_id=bot.id) if is_param(param) else None
    if row is None or not hmac.compare_digest(param.encode(), _make_param(app, row).encode()):
        return None
    await _write(app, tx, bot, lead.chat_id, "link")
    return await messages.plan(
        tx,
        lead=lead,
        cause=cause,
        ordinal=0,
        version_id=None,
        step="",
        method="sendMessage",
        body={"text": GREETING.format(username=bot.username)},
        nonce=None,
        policy="retry",
        payment_id=None,
        planned_at=app.clock(),
    )


def is_param(text: str) -> bool:
    """Tell whether a /start's parameter is meant for `claim`."""
    return text.startswith(PREFIX)


async def name(app: App, bot: Bot, chat_id: int, *, actor: str) -> None:
    """Let a bot keep its media in a chat, after it has greeted there.

    Raises:
        Invalid: the bot may not write there.
        Unavailable: Telegram cannot be reached.
    """
    greeting = {"chat_id": chat_id, "text": GREETING.format(username=bot.username)}
    answer = await app.telegram.call(bot.token, "sendMessage", greeting)
    if answer.kind in (Kind.DEAD_CHAT, Kind.LOST_CHAT):
        raise Invalid(
            f"@{bot.username} may not write into chat {chat_id} ({answer.description}): press Start in your chat "
            "with it, or make it an administrator of your private channel"
        )
    if answer.kind is not Kind.OK:
        raise bots.refusal("sendMessage", answer)
    async with app.db.transaction() as tx:
        await _write(app, tx, bot, chat_id, actor)


async def _write(app: App, tx: Transaction, bot: Bot, chat_id: int, actor: str) -> None:
    key = {"account_id": bot.account_id, "bot_id": bot.id}
    await tx.bots.set_storage(**key, chat_id=chat_id)
    await bots.note_change(app, tx, **key, actor=actor, action="bot.storage", details={"chat_id": chat_id})


def _make_param(app: App, bot: Bot | Row) -> str:
    return PREFIX + app.vault.nonce("storage", bot.id, bot.storage_chat_id)
