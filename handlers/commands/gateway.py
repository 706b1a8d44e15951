"""`grimbots gateway`: the payment providers accounts are paid through."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import print_rows
from grimbots.handlers.commands.prompts import ask, ask_secret
from grimbots.services import accounts, gateway_accounts, gateway_tests, registrations
from grimbots.services.errors import Invalid
from grimbots.services.gateways.scan import offered_gateways

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server
    from grimbots.services.gateways.base import Field


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("gateway", help="payment providers").add_subparsers(metavar="verb", required=True)
    parser = verbs.add_parser(
        "add", help="connect an account; its credentials are asked for, or read from a pipe, a line each"
    )
    parser.add_argument("gateway", help="one of `grimbots gateway list`")
    parser.add_argument("--account", required=True)
    parser.set_defaults(run=add)
    parser = verbs.add_parser(
        "test", help="ask each provider an account is connected to whether it takes its credentials"
    )
    parser.add_argument("--account", required=True)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=test)
    parser = verbs.add_parser("list", help="list the providers this installation offers, and what each asks for")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=list_all)
    parser = verbs.add_parser("register", help="tell a provider where to post events, where it is not told by a charge")
    parser.add_argument("id", type=int, help="one of `grimbots gateway test`")
    parser.add_argument("--account", required=True)
    parser.set_defaults(run=register)


async def add(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Connect an account to a provider; new charges go there from now on."""
    offered = offered_gateways(settings)
    if arguments.gateway not in offered:
        raise Invalid(f"there is no gateway {arguments.gateway!r} here: grimbots gateway list shows them")
    credentials = {field.name: _ask(field) for field in offered[arguments.gateway].fields}
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        if doubt := await gateway_tests.require(app, arguments.gateway, credentials):
            print(f"the provider could not be asked whether it takes these credentials: {doubt}", file=sys.stderr)
        added = await gateway_accounts.add_gateway_account(app, account.id, arguments.gateway, credentials, "command")
        address = gateway_accounts.notification_url(app, added)
    print(f"{arguments.account} is paid through {arguments.gateway} from now on; its webhook address there:\n{address}")
    if offered[arguments.gateway].wants_register:
        print(f"now tell it that address: grimbots gateway register {added.id} --account {arguments.account}")
    return 0


def _ask(field: Field) -> str:
    if sys.stdin.isatty():
        print(f"{field.label}: {field.help}", file=sys.stderr)
    return (ask_secret if field.is_secret else ask)(field.label)


async def test(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Ask every provider of an account; 1 if one does not take its credentials."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        results = await gateway_tests.test_all(app, account.id)
    rows = [{"id": result.id, "gateway": result.gateway, "answer": result.words} for result in results]
    print_rows(rows, arguments.json, nothing="no provider is connected: grimbots gateway add")
    return 0 if rows and all(result.is_taken for result in results) else 1


async def register(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Tell the provider of one gateway account its webhook's address."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        await registrations.register(app, account.id, arguments.id, "command")
    print("the provider posts this account's events to us from now on, and nowhere else")
    return 0


async def list_all(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List the providers."""
    offered = offered_gateways(settings).values()
    rows = [
        {"gateway": gateway.name, "label": gateway.label, "asks": ", ".join(field.name for field in gateway.fields)}
        for gateway in offered
    ]
    print_rows(rows, arguments.json, nothing="this installation offers no payment provider")
    return 0
