"""`grimbots conversion`: what ad networks and sellers' own servers are told, what they answered, and who is told."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import pick, print_fields, print_rows
from grimbots.handlers.commands.prompts import ask_secret
from grimbots.services import accounts, conversion_destinations, conversion_events, stories
from grimbots.services.conversion_destinations import Wish
from grimbots.services.conversions.base import Field
from grimbots.services.conversions.scan import find_networks
from grimbots.services.errors import Invalid

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server

PLACES = ("id", "network", "status", "reason", "events", "bot_ids", "pool_ids", "test_event_code", "created_at")
COLUMNS = ("id", "network", "event", "payment_id", "status", "tries", "answer", "planned_at", "ended_at")
STATUSES = ("planned", "sent", "skipped", "refused", "expired", "uncertain")


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("conversion", help="what ad networks are told").add_subparsers(
        metavar="verb", required=True
    )
    _add_places(verbs)
    parser = _add(verbs, "list", list_all, "list what was told, the newest first", shows=True)
    parser.add_argument("--status", choices=STATUSES, help="only these")
    parser.add_argument("--payment", type=int, help="only of this payment")
    parser.add_argument("--limit", type=int, default=50)
    parser = _add(verbs, "show", show, "show one event: what was sent and what came back", shows=True)
    parser.add_argument("id", type=int)
    parser = _add(verbs, "retry", retry, "send an event again that was not taken")
    parser.add_argument("id", type=int)
    parser = _add(verbs, "silence", silence, "report nothing of a lead any more; --off takes that back")
    parser.add_argument("--bot", required=True, metavar="username")
    parser.add_argument("--lead", required=True, help="a chat id or an @username")
    parser.add_argument("--off", action="store_true")


def _add_places(verbs: Any) -> None:
    parser = verbs.add_parser("networks", help="list who can be told, and what each asks for")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=list_networks)
    parser = _add(verbs, "add", add, "have a network told; what it asks for is asked for, or piped, a line each")
    parser.add_argument("network", help="one of `grimbots conversion networks`")
    parser.add_argument("--event", action="append", default=[], help="only this one (may be repeated)")
    parser.add_argument("--bot", action="append", default=[], help="only what happens in this bot")
    parser.add_argument("--link", action="append", default=[], help="only what comes by this link (its slug)")
    parser.add_argument("--test-event-code", default="", help="the network shows the events as tests")
    _add(verbs, "destinations", list_places, "list who is told", shows=True)
    parser = _add(verbs, "resume", resume, "send again to a destination that was paused")
    parser.add_argument("id", type=int)
    parser.add_argument("--new-credentials", action="store_true", help="ask for other ones")
    parser = _add(verbs, "remove", remove, "tell a destination nothing more")
    parser.add_argument("id", type=int)


def _add(verbs: Any, name: str, run: Any, said: str, *, shows: bool = False) -> Any:
    parser = verbs.add_parser(name, help=said)
    parser.add_argument("--account", required=True)
    if shows:
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=run)
    return parser


async def list_networks(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List the networks."""
    rows = [
        {
            "network": network.name,
            "label": network.label,
            "asks": ", ".join(field.name for field in network.fields),
            "events": ", ".join(sorted(network.events)),
        }
        for network in find_networks().values()
    ]
    print_rows(rows, arguments.json, nothing="this installation knows no network")
    return 0


async def add(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Add a destination."""
    credentials = _ask_all(arguments.network)
    wish = Wish(
        arguments.network, credentials, arguments.event, arguments.bot, arguments.link, arguments.test_event_code
    )
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        added = await conversion_destinations.add(app, account.id, wish, "command")
    print(f"{arguments.network} is told what happens in {arguments.account} from now on: destination {added}")
    return 0


async def list_places(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List an account's destinations."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        rows = pick(await conversion_destinations.list_all(app, account.id), *PLACES)
    print_rows(rows, arguments.json, nothing="nobody is told anything")
    return 0


async def resume(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Send again to a paused destination."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        place = await conversion_destinations.get(app, account.id, arguments.id)
        credentials = _ask_all(place.network) if arguments.new_credentials else None
        await conversion_destinations.resume(app, account.id, place.id, "command", credentials)
    print(f"destination {arguments.id} is sent to again, beginning with what waited")
    return 0


async def remove(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Remove a destination."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        await conversion_destinations.remove(app, account.id, arguments.id, "command")
    print(f"destination {arguments.id} is told nothing more")
    return 0


async def list_all(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List events."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        if arguments.payment is None:
            rows = await conversion_events.list_page(app, account.id, arguments.status, arguments.limit)
            shown = pick(rows, *COLUMNS)
        else:
            rows = await conversion_events.list_by_payment(app, account.id, arguments.payment)
            shown = pick(rows, *(column for column in COLUMNS if column != "payment_id"))
    print_rows(shown, arguments.json, nothing="nothing was told")
    return 0


async def show(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Show an event."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        row = await conversion_events.get(app, account.id, arguments.id)
    print_fields(row._asdict(), arguments.json)
    return 0


async def retry(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Send an event again."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        await conversion_events.retry(app, account.id, arguments.id, "command")
    print(f"conversion {arguments.id} is sent again in a moment")
    return 0


async def silence(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Report nothing of a lead, or again."""
    async with server.build_app(settings, with_queue=False) as app:
        lead = await stories.find_lead(app, account=arguments.account, bot=arguments.bot, who=arguments.lead)
        async with app.db.transaction() as tx:
            await conversion_events.set_reported(
                tx, account_id=lead.account_id, lead_id=lead.id, is_reported=arguments.off
            )
    print(f"{'what happens is reported' if arguments.off else 'nothing is reported'} of {arguments.lead} from now on")
    return 0


def _ask_all(name: str) -> dict[str, str]:
    network = find_networks().get(name)
    if network is None:
        raise Invalid(f"there is no network {name!r} here: grimbots conversion networks shows them")
    return {field.name: _ask(field) for field in network.fields}


def _ask(field: Field) -> str:
    """Ask for one field; an optional one may be left empty."""
    try:
        return ask_secret(field.label)
    except Invalid:
        if field.is_optional:
            return ""
        raise
