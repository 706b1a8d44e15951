"""`grimbots ledger`: an account's book: what moved, what the provider holds, and whether all of it adds up."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import pick, print_rows
from grimbots.services import accounts, figures, ledger, spreadsheets

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server
    from grimbots.services.ledger import Statement

DAYS = 30
DIFFERENCES = ("account_id", "payment_id", "place", "booked_cents", "counted_cents")


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("ledger", help="the book of every cent").add_subparsers(metavar="verb", required=True)
    parser = verbs.add_parser(
        "check", help="count receipts, returns and deliveries again; exit code 1: the book differs"
    )
    parser.add_argument("account", nargs="?", help="all of them if left out")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=check)
    parser = verbs.add_parser("statement", help="what moved in some of the account's days, and what the provider holds")
    parser.add_argument("account")
    parser.add_argument(
        "--from", type=date.fromisoformat, dest="first", metavar="2026-11-01", help=f"{DAYS} days ago if left out"
    )
    parser.add_argument("--to", type=date.fromisoformat, dest="last", metavar="2026-11-30", help="today if left out")
    parser.add_argument(
        "--currency",
        choices=ledger.CURRENCIES,
        default="BRL",
        help="XTR: what was sold for Telegram Stars, in whole Stars",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line")
    form.add_argument("--csv", action="store_true", help="for spreadsheets; texts in it are never formulas")
    parser.set_defaults(run=state)
    parser = verbs.add_parser("commission", help="set or show what the installation keeps of an account's sales")
    parser.add_argument("account")
    parser.add_argument("--percent", type=_read_points, dest="points", metavar="4.5")
    parser.add_argument("--cents", type=int, help="and so many cents of each sale")
    parser.set_defaults(run=commission)


async def check(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Print where the book says something else than what it is the book of."""
    async with server.build_app(settings, with_queue=False) as app:
        account_id = (await accounts.get_account(app, arguments.account)).id if arguments.account else None
        found = await ledger.check(app, account_id)
    print_rows(pick(found, *DIFFERENCES), arguments.json, nothing="every cent adds up")
    return 1 if found else 0


async def state(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Print a statement; people read below it what it adds up to."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        zone = figures.open_zone(account.time_zone)
        span = figures.span_days(account.id, zone, app.clock(), DAYS)
        days = (arguments.first or span.first_day, arguments.last or span.last_day)
        statement = await ledger.state(app, figures.Span(account.id, zone, *days), arguments.currency)
    if arguments.csv:
        lines = [tuple(line.values()) for line in statement.lines]
        sys.stdout.write(spreadsheets.write(ledger.COLUMNS, lines))
        return 0
    print_rows(statement.lines, arguments.json, nothing="nothing moved in these days")
    if not arguments.json:
        _print_summary(statement)
    return 0


async def commission(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Set or show an account's commission."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        if (arguments.points, arguments.cents) != (None, None):
            rate = {"points": arguments.points or 0, "cents": arguments.cents or 0}
            await ledger.set_commission(app, account.name, **rate, actor="command")
        terms = await ledger.get_commission(app, account.id)
    print(f"the installation keeps {describe(terms)} of each sale of {account.name}")
    return 0


def describe(terms: ledger.Commission) -> str:
    """Write a commission: 4.50% and 30 cents."""
    return f"{terms.points / 100:.2f}% and {terms.cents} cents"


def _print_summary(statement: Statement) -> None:
    rows = [
        {"place": place, "before": statement.opening[place], "after": statement.closing[place]}
        for place in ledger.PLACES
    ]
    print()
    print_rows(rows, as_json=False, nothing="")
    print(f"\nThe installation keeps {describe(statement.commission)} of each sale.")
    if statement.unknown_fees:
        print(
            f"Of {statement.unknown_fees} transfers the provider has not said what it keeps: its fees are not in here."
        )


def _read_points(text: str) -> int:
    try:
        return round(float(text) * 100)
    except ValueError as error:
        raise argparse.ArgumentTypeError("a percentage, like 4.5") from error
