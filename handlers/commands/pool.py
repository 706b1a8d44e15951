"""`grimbots pool`: tracked links, /go/<slug>, that spread their clicks over bots of an account."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import pick, print_rows
from grimbots.services import pools

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("pool", help="tracked links").add_subparsers(metavar="verb", required=True)
    parser = verbs.add_parser("add", help="add a link, or give one of the account its bots anew")
    parser.add_argument("slug", help="the word in the link: /go/<slug>")
    parser.add_argument("--account", required=True)
    parser.add_argument(
        "--bot", required=True, nargs="+", metavar="username", help="one or more, in the order of their turns"
    )
    parser.set_defaults(run=add)
    parser = verbs.add_parser("list", help="list the links in service")
    parser.add_argument("--account", help="of this account only")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=list_all)
    parser = verbs.add_parser("remove", help="take a link out of service; its clicks stay")
    parser.add_argument("slug")
    parser.add_argument("--account", required=True)
    parser.set_defaults(run=remove)


async def add(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Add a link."""
    async with server.build_app(settings, with_queue=False) as app:
        await pools.save(app, account=arguments.account, slug=arguments.slug, usernames=arguments.bot, actor="command")
    print(f"{settings.base_url}/go/{arguments.slug} leads to {', '.join(arguments.bot)}")
    return 0


async def list_all(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List links in service."""
    async with server.build_app(settings, with_queue=False) as app:
        rows = pick(await pools.list_pools(app, arguments.account), "account", "slug", "bots", "created_at")
    print_rows(
        rows, arguments.json, nothing="there is no link yet: grimbots pool add <slug> --account <name> --bot <username>"
    )
    return 0


async def remove(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Take a link out of service."""
    async with server.build_app(settings, with_queue=False) as app:
        await pools.remove(app, account=arguments.account, slug=arguments.slug, actor="command")
    print(f"/go/{arguments.slug} leads nowhere now")
    return 0
