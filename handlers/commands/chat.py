"""`grimbots chat`: chats that a person takes over from the bot, and the one where the seller gets notices."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import pick, print_rows
from grimbots.services import accounts, notices, stories, takeovers

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server

COLUMNS = ("lead_id", "bot", "first_name", "username", "chat_id", "step", "actor", "began_at", "until")


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("chat", help="chats with leads").add_subparsers(metavar="verb", required=True)
    parser = verbs.add_parser("take", help="take a chat over: its bot is silent meanwhile")
    _add_lead(parser)
    parser.add_argument("--hours", type=int, default=24, help="then the bot has it again")
    parser.set_defaults(run=take)
    parser = verbs.add_parser("return", help="give a chat back: the bot goes on with what came due")
    _add_lead(parser)
    parser.set_defaults(run=give_back)
    parser = verbs.add_parser("list", help="list the chats that a person has")
    parser.add_argument("--account", required=True)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=list_open)
    parser = verbs.add_parser("notices", help="send a bot's notices to this chat; press /start there first")
    _add_lead(parser)
    parser.set_defaults(run=set_notices)


async def take(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Take a chat over."""
    async with server.build_app(settings) as app:
        lead = await stories.find_lead(app, account=arguments.account, bot=arguments.bot, who=arguments.lead)
        until = await takeovers.take(
            app, account_id=lead.account_id, lead_id=lead.id, hours=arguments.hours, actor="command"
        )
    print(f"the bot is silent for {arguments.lead} until {until:%Y-%m-%d %H:%M %Z}")
    return 0


async def give_back(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Give a chat back."""
    async with server.build_app(settings) as app:
        lead = await stories.find_lead(app, account=arguments.account, bot=arguments.bot, who=arguments.lead)
        await takeovers.give_back(app, account_id=lead.account_id, lead_id=lead.id, actor="command")
    print(f"the bot speaks to {arguments.lead} again")
    return 0


async def list_open(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List the chats that a person has."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        rows = pick(await takeovers.list_open(app, account.id), *COLUMNS)
    print_rows(rows, arguments.json, nothing="the bots have all chats")
    return 0


async def set_notices(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Say where notices go."""
    async with server.build_app(settings, with_queue=False) as app:
        await notices.set_chat(app, account=arguments.account, bot=arguments.bot, who=arguments.lead, actor="command")
    print(f"notices of @{arguments.bot.lstrip('@')} go to {arguments.lead}")
    return 0


def _add_lead(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--account", required=True)
    parser.add_argument("--bot", required=True, metavar="username")
    parser.add_argument("--lead", required=True, help="chat id or @username")
