"""`grimbots backup`: Postgres, Redis and the settings of a running installation in one file.

Redis first: every row that a saved job speaks of was committed before it was enqueued, so Postgres's later copy has it,
and a job that was done in between finds that in its row. The master key is in the file only if that is encrypted.
Beside it lies the list of who was erased up to now, for the restore of this backup or of one of before.
"""

from __future__ import annotations

import argparse
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings, find_file
from grimbots.handlers.commands.archives import make_folder, pack
from grimbots.handlers.commands.embedded.children import CannotStart
from grimbots.queue import dumps as queue_dumps
from grimbots.services import tombstones
from grimbots.sql import dumps as sql_dumps

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server

SETTINGS_NAME, KEY_NAME = "grimbots.env", "master.key"
DATABASE_NAME = "postgres.sql.gz"


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("backup", help="save Postgres, Redis and the settings while everything runs")
    parser.add_argument("folder", type=Path, help="where the new file goes; what is there stays")
    parser.set_defaults(run=run)


async def run(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Make one backup and name it.

    Raises:
        CannotStart: the folder cannot be written.
    """
    async with server.build_app(settings, with_queue=False) as app:  # whose key fits, or this stops here
        made_at, key_id = app.clock(), app.vault.key_id
        erased = await tombstones.list_all(app)
    try:
        with make_folder(arguments.folder) as work:
            archive = await _save(settings, work, arguments.folder, made_at, key_id)
            tombstones.write(arguments.folder, erased)
    except OSError as error:
        raise CannotStart(f"The backup was not made: {error}") from error
    print(f"{archive}  {archive.stat().st_size / 1e6:.1f} MB")
    if not settings.backup_recipient:
        print(f"The master key {key_id} is not in it: {settings.master_key_path} must be kept somewhere else")
    return 0


async def _save(settings: Settings, work: Path, folder: Path, made_at: datetime, key_id: str) -> Path:
    await queue_dumps.dump(settings.redis_url, work)
    await sql_dumps.dump(settings.database_url, work / DATABASE_NAME)
    if found := find_file(os.environ):
        shutil.copyfile(found, work / SETTINGS_NAME)
    if settings.backup_recipient:
        shutil.copyfile(settings.master_key_path, work / KEY_NAME)
    ending = ".tar.age" if settings.backup_recipient else ".tar"
    archive = folder / f"grimbots-{made_at:%Y%m%dT%H%M%SZ}{ending}"
    await pack(work, archive, settings.backup_recipient, made_at=made_at.isoformat(), master_key_id=key_id)
    return archive
