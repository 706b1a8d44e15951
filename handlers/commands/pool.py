"""`grimbots pool`: tracked links, /go/<slug>, that spread their clicks over bots of an account."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grimbots.conf.foreign_json import read_json
from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import pick, print_rows
from grimbots.services import pools
from grimbots.services.errors import Invalid
from grimbots.services.pool_strategies.scan import find_strategies

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server

BOTS = "one or more, in the order of their turns, each as username, username:weight or username:weight:priority"
LANDING = "show a page on the way; a JSON file with title, and if wanted text, button, seconds, pixel_id"


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("pool", help="tracked links").add_subparsers(metavar="verb", required=True)
    strategies = find_strategies()
    ways = "; ".join(f"{name}: {strategies[name].summary}" for name in sorted(strategies))
    parser = verbs.add_parser("add", help="add a link, or give one of the account its bots anew", epilog=ways)
    parser.add_argument("slug", help="the word in the link: /go/<slug>")
    parser.add_argument("--account", required=True)
    parser.add_argument("--bot", required=True, nargs="+", metavar="username", help=BOTS)
    parser.add_argument("--strategy", choices=sorted(strategies), default="round_robin", help="which bot is next")
    parser.add_argument("--domain", default="", help="a verified domain of the account (grimbots domain)")
    parser.add_argument("--landing", type=Path, metavar="file", help=LANDING)
    parser.set_defaults(run=add)
    parser = verbs.add_parser("list", help="list the links in service")
    parser.add_argument("--account", help="of this account only")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=list_all)
    parser = verbs.add_parser("remove", help="take a link out of service; its clicks stay")
    parser.add_argument("slug", help="as the list shows it: on a domain, <host>/<slug>")
    parser.add_argument("--account", required=True)
    parser.set_defaults(run=remove)


async def add(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Add a link."""
    landing = None if arguments.landing is None else _read_file(arguments.landing)
    async with server.build_app(settings, with_queue=False) as app:
        link = await pools.save(
            app,
            account=arguments.account,
            slug=arguments.slug,
            usernames=arguments.bot,
            actor="command",
            domain=arguments.domain,
            strategy=arguments.strategy,
            landing=landing,
        )
    print(f"{link} leads to {', '.join(arguments.bot)}")
    return 0


async def list_all(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List links in service."""
    columns = ("account", "slug", "strategy", "landing", "bots", "created_at")
    async with server.build_app(settings, with_queue=False) as app:
        rows = pick(await pools.list_pools(app, arguments.account), *columns)
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


def _read_file(path: Path) -> dict[str, Any]:
    try:
        given = read_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Invalid(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(given, dict):
        raise Invalid(f"{path} holds no JSON object")
    return given
