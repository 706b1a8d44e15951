"""`grimbots queue`: look into the queue, and act on dead jobs; `stops.py` has what stops a queue."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from grimbots.conf.redactions import scrub
from grimbots.conf.settings import Settings
from grimbots.handlers.commands import stops
from grimbots.handlers.commands.prints import print_fields, print_rows
from grimbots.queue.inspector import Inspector
from grimbots.services import dead_jobs
from grimbots.services.stops import check_queue

if TYPE_CHECKING:
    from grimbots.handlers.commands.cli import Server
    from grimbots.queue.job import Job
    from grimbots.queue.overviews import Glimpse
    from grimbots.queue.sightings import DeadJob, Sighting, Stop, Waiting

MEANINGS = {
    "OK": "done",
    "RUNNING": "it runs now: nothing was done",
    "PENDING": "it waits and will run: nothing was done",
    "GONE": "nothing of it is kept",
}
LOOKS: dict[str, tuple[Callable[[Inspector], Awaitable[Sequence[Any]]], str]] = {
    "queues": (Inspector.queues, "no queue has ever had a job"),
    "running": (Inspector.running, "nothing runs"),
    "ready": (Inspector.ready, "nothing is ready"),
    "due": (Inspector.due, "nothing waits for a time"),
    "processes": (Inspector.consumers, "no process works: grimbots serve"),
}
RATE_SECONDS = 1.0
QUEUE_COLUMNS = (  # that fit a terminal; --json has all
    "queue",
    "pending",
    "oldest_age_seconds",
    "in_flight",
    "enqueued_per_second",
    "settled_per_second",
    "dead",
    "paused",
    "draining",
)


def add_to(commands: Any) -> None:
    """Add the command."""
    verbs = commands.add_parser("queue", help="look into the queue").add_subparsers(metavar="verb", required=True)
    parser = verbs.add_parser("stats", help="every queue's depth, oldest age and rates; or one of the other looks")
    parser.add_argument("look", nargs="?", choices=LOOKS, default="queues")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=stats)
    parser = verbs.add_parser("peek", help="the jobs that start next of a queue, or the jobs of a chat in their order")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("queue", nargs="?")
    which.add_argument("--chat", nargs=2, metavar=("source", "chat"), help="as `queue job` names them: b7 123456789")
    parser.add_argument("--limit", type=int, default=20, help="how many, 100 at most")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=peek)
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
    stops.add_to(verbs)


async def stats(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Print one look. Rates need two looks: the second comes a second after the first."""
    look, nothing = LOOKS[arguments.look]
    async with server.build_app(settings) as app:
        inspector = Inspector(app.queue)
        if arguments.look == "queues":
            await inspector.queues()
            await asyncio.sleep(RATE_SECONDS)
        rows = [_round(asdict(row)) for row in await look(inspector)]
    if arguments.look == "queues" and not arguments.json:
        rows = [{name: row[name] for name in QUEUE_COLUMNS} for row in rows]
    print_rows(rows, arguments.json, nothing=nothing)
    return 0


async def peek(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Print jobs by their headers: what they carry, `queue job` shows, masked."""
    limit = max(1, arguments.limit)
    async with server.build_app(settings) as app:
        if arguments.chat:
            source, chat = arguments.chat
            found = await Inspector(app.queue).chat(source, chat, limit)
        else:
            check_queue(app, arguments.queue)
            found = await Inspector(app.queue).head(arguments.queue, limit)
    nothing = "nothing waits or runs in it" if arguments.chat else "nothing is ready in it: grimbots queue stats due"
    print_rows([_as_glimpse(glimpse) for glimpse in found], arguments.json, nothing=nothing)
    return 0


async def dead(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Print dead jobs: never their payload, which holds what people wrote."""
    async with server.build_app(settings) as app:
        found = await Inspector(app.queue).dead(limit=arguments.limit)
    print_rows([_as_row(dead) for dead in found], arguments.json, nothing="no job is dead")
    return 0


async def job(server: Server, settings: Settings, arguments: argparse.Namespace) -> int:
    """Print where a job is, what holds it, and what it carries, its texts masked."""
    async with server.build_app(settings) as app:
        inspector = Inspector(app.queue)
        seen, stopped = await inspector.job(arguments.id), await inspector.stops()
    if seen is None:
        print_rows([], arguments.json, nothing="nothing is known of it: it never was, or was done over a minute ago")
        return 1
    print_fields(_as_sighting(seen, stopped), arguments.json)
    return 0


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


def _round(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in row.items()}


def _as_glimpse(glimpse: Glimpse) -> dict[str, Any]:
    header = glimpse.header
    return {
        "id": glimpse.id,
        "state": glimpse.state.value,
        "task": header["task"],
        "queue": header["queue"],
        "source": header["source"],
        "chat": header["group"],
        "account": header["account"],
        "enqueued_at": _as_instant(header.get("at")),
        "attempts": header.get("attempts", 0),
    }


def _as_sighting(seen: Sighting, stopped: Sequence[Stop]) -> dict[str, Any]:
    """Show a job as its header knows it, and what it waits for. Instants are those of Redis."""
    header, job, flight = seen.header, seen.job, seen.flight
    return {
        "id": seen.id,
        "state": seen.state.value,
        "task": job.task if job else None,
        "queue": job.queue if job else None,
        "source": job.source if job else None,
        "account": job.account if job else None,
        "chat": job.group if job else None,
        "enqueued_at": _as_instant(header.get("at")),
        "running_since": _as_instant(flight.claimed_ms) if flight else None,
        "running_on": seen.consumer or None,
        "ahead_in_chat": seen.ahead,
        "waits_for": [_as_wait(waiting) for waiting in seen.waits],
        "paused_by": [f"{stop.kind} {stop.name}" for stop in stopped if job and _stops(stop, job)],
        "retrying_since": _as_instant(header.get("retrying_since")),
        "dead_at": _as_instant(header.get("dead")),
        "attempts": header.get("attempts", 0),
        "crashes": header.get("crashes", 0),
        "error": scrub(str(header.get("error", ""))).partition("\n")[0],
        "payload": dict(job.payload) if job else None,
    }


def _as_wait(waiting: Waiting) -> str:
    until = "until it is resumed" if waiting.in_ms is None else f"for {max(0, waiting.in_ms) / 1000:.1f} s"
    return f"{waiting.kind.name.lower()} {waiting.name} {until}"


def _stops(stop: Stop, job: Job) -> bool:
    name = {"queue": job.queue, "source": job.source, "account": job.account}[stop.kind]
    return stop.paused and stop.name == name


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
        "error": scrub(dead.error).partition("\n")[0],
    }
