"""Processes: each tells in a row how it is, so that any of them can tell how all of them are.

A lease in Redis says that a process lives, for a thread renews it; whether its loop takes jobs, and of which queues, it
alone knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from grimbots.queue.inspector import Inspector
from grimbots.services import crowds

if TYPE_CHECKING:
    from grimbots.services.app import App

REPORT_SECONDS = 10
SILENCE = timedelta(seconds=35)  # after which a process does not count any more
FORGET = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Process:
    """One process as it told. `claims`: it does take jobs of its `queues`; a process that only serves never does."""

    name: str
    queues: tuple[str, ...]
    claims: bool
    lag_seconds: float
    seen_at: datetime


def describe(app: App) -> Process:
    """Tell how this process is now."""
    return Process(
        name=f"{app.queue.consumer_host}:{app.queue.slot}",
        queues=tuple(sorted(app.queue.queue_slots)),
        claims=Inspector(app.queue).claims(),
        lag_seconds=app.lag.worst_seconds(),
        seen_at=app.clock(),
    )


async def report(app: App) -> None:
    """Write this process's row."""
    own = describe(app)
    await app.db.processes.report(
        name=own.name,
        queues=list(own.queues),
        claims=own.claims,
        lag_seconds=own.lag_seconds,
        heard=app.crowd.pack(own.seen_at),
        now=own.seen_at,
        forget_before=own.seen_at - FORGET,
    )


async def list_processes(app: App) -> list[Process]:
    """List the processes that told of themselves lately, this one as it is now.

    Raises:
        DatabaseUnavailable, StatementTimeout: Postgres is away.
    """
    own = describe(app)
    rows = await app.db.processes.list_seen(since=own.seen_at - SILENCE)
    others = [Process(row.name, tuple(row.queues), row.claims, row.lag_seconds, row.seen_at) for row in rows]
    return sorted([own, *(other for other in others if other.name != own.name)], key=lambda process: process.name)


async def count_crowd(app: App) -> int:
    """Estimate how many chats all processes heard of lately. Raises as `list_processes`."""
    rows = await app.db.processes.list_heard(since=app.clock() - SILENCE)
    return crowds.count(bytes(row.heard) for row in rows)


def count_workers(app: App, processes: list[Process]) -> dict[str, int]:
    """Count the processes that take jobs of each queue this installation has."""
    queues = sorted({*app.queue.queue_slots, *(name for process in processes for name in process.queues)})
    return {queue: sum(process.claims and queue in process.queues for process in processes) for queue in queues}
