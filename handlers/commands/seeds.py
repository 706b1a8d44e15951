"""The demo shop of `grimbots dev`: an account, a gateway, a funnel, a bot, a link, and somebody who may look at it all.

Safe to repeat.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grimbots.handlers.commands.sandbox import make_bot
from grimbots.services import accounts, bots, gateway_accounts, pools
from grimbots.services.errors import Conflict, NotFound, ServiceError
from grimbots.services.funnels import versions
from grimbots.services.funnels.files import read_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from grimbots.services.app import App

DEMO = Path(__file__).parent / "demo" / "demo.json"
ACCOUNT, BOT, SLUG, EMAIL = "demo", "demo_bot", "demo", "demo@example.com"


async def seed(app: App, say: Callable[[str], None]) -> None:
    """Make the demo shop where it is missing, and point the webhooks of the sandbox's bots at this address.

    The bot comes last: while it is missing, an earlier run broke off, and every step is done again.
    """
    known = {bot.username: bot for bot in await bots.list_bots(app)}
    if BOT not in known:
        await _make_shop(app)
    if SLUG not in {pool.slug for pool in await pools.list_pools(app)}:
        await pools.save(app, account=ACCOUNT, slug=SLUG, usernames=[BOT], actor="command")
    for username, row in known.items():
        await _repair_webhook(app, username, row.id, say)
    await _make_person(app)


async def _make_shop(app: App) -> None:
    account = await _get_account(app)
    credentials = {"api_key": secrets.token_urlsafe(16), "webhook_secret": secrets.token_urlsafe(32)}
    await gateway_accounts.add_gateway_account(app, account.id, "sandbox", credentials, actor="command")
    definition, files = read_files(DEMO)
    await versions.publish(app, account.id, definition, files, actor="command")
    token = await make_bot(app.http, app.settings, BOT, "Loja Demo")
    await bots.add(app, account=ACCOUNT, token=token, funnel=definition["name"], actor="command")


async def _get_account(app: App) -> Any:
    try:
        return await accounts.get_account(app, ACCOUNT)
    except NotFound:
        return await accounts.add_account(app, ACCOUNT, actor="command")


async def _make_person(app: App) -> None:
    """Add who logs in by the link on the screen: an owner and administrator, with a password that nobody knows."""
    password = secrets.token_urlsafe(32)
    try:
        await accounts.add_user(
            app, email=EMAIL, password=password, administrator=True, account=ACCOUNT, role="owner", actor="command"
        )
    except Conflict:
        return  # an earlier run has


async def _repair_webhook(app: App, username: str, bot_id: int, say: Callable[[str], None]) -> None:
    """The address changes with PORT, and the sandbox remembers the one before."""
    bot = await app.bots.by_id(app, bot_id)
    try:
        await bots.set_webhook(app, bot)
    except ServiceError as error:
        say(f"@{username} gets no updates: {error}")
