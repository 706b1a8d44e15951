"""`grimbots queue pause|drain|resume`: stop a queue, a bot or an account, and let it go on."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import print_rows
from grimbots.services import stops
from grimbots.services.errors import Invalid

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server
    from grimbots.queue.job import StopKind
    from grimbots.services.app import App

HELPS = {
    "pause": "start nothing of a queue, a bot or an account until it is resumed; new work waits",
    "drain": "let nothing new in until it is resumed, and work off what waits",
    "resume": "end a pause and a drain",
}
SAID = {
    "pause": "is paused: nothing of it starts, what runs finishes, new work waits",
    "drain": "takes nothing new: senders are refused and try again, what waits is worked off",
    "resume": "goes on: what waited starts now",
}
NOT_STOPPED = "was not stopped: nothing was done"


def add_to(verbs: Any) -> None:
    """Add the three verbs."""
    for verb, text in HELPS.items():
        parser = verbs.add_parser(verb, help=text, description=f"{text}. Without a name: list what is stopped.")
        parser.add_argument("queue", nargs="?")
        parser.add_argument("--account", metavar="name")
        parser.add_argument("--bot", metavar="username", help="of the account that --account names")
        parser.add_argument("--source", metavar="name", help="a bot as the queue names it: b7")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
        parser.set_defaults(run=act, verb=verb)


async def act(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Pause, drain or resume what is named; list what is stopped where nothing is."""
    async with server.build_app(settings) as app:
        place = await _find_place(app, arguments)
        if place is None:
            return await _list(app, arguments.json)
        done = await stops.act_by_command(app, arguments.verb, *place)
    _tell(*place, arguments, done=done)
    return 0 if done else 1


async def _list(app: App, as_json: bool) -> int:
    rows = [asdict(stop) for stop in await stops.list_stops(app)]
    print_rows(rows, as_json, nothing="nothing is stopped: grimbots queue pause --help")
    return 0


async def _find_place(app: App, arguments: argparse.Namespace) -> tuple[StopKind, str] | None:
    """Find what is meant, as the queue names it.

    Raises:
        Invalid: more than one thing is named, or a bot without its account.
        NotFound: there is no such account or bot.
    """
    queue, account, bot, source = arguments.queue, arguments.account, arguments.bot, arguments.source
    if sum(map(bool, (queue, account, source))) > 1 or (bot and not account):
        raise Invalid("name one: a queue, --account, --account with --bot, or --source")
    if bot:
        return "source", await stops.find_bot(app, account, bot)
    if account:
        return "account", await stops.find_account(app, account)
    if source:
        return "source", source
    return ("queue", queue) if queue else None


def _tell(kind: StopKind, name: str, arguments: argparse.Namespace, *, done: bool) -> None:
    meaning = SAID[arguments.verb] if done else NOT_STOPPED
    if arguments.json:
        row = {"verb": arguments.verb, "kind": kind, "name": name, "done": done, "meaning": meaning}
        print_rows([row], True, nothing="")
        return
    print(f"{kind} {name} {meaning}")
    if arguments.verb != "resume":
        how = name if kind == "queue" else f"--account {arguments.account}" if kind == "account" else f"--source {name}"
        print(f"It stays so over restarts, until: grimbots queue resume {how}")
