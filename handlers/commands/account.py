"""`grimbots account`: the tenants of the installation."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import pick, print_rows
from grimbots.services import accounts

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("account", help="tenants").add_subparsers(metavar="verb", required=True)
    parser = verbs.add_parser("add", help="add an account")
    parser.add_argument("name")
    parser.set_defaults(run=add)
    parser = verbs.add_parser("set", help="change an account's name or time zone")
    parser.add_argument("account", metavar="name")
    parser.add_argument("--name", help="the new name")
    parser.add_argument("--time-zone", help="by whose days its figures are counted, like America/Sao_Paulo")
    parser.set_defaults(run=change)
    parser = verbs.add_parser("list", help="list every account")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=list_all)


async def add(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Add an account."""
    async with server.build_app(settings, with_queue=False) as app:
        await accounts.add_account(app, arguments.name, actor="command")
    print(f"account {arguments.name} added")
    return 0


async def change(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Change an account."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.change_account(
            app, arguments.account, new_name=arguments.name, time_zone=arguments.time_zone, actor="command"
        )
    print(f"account {account.name}, time zone {account.time_zone}")
    return 0


async def list_all(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List every account."""
    async with server.build_app(settings, with_queue=False) as app:
        rows = pick(await accounts.list_accounts(app), "name", "time_zone", "created_at")
    print_rows(rows, arguments.json, nothing="there is no account yet: grimbots account add <name>")
    return 0
