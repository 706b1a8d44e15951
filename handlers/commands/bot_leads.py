"""`grimbots bot leads`: the people a bot knew in the original GRIMBOTS (docs/moving.md)."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.services import bots, old_leads

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server


def add_to(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser("leads", help="bring a bot's leads from the original's database; safe to repeat")
    parser.add_argument("username")
    parser.add_argument("--account", required=True)
    parser.add_argument("--from", dest="database", required=True, metavar="ADDRESS", help="like sqlite:///saas_bot.db")
    parser.add_argument("--write", action="store_true", help="add them; without it they are only counted")
    parser.set_defaults(run=bring_leads)


async def bring_leads(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Count the leads, and add them where that is wanted."""
    async with server.build_app(settings, with_queue=False) as app:
        bot = await bots.get_by_username(app, arguments.account, arguments.username)
        found = Counter[str]()
        people = old_leads.read_leads(arguments.database, bot.telegram_id, app.clock())
        if arguments.write:
            added = await old_leads.bring_in(app, bot, people, actor="command")
            print(f"{added} leads of @{bot.username} came along; who was known here already is as before")
            return 0
        for lead in people:
            found.update(["leads", lead.status, *lead.tags])
    blocked, buyers = found["blocked"], found[old_leads.BOUGHT]
    print(f"{found['leads']} leads of @{bot.username}: {blocked} do not want to hear of it, {buyers} have bought")
    print("nothing is changed: --write adds them", file=sys.stderr)
    return 0
