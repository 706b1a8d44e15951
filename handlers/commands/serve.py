"""`grimbots serve`: the product in this process, or in several under a parent that keeps them alive."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import resource
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tornado.netutil import bind_sockets

from grimbots.conf.settings import Settings, SettingsError
from grimbots.handlers.commands.embedded.children import CannotStart
from grimbots.handlers.commands.notices import feed_watchdog
from grimbots.handlers.commands.processes import keep_processes
from grimbots.handlers.roles import Role

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server

SERVER_FILE = Path(__file__).parents[2] / "server.py"
MOST_PROCESSES = 256
BACKLOG = 1024  # what may wait here while the only process is being replaced

SOCKET_HELP = "serve on this inherited descriptor instead of HOST and PORT: whoever made it keeps it over our restarts"
EPILOG = """\
Without --processes the server is this very process. With it a parent listens and keeps N processes alive, in the slots
from GRIMBOTS_SLOT on: one that dies is replaced at once, SIGTERM drains and stops them all, SIGHUP replaces them one by
one without a pause."""


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("serve", help="serve HTTP and run jobs until SIGTERM", epilog=EPILOG)
    parser.add_argument("--processes", type=_count, metavar="N", help="so many processes, or auto: one per core")
    edges = parser.add_mutually_exclusive_group()
    edges.add_argument("--no-http", action="store_true", help="only run jobs; STATUS_PORT shows how it is")
    edges.add_argument("--no-work", action="store_true", help="only serve HTTP; jobs are run by other processes")
    parser.add_argument("--queues", metavar="A,B", type=_names, help="run jobs of these queues only")
    parser.add_argument("--socket", action="append", type=int, default=[], metavar="N", help=SOCKET_HELP)
    parser.set_defaults(run=run)


async def run(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Serve until told to stop.

    Raises:
        SettingsError: a queue that has no slots.
        CannotStart: the port is taken; --socket names no socket; a process does not start.
    """
    settings = _choose_queues(settings, arguments)
    role = Role(http=not arguments.no_http, work=not arguments.no_work)
    sockets = (_inherit(arguments.socket) or _listen(settings)) if role.http else []
    if arguments.processes:
        slots = range(settings.slot, settings.slot + arguments.processes)
        await keep_processes(_repeat_command(arguments), slots, sockets)
        return 0
    allow_connections()
    feeding = asyncio.create_task(feed_watchdog())
    try:
        return await server.serve(settings, role, sockets)
    finally:
        feeding.cancel()


def allow_connections() -> None:
    """Take every open file this process may have: a connection is one, and many shells and supervisord say 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _choose_queues(settings: Settings, arguments: argparse.Namespace) -> Settings:
    if arguments.queues is None:
        return settings
    if arguments.no_work:
        raise SettingsError("--queues says whose jobs to run, --no-work to run none: leave one of them out")
    if unknown := [name for name in arguments.queues if name not in settings.queue_slots]:
        known = ", ".join(settings.queue_slots)
        raise SettingsError(f"--queues names {', '.join(unknown)}; QUEUE_SLOTS has {known}")
    slots = {name: settings.queue_slots[name] for name in arguments.queues}
    return dataclasses.replace(settings, queue_slots=slots)


def _inherit(descriptors: Sequence[int]) -> list[socket.socket]:
    """Give the listening sockets that a supervisor made: our parent, systemd (from 3 on), supervisord (0)."""
    try:
        inherited = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    except OSError as error:
        raise CannotStart(f"--socket names a descriptor that is no socket: {error.strerror}") from error
    for listening in inherited:
        listening.setblocking(False)  # or the process that loses the race for a connection hangs in accept()
    return inherited


def _listen(settings: Settings) -> list[socket.socket]:
    try:
        return bind_sockets(settings.port, settings.host, backlog=BACKLOG, reuse_port=settings.reuse_port)
    except OSError as error:
        raise CannotStart(f"Cannot listen on port {settings.port} of {settings.host}: {error.strerror}") from error


def _repeat_command(arguments: argparse.Namespace) -> list[str | Path]:
    """Give the command line of a child: ours, without the parent's part."""
    command: list[str | Path] = [sys.executable, SERVER_FILE, "serve"]
    command += ["--no-http"] * arguments.no_http + ["--no-work"] * arguments.no_work
    return command + (["--queues", ",".join(arguments.queues)] if arguments.queues else [])


def _count(raw: str) -> int:
    if raw == "auto":
        return len(os.sched_getaffinity(0))
    if not raw.isdecimal() or not 1 <= int(raw) <= MOST_PROCESSES:
        raise argparse.ArgumentTypeError(f"must be auto or a number from 1 to {MOST_PROCESSES}")
    return int(raw)


def _names(raw: str) -> list[str]:
    return [name.strip() for name in raw.split(",")]
