"""`grimbots queue`: look into the queue."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import print_rows
from grimbots.queue.inspector import Inspector

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server
    from grimbots.queue.job import DeadJob


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("queue", help="look into the queue").add_subparsers(metavar="verb", required=True)
    parser = verbs.add_parser("stats", help="depth and oldest age of every queue")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=stats)
    parser = verbs.add_parser("dead", help="jobs that were given up, the newest first")
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=dead)


async def stats(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Print every queue."""
    async with server.build_app(settings) as app:
        rows = [asdict(depth) for depth in await Inspector(app.queue).queues()]
    print_rows(rows, arguments.json, nothing="no queue has ever had a job")
    return 0


async def dead(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Print dead jobs: never their payload, which holds what people wrote."""
    async with server.build_app(settings) as app:
        found = await Inspector(app.queue).dead(limit=arguments.limit)
    print_rows([_as_row(dead) for dead in found], arguments.json, nothing="no job is dead")
    return 0


def _as_row(dead: DeadJob) -> dict[str, Any]:
    return {
        "dead_at": datetime.fromtimestamp(dead.at_ms / 1000, UTC),
        "id": dead.job.id,
        "task": dead.job.task,
        "queue": dead.job.queue,
        "account": dead.job.account,
        "attempts": dead.attempts,
        "reason": dead.reason,
        "error": dead.error.partition("\n")[0],
    }
