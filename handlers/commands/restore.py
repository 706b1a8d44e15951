"""`grimbots restore`: a backup into an empty Postgres and an empty Redis, before anything is started."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings, SettingsError
from grimbots.handlers.commands.archives import make_folder, unpack
from grimbots.handlers.commands.backup import DATABASE_NAME, KEY_NAME
from grimbots.handlers.commands.embedded.children import stop
from grimbots.handlers.commands.embedded.redis import start_redis
from grimbots.queue import dumps as queue_dumps
from grimbots.services import erasures, secrets, tombstones
from grimbots.services.errors import Conflict
from grimbots.sql import dumps as sql_dumps
from grimbots.sql.migrate import migrate

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server
    from grimbots.services.tombstones import Tombstone
    from grimbots.sql.database import Row

TOLD = """\
Restored: all that was committed before {made_at}, and {keys} keys of the queue.
What came later is lost. What was open then may have been sent since: answers are sent again and say so, campaigns are
paused and their open messages left to you (`grimbots campaign list`, the messages page). Everybody logs in again.
Leads that were erased before and came back with it: {erased}, erased again by the tombstones.jsonl that lay beside
the backup and in GRIMBOTS_DATA. An erasure that stands in neither list is not known: put a newer list there first.
Now: grimbots doctor, then start the server."""


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("restore", help="put a backup into an empty Postgres and an empty Redis")
    parser.add_argument("archive", type=Path, help="a .tar that `grimbots backup` made")
    parser.set_defaults(run=run)


async def run(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Look first, then fill Postgres (all or nothing), erase again who was erased since, then fill Redis.

    Raises:
        SettingsError: a store is not named.
        Invalid: the file is no backup.
        Conflict: a store is not empty.
        MasterKeyError: the master key is not there, or another one.
    """
    if not settings.database_url or not settings.redis_url:
        raise SettingsError("DATABASE_URL and REDIS_URL must name the empty stores to fill (see conf/example.env)")
    data = Path(settings.data_dir)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with make_folder(data) as work:
        manifest = unpack(arguments.archive, work)
        await _demand_empty(settings)
        _place_key(settings.master_key_path, work / KEY_NAME, manifest)
        await sql_dumps.load(settings.database_url, work / DATABASE_NAME)
        await migrate(settings.database_url)
        erased = await _erase_again(server, settings, tombstones.read([data, arguments.archive.parent]))
        keys = sum([await _fill_redis(settings.redis_url, file) for file in sorted(work.glob("redis-*.rdb"))])
        await _empty_chats(server, settings, erased)
    print(TOLD.format(made_at=manifest["made_at"], keys=keys, erased=len(erased)))
    return 0


async def _erase_again(server: Server, settings: Settings, stones: Sequence[Tombstone]) -> Sequence[Row]:
    """Erase whom the backup brought back, as its database is now: nobody serves it yet."""
    async with server.build_app(settings, with_queue=False) as app:
        return await erasures.reapply(app, stones)


async def _empty_chats(server: Server, settings: Settings, leads: Sequence[Row]) -> None:
    """Take what waited in their chats out of the queue."""
    if not leads:
        return
    async with server.build_app(settings) as app:
        await erasures.empty_chats(app, leads)


async def _demand_empty(settings: Settings) -> None:
    if tables := await sql_dumps.count_tables(settings.database_url):
        raise Conflict(f"the database has {tables} tables: name an empty one (dropdb, createdb), nothing was done")
    if keys := await queue_dumps.count_keys(settings.redis_url):
        raise Conflict(f"Redis has {keys} keys: name an empty one (redis-cli flushall), nothing was done")


def _place_key(path: Path, saved: Path, manifest: Mapping[str, Any]) -> None:
    """Put the saved key where it belongs, unless one is there; it must be the one the database was encrypted with."""
    wanted = manifest["master_key_id"]
    if not path.exists():
        if not saved.exists():
            raise secrets.MasterKeyError(
                f"the master key {wanted} is not in this backup: put your copy of it at {path}, mode 0600"
            )
        secrets.place(path, saved.read_text(encoding="ascii").strip())
    found = secrets.read(path).key_id
    if found != wanted:
        raise secrets.MasterKeyError(
            f"the key in {path} is {found!r}, this backup needs {wanted!r}: put that one there"
        )


async def _fill_redis(url: str, file: Path) -> int:
    """Let a private Redis read the file, and copy what it then has."""
    folder = file.with_suffix("")
    folder.mkdir()
    file.rename(folder / "dump.rdb")
    source, child = await start_redis(folder, folder / "redis.log", durable=False)
    try:
        return await queue_dumps.copy(source, url)
    finally:
        await stop(child)
