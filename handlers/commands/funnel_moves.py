"""`grimbots funnel move`: the settings of a bot of the original GRIMBOTS become a funnel (docs/moving.md)."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grimbots.conf.foreign_json import read_json
from grimbots.conf.settings import Settings
from grimbots.services import accounts, bots
from grimbots.services.errors import Invalid
from grimbots.services.funnels import versions
from grimbots.services.funnels.check import check
from grimbots.services.funnels.moving.funnels import Moved, move
from grimbots.services.funnels.texts import LANGUAGES

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server

MOST_CHARACTERS = 10_000_000
TITLES = {
    "pt-BR": {"taken": "Veio junto", "left": "Não veio, confira", "changed": "Diferente, de propósito"},
    "en": {"taken": "Came along", "left": "Did not come, look at it", "changed": "Another way, on purpose"},
}


def add_to(verbs: Any) -> None:
    """Add the verb."""
    parser = verbs.add_parser("move", help="make a funnel of the settings of a bot of the original GRIMBOTS")
    parser.add_argument("file", help="its settings as JSON, or a flow its editor exported; - reads what is piped in")
    parser.add_argument("--name", default="", help="of the funnel, instead of the bot's")
    parser.add_argument("--out", type=Path, help="write the funnel to this file, to be looked at and published")
    parser.add_argument("--publish", action="store_true", help="publish it at once; needs --account")
    parser.add_argument("--account")
    parser.add_argument("--bot", help="username of the account's bot that is to walk it from now on; with --publish")
    parser.add_argument("--language", choices=LANGUAGES, default=LANGUAGES[0], help="of the answers")
    parser.add_argument("--json", action="store_true", help="one JSON object: funnel, remarks, problems")
    parser.set_defaults(run=move_settings)


async def move_settings(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Say what becomes of old settings, and write or publish it where that is wanted; 1 where it has mistakes."""
    if arguments.publish and not arguments.account:
        raise Invalid("name the account that is to have the funnel: --account")
    moved = move(await asyncio.to_thread(_read, arguments.file), arguments.name)
    problems = check(moved.definition, {}, arguments.language)
    _print(moved, [str(problem) for problem in problems], arguments)
    if arguments.out is not None:
        await asyncio.to_thread(_write, arguments.out, moved.definition)
    if problems or not arguments.publish:
        return 1 if problems else 0
    await _publish(server, settings, arguments, moved)
    return 0


async def _publish(server: Server, settings: Settings, arguments: argparse.Namespace, moved: Moved) -> None:
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        published = await versions.publish(app, account.id, moved.definition, {}, actor="command")
        name = moved.definition["name"]
        if arguments.bot:
            await bots.set_funnel(app, arguments.account, arguments.bot, name, actor="command")
    print(f"funnel {name} of {arguments.account}: version {published.number} is current", file=sys.stderr)


def _read(file: str) -> Any:
    """Read JSON from a file or from what is piped in.

    Raises:
        Invalid: it cannot be read, is too large, or is no JSON.
    """
    try:
        text = sys.stdin.read(MOST_CHARACTERS + 1) if file == "-" else Path(file).read_text(encoding="utf-8-sig")
        if len(text) > MOST_CHARACTERS:
            raise Invalid(f"{file} holds over {MOST_CHARACTERS} characters: that is no bot's settings")
        return read_json(text)
    except OSError as error:
        raise Invalid(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise Invalid(f"{file} is not JSON in UTF-8: export the bot's settings once more") from error


def _write(file: Path, definition: Any) -> None:
    try:
        with file.open("x", encoding="utf-8") as out:
            json.dump(definition, out, ensure_ascii=False, indent=2)
    except FileExistsError as error:
        raise Invalid(f"{file} is there already: name another file, or move that one away") from error
    except OSError as error:
        raise Invalid(f"cannot write {file}: {error.strerror}") from error


def _print(moved: Moved, problems: list[str], arguments: argparse.Namespace) -> None:
    if arguments.json:
        remarks = [
            {**asdict(remark), "sort": remark.sort, "message": remark.describe(arguments.language)}
            for remark in moved.remarks
        ]
        print(json.dumps({"funnel": moved.definition, "remarks": remarks, "problems": problems}, ensure_ascii=False))
        return
    for sort, title in TITLES[arguments.language].items():
        said = [remark.describe(arguments.language) for remark in moved.remarks if remark.sort == sort]
        if said:
            print(f"{title}:", *(f"  - {line}" for line in said), sep="\n")
    for problem in problems:
        print(problem)
