"""Tokens: a bot's new one, and its webhook set anew.

A bot keeps its row, its leads and its place in links whatever its token is: jobs and rows name the bot, and who calls
Telegram reads the token then. Nothing is planned or sent by a change, so nothing is sent twice by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from grimbots.services import bots, gateway_accounts, webhooks
from grimbots.services.clients.telegram import Kind
from grimbots.services.errors import Conflict, NotFound, Unavailable

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.bots import Bot
    from grimbots.sql.database import Transaction


async def change(app: App, bot: Bot, token: str, *, actor: str, replaces: bool = False) -> Bot:
    """Give a bot another token, alive or dead; a repeat repairs it. Returns it as it is then.

    `replaces`: the token may be of another bot of Telegram's, which takes this one's place. Nobody has spoken with that
    one yet, so all leads count as having left: whoever starts it goes on where he stood, and is given what he is owed.

    Raises:
        Invalid: no token, or one Telegram does not know.
        Conflict: it is another bot's, and `replaces` is not said; or that bot is in the installation already.
        Unavailable: Telegram cannot be reached; nothing or only the rows were written: do it again.
    """
    bots.check_token(app, token)
    me = await bots.ask_me(app, token)
    is_another = me["id"] != bot.telegram_id
    if is_another:
        await _demand_place(app, bot, me, replaces=replaces)
        await _leave(app, bot)
    async with app.db.transaction() as tx:
        if is_another:
            await _replace(tx, bot, me)
        await _write(app, tx, bot, token, me, actor, is_another=is_another)
    changed = bots.from_row(app, await app.db.bots.find_by_id(bot_id=bot.id))
    await bots.set_webhook(app, changed)
    return changed


async def repair(app: App, account_id: int, bot_id: int, *, actor: str) -> Bot:
    """Set a bot's webhook to ours again, whoever took it; a dead bot that Telegram knows again is back in service.

    Raises:
        NotFound: the account has no such living bot.
        Conflict: it was not brought to life yet.
        Invalid: Telegram refuses, or disowns its token.
        Unavailable: Telegram cannot be reached: do it again.
    """
    bot = await get(app, account_id, bot_id)
    if bot.status == "new":
        raise Conflict("this bot waits its turn to be brought to life: there is nothing to repair yet")
    await bots.set_webhook(app, bot)
    key = {"account_id": bot.account_id, "bot_id": bot.id}
    async with app.db.transaction() as tx:
        await tx.bots.set_status(**key, status="active", reason=None, now=app.clock())
        await tx.webhooks.watch(**key, now=app.clock())
        await bots.note_change(app, tx, **key, actor=actor, action="bot.webhook", details={})
    await webhooks.look(app, bot)
    return bot


async def get(app: App, account_id: int, bot_id: int) -> Bot:
    """Return an account's living bot as its row says now.

    Raises:
        NotFound
    """
    row = await app.db.bots.find_by_id(bot_id=bot_id)
    if row is None or row.account_id != account_id or row.status == "removed":
        raise NotFound(f"there is no bot {bot_id} in this account")
    return bots.from_row(app, row)


async def _demand_place(app: App, bot: Bot, me: Mapping[str, Any], *, replaces: bool) -> None:
    if not replaces:
        raise Conflict(
            f"this is the token of @{me['username']}, another bot than @{bot.username}: its leads never spoke with it. "
            "Add it as a bot of its own, or say --replace to let it take the place of this one"
        )
    if await app.db.bots.find_by_telegram_id(telegram_id=me["id"]) is not None:
        raise Conflict(f"@{me['username']} is in this installation already: remove it there first")


async def _leave(app: App, bot: Bot) -> None:
    """Drop the webhook of a bot that is about to be replaced; of one that Telegram disowns there is none."""
    answer = await app.telegram.call(bot.token, "deleteWebhook", {})
    if answer.kind not in (Kind.OK, Kind.DEAD_BOT):
        raise Unavailable(
            f"Telegram did not drop the webhook of @{bot.username} ({answer.description}): nothing was changed, "
            "try again in a moment"
        )


async def _replace(tx: Transaction, bot: Bot, me: Mapping[str, Any]) -> None:
    """Let another bot of Telegram's stand in a bot's row: what only the old one knows is forgotten."""
    key = {"account_id": bot.account_id, "bot_id": bot.id}
    await tx.leads.block_all(**key)
    await tx.applied_updates.forget(**key)  # the new one counts its updates anew, perhaps through the same numbers
    await tx.bot_files.forget_all(**key)
    await tx.bots.replace(**key, telegram_id=me["id"])


async def _write(
    app: App, tx: Transaction, bot: Bot, token: str, me: Mapping[str, Any], actor: str, *, is_another: bool
) -> None:
    key, now = {"account_id": bot.account_id, "bot_id": bot.id}, app.clock()
    await tx.bots.renew(
        **key,
        username=me["username"],
        name=me["first_name"],
        token_encrypted=app.vault.encrypt(token),
        funnel_id=None,
        now=now,
    )
    await tx.bots.raise_secret_generation(**key, now=now)
    await gateway_accounts.renew_of_bot(tx, bot)
    await tx.webhooks.watch(**key, now=now)
    details = {"was": bot.username, "username": me["username"]} if is_another else {}
    action = "bot.replace" if is_another else "bot.token"
    await bots.note_change(app, tx, **key, actor=actor, action=action, details=details)
