"""`grimbots gateway`: the payment providers accounts are paid through."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import print_rows
from grimbots.handlers.commands.prompts import ask_secret
from grimbots.services import accounts, connections, gateway_accounts
from grimbots.services.errors import Invalid
from grimbots.services.gateways.scan import offered_gateways

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("gateway", help="payment providers").add_subparsers(metavar="verb", required=True)
    parser = verbs.add_parser(
        "add", help="connect an account; its credentials are asked for, or read from a pipe, a line each"
    )
    parser.add_argument("gateway", help="one of `grimbots gateway list`")
    parser.add_argument("--account", required=True)
    parser.set_defaults(run=add)
    parser = verbs.add_parser("list", help="list the providers this installation offers, and what each asks for")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=list_all)
    parser = verbs.add_parser(
        "test", help="ask a provider whether it takes an account's credentials; nothing is charged"
    )
    parser.add_argument("id", type=int, help="of the gateway account, as `grimbots gateway add` printed it")
    parser.add_argument("--account", required=True)
    parser.add_argument(
        "--register",
        action="store_true",
        help="then tell it where to post events; a bank knows one address per PIX key",
    )
    parser.set_defaults(run=test)


async def add(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Connect an account to a provider; new charges go there from now on."""
    offered = offered_gateways(settings)
    if arguments.gateway not in offered:
        raise Invalid(f"there is no gateway {arguments.gateway!r} here: grimbots gateway list shows them")
    credentials = {field.name: ask_secret(field.label) for field in offered[arguments.gateway].fields}
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        added = await gateway_accounts.add_gateway_account(app, account.id, arguments.gateway, credentials, "command")
        address = gateway_accounts.notification_url(app, added)
    print(f"{arguments.account} is paid through {arguments.gateway} from now on; its webhook address there:\n{address}")
    print(f"try it: grimbots gateway test {added.id} --account {arguments.account} --register")
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


async def test(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Try a gateway account; exit code 1 when the provider says no."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        which = {"account_id": account.id, "gateway_account_id": arguments.id}
        refusal = await connections.test(app, **which)
        if refusal is None and arguments.register:
            refusal = await connections.register(app, **which, actor="command")
    if refusal is not None:
        print(refusal.reason)
        return 1
    print("the provider takes these credentials" + (" and knows where to post events" if arguments.register else ""))
    return 0
