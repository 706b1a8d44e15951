"""`grimbots queue`: look into the queue."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from grimbots.conf.settings import Settings
from grimbots.handlers.commands.prints import print_rows
from grimbots.queue.inspector import Inspector
from grimbots.services import dead_jobs

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server
    from grimbots.queue.job import DeadJob, Sighting

MEANINGS = {
    "OK": "done",
    "RUNNING": "it runs now: nothing was done",
    "PENDING": "it waits and will run: nothing was done",
    "GONE": "nothing of it is kept",
}


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
    for name, run, text in (
        ("job", job, "what is known of one job"),
        ("retry", retry, "let a dead job run again"),
        ("discard", discard, "forget a dead job for good"),
    ):
        parser = verbs.add_parser(name, help=text)
        parser.add_argument("id")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
        parser.set_defaults(run=run)


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


async def job(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Print where a job is and what it carries, its texts masked."""
    async with server.build_app(settings) as app:
        seen = await Inspector(app.queue).job(arguments.id)
    rows = [] if seen is None else [_as_sighting(seen)]
    print_rows(rows, arguments.json, nothing="nothing is known of it: it never was, or was done over a minute ago")
    return 0 if rows else 1


async def retry(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Let a dead job run again."""
    async with server.build_app(settings) as app:
        verdict = await dead_jobs.requeue_by_command(app, arguments.id)
    return _tell(verdict, arguments)


async def discard(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Forget a dead job."""
    async with server.build_app(settings) as app:
        verdict = await dead_jobs.discard_by_command(app, arguments.id)
    return _tell(verdict, arguments)


def _tell(verdict: str, arguments: argparse.Namespace) -> int:
    row = {"id": arguments.id, "answer": verdict, "meaning": MEANINGS[verdict]}
    print_rows([row], arguments.json, nothing="")
    return 0 if verdict == "OK" else 1


def _as_sighting(seen: Sighting) -> dict[str, Any]:
    """Show a job as its header knows it. Instants are those of Redis."""
    header = seen.header
    return {
        "id": seen.id,
        "state": seen.state.value,
        "task": seen.job.task if seen.job else None,
        "queue": seen.job.queue if seen.job else None,
        "source": seen.job.source if seen.job else None,
        "chat": seen.job.group if seen.job else None,
        "enqueued_at": _as_instant(header.get("at")),
        "retrying_since": _as_instant(header.get("retrying_since")),
        "dead_at": _as_instant(header.get("dead")),
        "attempts": header.get("attempts", 0),
        "crashes": header.get("crashes", 0),
        "error": str(header.get("error", "")).partition("\n")[0],
        "payload": dict(seen.job.payload) if seen.job else None,
    }


def _as_instant(ms: int | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


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
