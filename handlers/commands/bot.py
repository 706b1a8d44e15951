"""`grimbots bot`: bots in service, the sandbox's and the real Telegram's alike."""

from __future__ import annotations

import argparse
import asyncio
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands import bot_leads
from grimbots.handlers.commands.prints import pick, print_rows
from grimbots.handlers.commands.prompts import ask_secret
from grimbots.services import births, bots, managed_bots, storages, tokens
from grimbots.services.errors import Invalid

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server
    from grimbots.services.app import App

PROGRESS_SECONDS = 1.0


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("bot", help="bots in service").add_subparsers(metavar="verb", required=True)
    parser = _add_verb(verbs, "add", add, "add a bot; its token is asked for, or read from a pipe")
    parser.add_argument("--funnel", help="name of a published funnel the bot sells with")
    parser = _add_verb(verbs, "import", import_all, "add many bots, a token[,funnel] a line; safe to repeat")
    parser.add_argument("file", nargs="?", type=Path, help="standard input when not given")
    parser.add_argument("--funnel", help="of the bots whose line names none")
    parser.add_argument("--no-wait", action="store_true", help="leave it to the server to bring them to life")
    parser = _add_verb(
        verbs, "new", invite, "announce a bot and print the link that makes it, without a token to paste"
    )
    parser.add_argument("username", help="of the bot that is to be made")
    parser.add_argument("--manager", required=True, help="the account's bot that manages it")
    parser.add_argument("--name", default="", help="that chats show")
    parser.add_argument("--funnel", help="name of a published funnel the bot sells with")
    parser = verbs.add_parser("list", help="list the bots in service")
    parser.add_argument("--account", help="of this account only")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=list_all)
    parser = _add_verb(verbs, "token", change_token, "give a bot its new token, asked for or read from a pipe")
    parser.add_argument("username")
    parser.add_argument("--replace", action="store_true", help="by another bot, which its leads have to start anew")
    parser.add_argument("--managed", action="store_true", help="let its manager make the new token")
    parser = _add_verb(verbs, "webhook", repair_webhook, "make Telegram send a bot's updates here again")
    parser.add_argument("username")
    parser = _add_verb(
        verbs, "storage", set_storage, "name the chat where a bot keeps its media and tells what is wrong"
    )
    parser.add_argument("username")
    parser.add_argument(
        "--chat", type=int, help="id of a chat or channel; when not given, a link is printed that makes it yours"
    )
    bot_leads.add_to(verbs)
    parser = _add_verb(verbs, "remove", remove, "take a bot out of service; its sales stay")
    parser.add_argument("username")


def _add_verb(verbs: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    """Add a verb about bots of one account."""
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text)
    parser.add_argument("--account", required=True)
    parser.set_defaults(run=run)
    return parser


async def add(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Add a bot and point its webhook here."""
    token = ask_secret("Token of the bot")
    async with server.build_app(settings, with_queue=False) as app:
        bot = await bots.add(app, account=arguments.account, token=token, funnel=arguments.funnel, actor="command")
    print(f"@{bot.username} is in service: its updates come to {settings.base_url}")
    if settings.sandbox:
        print(f"talk to it at {settings.base_url}/sandbox")
    return 0


async def list_all(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List bots in service."""
    async with server.build_app(settings, with_queue=False) as app:
        found = await bots.list_bots(app, arguments.account)
    rows = pick(found, "account", "username", "name", "funnel", "status", "status_reason", "created_at")
    print_rows(rows, arguments.json, nothing="there is no bot yet: grimbots bot add --account <name>")
    return 0


async def remove(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Take a bot out of service."""
    async with server.build_app(settings, with_queue=False) as app:
        await bots.remove(app, account=arguments.account, username=arguments.username, actor="command")
    print(f"@{arguments.username.removeprefix('@')} is out of service")
    return 0


async def change_token(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Give a bot another token."""
    token = "" if arguments.managed else ask_secret("New token of the bot")
    async with server.build_app(settings, with_queue=False) as app:
        bot = await bots.get_by_username(app, arguments.account, arguments.username)
        if arguments.managed:
            changed = await managed_bots.fetch_token(app, bot, actor="command", anew=True)
        else:
            changed = await tokens.change(app, bot, token, actor="command", replaces=arguments.replace)
    print(f"@{changed.username} is in service with its new token")
    if changed.telegram_id != bot.telegram_id:
        print(f"it took the place of @{bot.username}: leads go on where they stood as soon as they start the new one")
    return 0


async def repair_webhook(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Set a bot's webhook to ours again."""
    async with server.build_app(settings, with_queue=False) as app:
        bot = await bots.get_by_username(app, arguments.account, arguments.username)
        await tokens.repair(app, bot.account_id, bot.id, actor="command")
    print(f"@{bot.username} is in service: its updates come to {settings.base_url}")
    return 0


async def set_storage(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Name the chat where a bot keeps its media."""
    async with server.build_app(settings, with_queue=False) as app:
        bot = await bots.get_by_username(app, arguments.account, arguments.username)
        if arguments.chat is None:
            print(storages.make_link(app, bot))
            print("Open it and press Start: your chat with the bot is where it keeps its media. The link serves once.")
            return 0
        await storages.name(app, bot, arguments.chat, actor="command")
    print("the bot has greeted there; the media of its funnel follow within a minute, while a server runs")
    return 0


async def invite(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Announce a managed bot."""
    async with server.build_app(settings, with_queue=False) as app:
        wanted = {name: getattr(arguments, name) for name in ("account", "manager", "username", "name", "funnel")}
        link = await managed_bots.invite(app, **wanted, actor="command")
    print(link)
    print("Open it in Telegram within a week and confirm: the bot enters service by itself.")
    return 0


async def import_all(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Add the bots of a file and watch them being brought to life; interrupted it goes on in the server."""
    lines = list(_read_lines(_read_text(arguments.file), arguments.funnel))
    if not lines:
        raise Invalid("no token was given: write one a line, with its funnel's name behind a comma if need be")
    async with server.build_app(settings, with_queue=False) as app:
        taken = await births.take_in(app, arguments.account, lines, actor="command")
        print(f"{taken.added} bots taken in, {taken.known} known already, {len(taken.mistakes)} lines refused")
        for number, said in taken.mistakes:
            print(f"line {number}: {said}")
        if not arguments.no_wait:
            await _bring_all(app, arguments.account)
    return 1 if taken.mistakes else 0


def _read_text(file: Path | None) -> str:
    """Read what is to be imported.

    Raises:
        Invalid: there is no such file, or it is no text.
    """
    try:
        return sys.stdin.read() if file is None else file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file or 'standard input'} cannot be read: {error}") from error


def _read_lines(text: str, funnel: str | None) -> Iterator[births.Line]:
    """Read token[,funnel] a line; blank lines, comments and a heading are passed over."""
    for number, cells in enumerate(csv.reader(text.splitlines()), 1):
        token, named, *_ = [cell.strip() for cell in (*cells, "", "")]
        if token and not token.startswith("#") and token.lower() != "token":
            yield births.Line(number, token, named or funnel)


async def _bring_all(app: App, account: str) -> None:
    """Bring an account's new bots to life, beside the server if one runs, and say how far it is."""
    said = ""
    while True:
        await births.bring_due(app)
        told = await births.describe_progress(app, account)
        if said != (said := str(told)):
            print(told, flush=True)
        if not told.waiting:
            return
        await asyncio.sleep(PROGRESS_SECONDS)
