"""`grimbots event`: what payment providers told us and no charge could be settled with."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from grimbots.conf.redactions import scrub
from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import pick, print_fields, print_rows
from grimbots.services import accounts, events

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server

LISTED = ("id", "gateway", "verified", "status", "payment_id", "received_at")
SHOWN = (
    "id",
    "gateway",
    "verified",
    "status",
    "reason",
    "payment_id",
    "retries",
    "received_at",
    "settled_at",
    "suffix",
)


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("event", help="providers' events").add_subparsers(metavar="verb", required=True)
    parser = _add_verb(verbs, "list", list_all, "list those that no charge could be settled with, the newest first")
    parser.add_argument("--before", type=int, metavar="ID", help="those older than this one")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser = _add_verb(verbs, "show", show, "show one, with what it said; secrets and personal data are struck out")
    parser.add_argument("id", type=int)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser = _add_verb(verbs, "retry", retry, "have one acted upon again")
    parser.add_argument("id", type=int)


def _add_verb(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text)
    parser.add_argument("--account", required=True)
    parser.set_defaults(run=run)
    return parser


async def list_all(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List what was left over."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        rows = await events.list_left_over(app, account.id, arguments.before)
    print_rows(pick(rows, *LISTED), arguments.json, nothing="every event found its charge")
    return 0


async def show(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Show one."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        event = await events.get(app, account.id, arguments.id)
    said = scrub(bytes(event.body).decode(errors="replace"))
    print_fields({**pick([event], *SHOWN)[0], "body": said}, arguments.json)
    return 0


async def retry(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Have one acted upon again."""
    async with server.build_app(settings) as app:
        account = await accounts.get_account(app, arguments.account)
        await events.retry(app, account.id, arguments.id, actor="command")
    print(f"event {arguments.id} is acted upon again: grimbots event show tells what came of it")
    return 0
