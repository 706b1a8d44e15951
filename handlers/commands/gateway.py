"""`grimbots gateway`: the payment providers accounts are paid through."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import pick, print_rows
from grimbots.handlers.commands.prompts import ask, ask_secret
from grimbots.services import accounts, breakers, gateway_accounts, gateway_tests, registrations, statements
from grimbots.services.errors import Invalid

if TYPE_CHECKING:
    from datetime import datetime

    from grimbots.handlers.commands.cli import Server
    from grimbots.services.gateways.base import Field

LIMITS = {
    "least": "of one charge",
    "most": "of one charge",
    "most-day": "of all charges it is asked for on one day of the seller's",
    "most-day-charges": "how many charges it is asked for on one day",
}
SHOWN = ("id", "gateway", "gateway_account_id", "payment_id", "kind", "reference", "detail", "found_at", "closed_at")


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("gateway", help="payment providers").add_subparsers(metavar="verb", required=True)
    parser = verbs.add_parser(
        "add", help="connect an account; its credentials are asked for, or read from a pipe, a line each"
    )
    parser.add_argument("gateway", help="one of `grimbots gateway list`")
    parser.add_argument("--account", required=True)
    parser.add_argument("--backup", action="store_true", help="ask it only where those before it surely make no charge")
    parser.set_defaults(run=add)
    parser = verbs.add_parser("list", help="list the providers this installation offers, or those an account has")
    parser.add_argument("--account", help="of this account: in the order they are asked, their limits and breakers")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=list_all)
    parser = verbs.add_parser("order", help="say which of an account's are asked for new charges, the first one first")
    parser.add_argument("id", type=int, nargs="+", help="one of `grimbots gateway list --account`")
    parser.add_argument("--account", required=True)
    parser.set_defaults(run=order)
    parser = verbs.add_parser("limit", help="bound what one is asked for; what is over goes to the next. In cents")
    parser.add_argument("id", type=int)
    parser.add_argument("--account", required=True)
    for name, what in LIMITS.items():
        parser.add_argument(f"--{name}", type=int, help=f"{what}; without it there is no such limit")
    parser.set_defaults(run=limit)
    parser = verbs.add_parser("differences", help="what providers' statements say otherwise than our rows")
    parser.add_argument("--account", required=True)
    parser.add_argument("--close", type=int, metavar="ID", help="one that was looked into")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=list_differences)
    parser = verbs.add_parser(
        "test", help="ask each provider an account is connected to whether it takes its credentials"
    )
    parser.add_argument("--account", required=True)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=test)
    parser = verbs.add_parser("register", help="tell a provider where to post events, where it is not told by a charge")
    parser.add_argument("id", type=int, help="one of `grimbots gateway test`")
    parser.add_argument("--account", required=True)
    parser.set_defaults(run=register)


async def add(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Connect an account to a provider; new charges go there from now on."""
    offered = gateway_accounts.list_connectable(settings)
    if arguments.gateway not in offered:
        raise Invalid(f"there is no gateway {arguments.gateway!r} here: grimbots gateway list shows them")
    credentials = {field.name: _ask(field) for field in offered[arguments.gateway].fields}
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        if doubt := await gateway_tests.require(app, arguments.gateway, credentials):
            print(f"the provider could not be asked whether it takes these credentials: {doubt}", file=sys.stderr)
        added = await gateway_accounts.add_gateway_account(
            app, account.id, arguments.gateway, credentials, "command", is_backup=arguments.backup
        )
        address = gateway_accounts.notification_url(app, added)
    when = "where those before it make no charge" if arguments.backup else "from now on"
    print(f"{arguments.account} is paid through {arguments.gateway} {when}; its webhook address there:\n{address}")
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
    """List the providers, or an account's."""
    if arguments.account:
        return await _list_accounts(server, settings, arguments)
    offered = gateway_accounts.list_connectable(settings).values()
    rows = [
        {"gateway": gateway.name, "label": gateway.label, "asks": ", ".join(field.name for field in gateway.fields)}
        for gateway in offered
    ]
    print_rows(rows, arguments.json, nothing="this installation offers no payment provider")
    return 0


async def order(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Put an account's in order."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        await gateway_accounts.arrange(app, account.id, arguments.id, "command")
    print("new charges are asked of these, in this order; the others still receive their events")
    return 0


async def limit(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Set all four limits of one."""
    limits = gateway_accounts.Limits(arguments.least, arguments.most, arguments.most_day, arguments.most_day_charges)
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        await gateway_accounts.set_limits(app, account.id, arguments.id, limits, "command")
    print(f"gateway account {arguments.id} is asked for no more than that from now on")
    return 0


async def list_differences(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List what differs, or close one."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        if arguments.close:
            await statements.close(app, account.id, arguments.close, "command")
        rows = await statements.list_open(app, account.id)
    print_rows(pick(rows, *SHOWN), arguments.json, nothing="the statements say what our rows say")
    return 0


async def _list_accounts(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        rows = await app.db.gateway_accounts.list_all(account_id=account.id)
        shown = [_describe(row, app.clock()) for row in rows]
    print_rows(shown, arguments.json, nothing="no provider is connected: grimbots gateway add")
    return 0


def _describe(row: Any, now: datetime) -> dict[str, Any]:
    """Say how one stands: its place, its limits, its breaker, and whether its statement was gone through."""
    place = 1 if row.is_active else row.backup_place and row.backup_place + 1
    return {
        "id": row.id,
        "gateway": row.gateway,
        "place": place,
        "breaker": breakers.state(row, now),
        "until": row.broken_until,
        "why": row.broken_reason,
        **pick([row], "least_cents", "most_cents", "most_day_cents", "most_day_charges")[0],
        **pick([row], "compared_at", "compare_error")[0],
    }
