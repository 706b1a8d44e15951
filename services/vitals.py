"""Vitals: what this process can tell of itself and its installation, for /health and /metrics. Each look is bounded."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grimbots.services import crons, segments, webhooks

if TYPE_CHECKING:
    from grimbots.services.app import App

LOST_SHOWN = 20
DISK_SECONDS = 2.0
CRON_PATIENCE = timedelta(minutes=15)  # past the time it is due: claimed twice, and run


@dataclass(frozen=True, slots=True)
class Disk:
    """Where the spools and the master key lie, and what of clicks and events waits there for Postgres."""

    free_bytes: int
    free_part: float
    clicks_bytes: int
    events_bytes: int


@dataclass(frozen=True, slots=True)
class Cron:
    """Periodic work of the installation. `finished_at`: its last success, None before the first."""

    name: str
    finished_at: datetime | None
    is_late: bool


async def measure_disk(app: App) -> Disk | None:
    """Look at the data folder, in a thread: a disk may hang. None: it does, or the folder is not there."""
    try:
        async with asyncio.timeout(DISK_SECONDS):
            return await asyncio.to_thread(_measure_disk, Path(app.settings.data_dir))
    except (OSError, TimeoutError):
        return None


def _measure_disk(folder: Path) -> Disk:
    usage = shutil.disk_usage(folder)
    spool = folder / "spool"
    waiting = {name: segments.measure(spool, name) if spool.is_dir() else 0 for name in ("clicks", "events")}
    return Disk(usage.free, round(usage.free / usage.total, 4), waiting["clicks"], waiting["events"])


async def list_crons(app: App) -> list[Cron]:
    """Tell of each cron when it was done last.

    Raises:
        DatabaseUnavailable, StatementTimeout: Postgres is away.
    """
    now = app.clock()
    rows = await app.db.crons.list_all(names=list(crons.CRONS))
    return [Cron(row.name, row.finished_at, now - row.due_at > CRON_PATIENCE) for row in rows]


async def describe_database(app: App) -> dict[str, Any]:
    """Tell the connections of the whole server and how far its standbys are behind. Raises as `list_crons`."""
    connections, replicas = await app.db.server.read_connections(), await app.db.server.read_replicas()
    return {"connections": connections._asdict(), "replication": replicas._asdict()}


async def sum_up_webhooks(app: App) -> Any:
    """Count the webhooks by state, with what waits at Telegram. Raises as `list_crons`."""
    now = app.clock()
    return await app.db.webhooks.sum_up(
        failed_since=now - webhooks.FAILED_LATELY, lost_since=now - webhooks.LOST_LATELY
    )


async def describe_webhooks(app: App) -> dict[str, Any]:
    """Tell the counts, and of whose webhook is not ours any more the first. Raises as `list_crons`."""
    counts = (await sum_up_webhooks(app))._asdict()
    lost = await app.db.webhooks.list_lost(limit=LOST_SHOWN)
    return {**counts, "lost": [row._asdict() for row in lost]}


def describe_duties(app: App) -> list[dict[str, Any]]:
    """Tell of each periodic duty of this process when it came to its end last."""
    now = app.clock()
    return [
        {"name": name, "succeeded_at": last.at if last.has_succeeded else None, "is_late": last.is_late(now)}
        for name, last in sorted(app.rounds.last.items())
    ]
