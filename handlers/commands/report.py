"""`grimbots report`: an account's clicks, starts, charges, payments and revenue, by what is asked for."""

from __future__ import annotations

import argparse
from datetime import date
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import print_rows
from grimbots.services import accounts, figures, spreadsheets

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server
    from grimbots.services.app import App
    from grimbots.services.figures import Span

DAYS = 7


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("report", help="count clicks, starts, charges, payments and revenue")
    parser.add_argument("--account", required=True)
    parser.add_argument(
        "--by", type=_read_dimensions, default=["day"], metavar="day,source", help=", ".join(figures.DIMENSIONS)
    )
    parser.add_argument("--days", type=int, help=f"the last so many of the account's days, today included ({DAYS})")
    parser.add_argument("--from", type=date.fromisoformat, dest="first", metavar="2026-11-01", help="or from this day")
    parser.add_argument("--to", type=date.fromisoformat, dest="last", metavar="2026-11-30", help="to this one; today")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line")
    form.add_argument("--csv", action="store_true", help="for spreadsheets; texts in it are never formulas")
    parser.set_defaults(run=run)


async def run(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Print a report."""
    async with server.build_app(settings, with_queue=False) as app:
        lines = await figures.report(app, await _choose_span(app, arguments), arguments.by)
    rows = [figures.describe(line, arguments.by) for line in lines]
    if arguments.csv:
        print(spreadsheets.write(figures.columns(arguments.by), [tuple(row.values()) for row in rows]), end="")
    else:
        print_rows(rows, arguments.json, nothing="nothing happened in these days")
    return 0


async def _choose_span(app: App, arguments: argparse.Namespace) -> Span:
    account = await accounts.get_account(app, arguments.account)
    zone = figures.open_zone(account.time_zone)
    span = figures.span_days(account.id, zone, app.clock(), arguments.days or DAYS)
    if arguments.first is None:
        return span
    return figures.Span(account.id, zone, arguments.first, arguments.last or span.last_day)


def _read_dimensions(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if not set(names) <= set(figures.DIMENSIONS) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"choose of {', '.join(figures.DIMENSIONS)}, each once, with commas between")
    return names
