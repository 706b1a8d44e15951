"""`grimbots campaign`: a published funnel's first messages, said to many leads of a bot."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import pick, print_rows
from grimbots.services import campaigns

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server

COLUMNS = ("id", "bot", "funnel", "audience", "status", "recipients", "sent", "failed", "uncertain", "waiting")
CHANGES = {
    "pause": (campaigns.pause, "paused", "say nothing more until it is resumed"),
    "resume": (campaigns.resume, "running", "go on behind the last recipient"),
    "stop": (campaigns.stop, "stopped", "end it for good"),
}


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("campaign", help="say something to many leads").add_subparsers(
        metavar="verb", required=True
    )
    parser = verbs.add_parser("start", help="say a funnel's first messages to a bot's leads, 25 a second")
    parser.add_argument("--account", required=True)
    parser.add_argument("--bot", required=True, metavar="username")
    parser.add_argument("--funnel", required=True, help="a published funnel that begins with messages")
    parser.add_argument("--audience", choices=campaigns.AUDIENCES, default="all", help="others: who never paid")
    parser.add_argument("--quiet-days", type=int, default=0, help="only who was not heard of for so many days")
    parser.add_argument("--at", type=_read_instant, help="when, as 2026-11-30T09:00-03:00; now if left out")
    parser.set_defaults(run=start)
    parser = verbs.add_parser("list", help="list campaigns and what became of their messages")
    parser.add_argument("--account", required=True)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=list_all)
    for verb, (_, _, said) in CHANGES.items():
        parser = verbs.add_parser(verb, help=said)
        parser.add_argument("id", type=int)
        parser.add_argument("--account", required=True)
        parser.set_defaults(run=change, verb=verb)


async def start(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Start a campaign."""
    async with server.build_app(settings, with_queue=False) as app:
        campaign = await campaigns.start(
            app,
            account=arguments.account,
            bot=arguments.bot,
            funnel=arguments.funnel,
            audience=arguments.audience,
            quiet_days=arguments.quiet_days,
            starts_at=arguments.at or app.clock(),
            actor="command",
        )
    print(
        f"campaign {campaign.id} begins at {campaign.next_slice_at:%Y-%m-%d %H:%M %Z}. "
        f"Look at it: grimbots campaign list --account {arguments.account}"
    )
    return 0


async def list_all(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List campaigns."""
    async with server.build_app(settings, with_queue=False) as app:
        rows = pick(await campaigns.list_campaigns(app, arguments.account), *COLUMNS)
    print_rows(rows, arguments.json, nothing="there is no campaign yet: grimbots campaign start --help")
    return 0


async def change(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Pause, resume or stop a campaign."""
    act, became, _ = CHANGES[arguments.verb]
    async with server.build_app(settings, with_queue=False) as app:
        await act(app, account=arguments.account, campaign_id=arguments.id, actor="command")
    print(f"campaign {arguments.id} is {became}")
    return 0


def _read_instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError("say the time zone too, as in 2026-11-30T09:00-03:00")
    return instant
