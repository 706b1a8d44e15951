"""`grimbots funnel`: funnels from JSON files (docs/funnels.md explains every field)."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands import funnel_moves, funnel_proofs
from grimbots.handlers.commands.prints import pick, print_rows
from grimbots.services import accounts, coupons, posts
from grimbots.services.funnels import versions
from grimbots.services.funnels.bundles import read_bundle, write_bundle
from grimbots.services.funnels.check import check
from grimbots.services.funnels.files import read_files
from grimbots.services.funnels.texts import LANGUAGES

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server

COUPON_COLUMNS = ("funnel", "code", "taken", "paid", "discount_cents")
POST_COLUMNS = ("id", "bot", "step", "url", "status", "tries", "error", "planned_at")


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
    funnel_proofs.add_to(verbs)
    funnel_moves.add_to(verbs)
    parser = verbs.add_parser("export", help="write a published funnel and its files into one zip file")
    parser.add_argument("name", help="of the funnel")
    parser.add_argument("file", type=Path, help="to be written")
    parser.add_argument("--account", required=True)
    parser.set_defaults(run=export)
    parser = verbs.add_parser("import", help="publish what `export` has written")
    parser.add_argument("file", type=Path)
    parser.add_argument("--account", required=True)
    parser.add_argument("--name", help="of the funnel, instead of the name it had")
    parser.set_defaults(run=import_bundle)
    parser = verbs.add_parser("coupons", help="list how often each coupon was used")
    parser.add_argument("--account", required=True)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=list_coupons)
    parser = verbs.add_parser("posts", help="list what a webhook step's server has not taken, or not yet")
    parser.add_argument("--account", required=True)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=list_posts)
    parser = verbs.add_parser("secret", help="print the secret that webhook steps are signed with")
    parser.add_argument("--account", required=True)
    parser.set_defaults(run=print_secret)


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
    return await _publish(server, settings, arguments, definition, files)


async def export(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Write a funnel's current version and its files."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        definition, contents = await versions.read_out(app, account.id, arguments.name)
    await asyncio.to_thread(
        write_bundle, arguments.file, definition, {name: [whole] for name, whole in contents.items()}
    )
    print(f"{arguments.file} holds {arguments.name} and {len(contents)} files")
    return 0


async def import_bundle(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Publish a bundle."""
    with TemporaryDirectory(prefix="grimbots-") as folder:
        definition, files = await asyncio.to_thread(read_bundle, arguments.file, Path(folder))
        return await _publish(server, settings, arguments, definition, files)


async def list_coupons(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List how often each coupon was used."""
    async with server.build_app(settings, with_queue=False) as app:
        rows = pick(await coupons.list_all(app, arguments.account), *COUPON_COLUMNS)
    print_rows(rows, arguments.json, nothing="no coupon has been used")
    return 0


async def list_posts(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """List what did not arrive."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        rows = pick(await posts.list_troubled(app, account.id), *POST_COLUMNS)
    print_rows(rows, arguments.json, nothing="every webhook step's server has taken what it was told")
    return 0


async def print_secret(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Print the secret."""
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        print(posts.make_secret(app, account.id))
    return 0


async def _publish(
    server: Server, settings: Settings, arguments: argparse.Namespace, definition: Any, files: Mapping[str, Path]
) -> int:
    if arguments.name and isinstance(definition, dict):
        definition = {**definition, "name": arguments.name}
    async with server.build_app(settings, with_queue=False) as app:
        account = await accounts.get_account(app, arguments.account)
        published = await versions.publish(app, account.id, definition, files, actor="command")
    news = "is current from now on" if published.is_new else "was current already: nothing changed"
    print(f"funnel {definition['name']} of {arguments.account}: version {published.number} {news}")
    return 0
