"""`grimbots domain`: hosts of an account's own for its tracked links."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import pick, print_rows
from grimbots.services import domains

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server

CHANGES = {
    "add": (
        domains.add,
        "note that an account's links shall stand on a domain",
        "let its DNS record lead here, then verify it",
    ),
    "verify": (domains.verify, "ask the domain whether it leads here; then it is served", "links may stand on it now"),
    "remove": (domains.remove, "take a domain on which no link stands out of service", "it is served no more"),
}


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("domain", help="domains of tracked links").add_subparsers(metavar="verb", required=True)
    for verb, (_, said, _) in CHANGES.items():
        parser = verbs.add_parser(verb, help=said)
        parser.add_argument("host", help="like vendas.example.com")
        parser.add_argument("--account", required=True)
        parser.set_defaults(run=change, verb=verb)
    parser = verbs.add_parser("list", help="list the domains")
    parser.add_argument("--account", help="of this account only")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=list_all)


async def change(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Add, verify or remove a domain."""
    act, _, said = CHANGES[arguments.verb]
    async with server.build_app(settings, with_queue=False) as app:
        await act(app, account=arguments.account, host=arguments.host, actor="command")
    print(f"{arguments.host}: {said}")
    return 0


async def list_all(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List domains."""
    async with server.build_app(settings, with_queue=False) as app:
        rows = pick(await domains.list_domains(app, arguments.account), "host", "account", "status", "verified_at")
    print_rows(rows, arguments.json, nothing="there is no domain yet: grimbots domain add <host> --account <name>")
    return 0
