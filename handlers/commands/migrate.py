"""`grimbots migrate`: bring the database up to this code."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings, SettingsError
from grimbots.sql.migrate import migrate

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("migrate", help="bring the database up to this code; safe while old code serves")
    parser.set_defaults(run=run)


async def run(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Apply what is missing and name it."""
    if not settings.database_url:
        raise SettingsError("DATABASE_URL must be set (see conf/example.env); `grimbots dev` migrates its own database")
    applied = await migrate(settings.database_url)
    print("\n".join(f"applied {name}" for name in applied) or "nothing to do: the database is up to date")
    return 0
