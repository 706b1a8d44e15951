"""`grimbots privacy`: what is kept of a lead, its erasure, and what bots say of it (docs/privacy.md)."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import pick, print_rows
from grimbots.services import accounts, erasures, exports, people, stories

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server

FOUND, ERASED = ("lead_id", "bot", "chat_id"), ("lead_id", "bot", "actor", "made_at")


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("privacy", help="leads' personal data").add_subparsers(metavar="verb", required=True)
    parser = _add(verbs, "find", find, "find a person in all bots: by chat id, @username, e-mail, CPF or telephone")
    parser.add_argument("who")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser = _add(verbs, "export", export, "write all that is kept of a lead into a file")
    _add_lead(parser)
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="a new one, for its owner's eyes only")
    parser = _add(verbs, "erase", erase, "erase a lead's data for good; its payments stay, nameless")
    _add_lead(parser)
    parser.add_argument("--yes", action="store_true", help="do it; without it nothing happens")
    parser = _add(verbs, "list", list_erased, "list who was erased, by number, and by whom")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser = _add(verbs, "text", set_texts, "say something of your own at /privacidade and /paysupport; '' for ours")
    parser.add_argument("--privacy", metavar="TEXT")
    parser.add_argument("--support", metavar="TEXT")


async def find(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Find somebody's leads."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        rows = pick(await people.find(app, account.id, arguments.who, actor="command"), *FOUND)
    print_rows(rows, arguments.json, nothing="no bot of this account knows that")
    return 0


async def export(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Write a lead's data down."""
    async with server.build_app(settings, with_queue=False) as app:
        lead = await stories.find_lead(app, account=arguments.account, bot=arguments.bot, who=arguments.lead)
        content = await exports.export(app, account_id=lead.account_id, lead_id=lead.id, actor="command")
    with os.fdopen(os.open(arguments.to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    print(f"{arguments.to}: all that is kept of {arguments.lead}; the record of acts says that it was taken")
    return 0


async def erase(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Have a lead erased."""
    async with server.build_app(settings, with_queue=arguments.yes) as app:
        lead = await stories.find_lead(app, account=arguments.account, bot=arguments.bot, who=arguments.lead)
        if not arguments.yes:
            print(f"nothing is changed: --yes erases {arguments.lead} (lead {lead.id}) for good; it cannot be undone")
            return 0
        await erasures.order(app, lead, actor="command")
    print(f"{arguments.lead} is being erased, in its chat's order: `grimbots privacy list` shows when it is done")
    return 0


async def list_erased(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List erasures."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        rows = pick(await people.list_erased(app, account.id), *ERASED)
    print_rows(rows, arguments.json, nothing="nobody was erased")
    return 0


async def set_texts(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Change what bots say."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        await people.set_texts(app, account.id, privacy=arguments.privacy, support=arguments.support, actor="command")
    print("the bots of this account say so from now on")
    return 0


def _add(verbs: Any, name: str, run: Any, told: str) -> Any:
    parser = verbs.add_parser(name, help=told)
    parser.add_argument("--account", required=True)
    parser.set_defaults(run=run)
    return parser


def _add_lead(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bot", required=True, metavar="username")
    parser.add_argument("--lead", required=True, help="chat id or @username")
