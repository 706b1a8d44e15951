"""Managed bots: made by a tap on a link, their token fetched by the bot that manages them; nobody pastes anything.

Whoever makes a bot by a manager's link makes Telegram tell the manager so (update `managed_bot`; Bot API 10.3). The
link is no secret and its maker owns the bot, so only a username that the account has announced gets in.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from grimbots.queue.task import Done
from grimbots.services import accounts, bots, tokens
from grimbots.services.errors import Conflict, Invalid
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.bots import Bot

log = logging.getLogger(__name__)

KIND = "managed_bot"
OPEN_FOR = timedelta(days=7)


async def invite(
    app: App, *, account: str, manager: str, username: str, name: str, funnel: str | None, actor: str
) -> str:
    """Announce a bot and return the link by which a person makes it.

    Raises:
        Invalid: no username of a bot, or the manager may manage none.
        NotFound: no such account, manager or funnel.
        Unavailable: Telegram cannot be reached.
    """
    username = username.removeprefix("@")
    if not bots.USERNAME.fullmatch(username):
        raise Invalid("a bot's username has 5 to 32 letters, digits and _, begins with a letter and ends in bot")
    tenant = await accounts.get_account(app, account)
    managing = await bots.get_by_username(app, account, manager)
    funnel_id = await bots.find_funnel(app, tenant.id, funnel)
    if not (await bots.ask_me(app, managing.token)).get("can_manage_bots"):
        raise Invalid(f"@{managing.username} may manage no bots: switch Bot Management Mode on for it in @BotFather")
    await bots.set_webhook(app, managing)  # an older one did not ask for updates of this kind
    now = app.clock()
    await app.db.bot_invitations.add(
        account_id=tenant.id,
        manager_id=managing.id,
        username=username,
        funnel_id=funnel_id,
        now=now,
        expires_at=now + OPEN_FOR,
    )
    query = f"?{urlencode({'name': name})}" if name else ""
    return f"https://t.me/newbot/{managing.username}/{username}{query}"


@task("managed_bots.adopt", queue="tasks", timeout_seconds=90)
async def adopt(app: App, *, bot_id: int, update: dict[str, Any]) -> Done:
    """Take in the bot that was made, or give a known one the token it has now."""
    manager, made = await app.bots.by_id(app, bot_id), _read(update)
    if made is None:
        return Done()
    known = await app.db.bots.find_by_telegram_id(telegram_id=made["id"])
    if known is not None and known.manager_id == manager.id:
        await fetch_token(app, bots.from_row(app, known), actor="task")
    elif known is None or known.account_id == manager.account_id:
        await _welcome(app, manager, made, is_known=known is not None)
    return Done()


async def _welcome(app: App, manager: Bot, made: Mapping[str, Any], *, is_known: bool) -> None:
    """Take in a bot that was announced; of any other tell the seller."""
    key = {"account_id": manager.account_id, "manager_id": manager.id}
    invitation = await app.db.bot_invitations.find(**key, username=made["username"], now=app.clock())
    if invitation is not None:
        await _take_in(app, manager, made["id"], invitation)
    elif not is_known:
        key = {"account_id": manager.account_id, "bot_id": manager.id}
        await app.db.alarms.add(**key, kind="stranger", detail=f"@{made['username']}", now=app.clock())


async def fetch_token(app: App, bot: Bot, *, actor: str, anew: bool = False) -> Bot:
    """Give a managed bot the token its manager fetches; `anew`: one that Telegram makes now, the old one worth nothing.

    Raises:
        Conflict: no bot manages it.
        Invalid, Unavailable: as `bots.call`.
    """
    if bot.manager_id is None:
        raise Conflict(f"@{bot.username} has no manager: get its token from @BotFather")
    manager = await app.bots.by_id(app, bot.manager_id)
    method = "replaceManagedBotToken" if anew else "getManagedBotToken"
    token = await bots.call(app, manager.token, method, {"user_id": bot.telegram_id})
    if (token, bot.status) == (bot.token, "active"):
        return bot
    return await tokens.change(app, bot, token, actor=actor)


async def _take_in(app: App, manager: Bot, user_id: int, invitation: Any) -> None:
    token = await bots.call(app, manager.token, "getManagedBotToken", {"user_id": user_id})
    me = await bots.ask_me(app, token)
    bot = await bots.save(app, manager.account_id, token, me, invitation.funnel_id, "task")
    async with app.db.transaction() as tx:
        key = {"account_id": manager.account_id, "bot_id": bot.id}
        await tx.bots.set_manager(**key, manager_id=manager.id)
        await tx.bot_invitations.close(**key, invitation_id=invitation.id)
        await tx.bots.announce_change(bot_id=bot.id)
    await bots.set_webhook(app, bot)
    log.info("bot %d is managed by bot %d", bot.id, manager.id)


def _read(update: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read which bot an update is about; None where it does not say."""
    told = update.get(KIND)
    made = told.get("bot") if isinstance(told, dict) else None
    if not isinstance(made, dict) or not isinstance(made.get("id"), int) or not isinstance(made.get("username"), str):
        return None
    return made
