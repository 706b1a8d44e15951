"""`grimbots funnel`: funnels from JSON files (docs/funnels.md explains every field)."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.services import accounts
from grimbots.services.funnels import versions
from grimbots.services.funnels.check import check
from grimbots.services.funnels.files import read_files
from grimbots.services.funnels.texts import LANGUAGES

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("funnel", help="funnels from JSON files").add_subparsers(metavar="verb", required=True)
    parser = verbs.add_parser("check", help="say what a buyer would trip over; changes nothing")
    parser.add_argument("file", type=Path)
    parser.add_argument("--language", choices=LANGUAGES, default=LANGUAGES[0], help="of the answers")
    parser.add_argument("--json", action="store_true", help="one JSON object a mistake")
    parser.set_defaults(run=check_file)
    parser = verbs.add_parser("publish", help="make a file the version new chats walk; its pictures lie beside it")
    parser.add_argument("file", type=Path)
    parser.add_argument("--account", required=True)
    parser.add_argument("--name", help="of the funnel, instead of the name in the file")
    parser.set_defaults(run=publish)


async def check_file(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Print every mistake of the file; exit code 1 when there is one."""
    definition, files = read_files(arguments.file)
    problems = check(definition, files, arguments.language)
    for problem in problems:
        print(json.dumps(asdict(problem), ensure_ascii=False) if arguments.json else problem)
    if not problems and not arguments.json:
        print(f"{arguments.file}: nothing to mend")
    return 1 if problems else 0


async def publish(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Publish the file."""
    definition, files = read_files(arguments.file)
    if arguments.name and isinstance(definition, dict):
        definition = {**definition, "name": arguments.name}
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        published = await versions.publish(app, account.id, definition, files, actor="command")
    news = "is current from now on" if published.is_new else "was current already: nothing changed"
    print(f"funnel {definition['name']} of {arguments.account}: version {published.number} {news}")
    return 0
