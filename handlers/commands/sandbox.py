"""`grimbots sandbox`: the local Telegram and payment provider, and its BotFather."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings, SettingsError
from grimbots.services.clients.http import HttpClient
from grimbots.services.errors import Invalid
from grimbots.services.sandbox.server import serve

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server

ANSWER_SECONDS = 10.0


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("sandbox", help="run the local Telegram and payment provider, or make a bot in it")
    parser.set_defaults(run=run)
    verbs = parser.add_subparsers(metavar="verb")
    maker = verbs.add_parser(
        "new-bot", help="make a bot in the running sandbox and print its token, as @BotFather does"
    )
    maker.add_argument("username")
    maker.add_argument("--name", default="", help="the name chats show (the username when not given)")
    maker.set_defaults(run=new_bot)


async def run(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Serve the sandbox until SIGTERM or Ctrl-C."""
    serving = asyncio.create_task(serve(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    await asyncio.wait([serving])
    if not serving.cancelled():
        serving.result()
    return 0


async def new_bot(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Make a bot and print its token: worth nothing outside this sandbox."""
    if not settings.sandbox:
        raise SettingsError("No sandbox is open here: start `make run` first, or set GRIMBOTS_SANDBOX=1")
    http = HttpClient()
    await http.open()
    try:
        print(await make_bot(http, settings, arguments.username, arguments.name or arguments.username))
    finally:
        await http.close()
    return 0


async def make_bot(http: HttpClient, settings: Settings, username: str, name: str) -> str:
    """Make a bot in the sandbox, or find the one of that username, and give its token.

    Raises:
        Invalid: the sandbox refuses the username.
        NeverSent, Ambiguous: no sandbox answers.
    """
    response = await http.request(
        "POST",
        f"{settings.sandbox_url}/sandbox/api/bots",
        party="sandbox",
        json={"username": username, "name": name},
        timeout_seconds=ANSWER_SECONDS,
    )
    answer = json.loads(response.body)
    if response.status != 200:
        raise Invalid(answer["error"]["message"])
    token: str = answer["token"]
    return token
