"""`grimbots bot`: bots in service, the sandbox's and the real Telegram's alike."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import pick, print_rows
from grimbots.handlers.commands.prompts import ask_secret
from grimbots.services import bots

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("bot", help="bots in service").add_subparsers(metavar="verb", required=True)
    parser = verbs.add_parser("add", help="add a bot; its token is asked for, or read from a pipe")
    parser.add_argument("--account", required=True)
    parser.add_argument("--funnel", help="name of a published funnel the bot sells with")
    parser.set_defaults(run=add)
    parser = verbs.add_parser("list", help="list the bots in service")
    parser.add_argument("--account", help="of this account only")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=list_all)
    parser = verbs.add_parser("remove", help="take a bot out of service; its sales stay")
    parser.add_argument("username")
    parser.add_argument("--account", required=True)
    parser.set_defaults(run=remove)


async def add(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Add a bot and point its webhook here."""
    token = ask_secret("Token of the bot")
    async with server.build_app(settings, with_queue=False) as app:
        bot = await bots.add(app, account=arguments.account, token=token, funnel=arguments.funnel, actor="command")
    print(f"@{bot.username} is in service: its updates come to {settings.base_url}")
    if settings.sandbox:
        print(f"talk to it at {settings.base_url}/sandbox")
    return 0


async def list_all(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List bots in service."""
    async with server.build_app(settings, with_queue=False) as app:
        found = await bots.list_bots(app, arguments.account)
    rows = pick(found, "account", "username", "name", "funnel", "status", "status_reason", "created_at")
    print_rows(rows, arguments.json, nothing="there is no bot yet: grimbots bot add --account <name>")
    return 0


async def remove(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Take a bot out of service."""
    async with server.build_app(settings, with_queue=False) as app:
        await bots.remove(app, account=arguments.account, username=arguments.username, actor="command")
    print(f"@{arguments.username.removeprefix('@')} is out of service")
    return 0
