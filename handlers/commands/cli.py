"""The `grimbots` command: one file of this folder per noun, each over the App that server.py builds.

Exit codes: 0 done, 1 refused or failed (one sentence on standard error), 2 wrong usage (argparse), 130 interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

from grimbots.conf import logs, sentry
from grimbots.conf.programs import ProgramError
from grimbots.conf.redactions import scrub
from grimbots.conf.settings import Settings, SettingsError, load
from grimbots.handlers.commands import (
    account,
    backup,
    bot,
    campaign,
    chat,
    conversion,
    dev,
    doctor,
    domain,
    event,
    funnel,
    gateway,
    ledger,
    migrate,
    payment,
    pool,
    queue,
    report,
    restore,
    sandbox,
    serve,
    user,
)
from grimbots.handlers.commands.embedded.children import CannotStart
from grimbots.handlers.commands.embedded.servers import read_overrides
from grimbots.queue.dispatcher import NewerProtocol, OtherShards, QueueUnavailable
from grimbots.services.clients.http import Ambiguous, NeverSent
from grimbots.services.errors import ServiceError
from grimbots.services.gateways.base import Undecided
from grimbots.services.secrets import MasterKeyError
from grimbots.services.spool import SpoolUnavailable
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout
from grimbots.sql.errors import UndefinedTable
from grimbots.sql.migrate import MigrationError

if TYPE_CHECKING:
    from grimbots.handlers.roles import Role
    from grimbots.services.app import App

NOUNS = (
    serve,
    dev,
    sandbox,
    migrate,
    doctor,
    backup,
    restore,
    user,
    account,
    bot,
    funnel,
    gateway,
    event,
    domain,
    pool,
    campaign,
    conversion,
    payment,
    report,
    ledger,
    chat,
    queue,
)
# What a person can do something about; anything else is a bug and shows its traceback.
EXPECTED = (
    ServiceError,
    SettingsError,
    MasterKeyError,
    CannotStart,
    MigrationError,
    DatabaseUnavailable,
    StatementTimeout,
    QueueUnavailable,
    NewerProtocol,
    OtherShards,
    NeverSent,
    Ambiguous,
    Undecided,
    SpoolUnavailable,
    ProgramError,
)


@dataclass(frozen=True, slots=True)
class Server:
    """What server.py lends to the commands, which may not import it."""

    build_app: Callable[..., AbstractAsyncContextManager[App]]
    serve: Callable[[Settings, Role, Sequence[socket]], Awaitable[int]]


def main(argv: Sequence[str], server: Server) -> int:
    """Run one command line and give its exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        settings = load(os.environ) if arguments.run is dev.run else load_settings(os.environ)
        logs.set_up(settings.log_level, settings.secrets)
        sentry.set_up(settings)
        code: int = asyncio.run(arguments.run(server, settings, arguments))
    except EXPECTED as error:
        print(f"grimbots: {scrub(str(error))}", file=sys.stderr)
        return 1
    except UndefinedTable:
        print("grimbots: the database lacks our tables: run `grimbots migrate`", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, EOFError):
        print("grimbots: interrupted", file=sys.stderr)
        return 130
    return code


def build_parser() -> argparse.ArgumentParser:
    """Build the parser out of every noun's own part."""
    parser = argparse.ArgumentParser(
        prog="grimbots",
        description="Sales bots for Telegram, paid by PIX.",
        epilog="Settings come from the environment or grimbots.env; conf/example.env explains each.",
    )
    commands = parser.add_subparsers(metavar="command", required=True)
    for noun in NOUNS:
        noun.add_to(commands)
    return parser


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Load the settings; where no store is named, those of the `grimbots dev` that runs over the same data folder.

    Raises:
        SettingsError: with one line per mistake.
    """
    settings = load(environ)
    if settings.database_url or settings.redis_url:
        return settings
    return load({**read_overrides(Path(settings.data_dir)), **environ})
