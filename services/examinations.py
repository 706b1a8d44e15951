"""Examinations: everything /health tells: what each part says of itself, and in words what is not as it should be.

Unhealthy: this process cannot do its work. Degraded: it can, and somebody should look.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from grimbots.queue.dispatcher import QueueUnavailable
from grimbots.queue.inspector import Inspector, QueueDepth
from grimbots.queue.memory import MEANINGS
from grimbots.queue.replicas import list_servers
from grimbots.services import processes, stores, vitals, webhooks
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.services.app import App

FRESH_SECONDS, STALE_SECONDS = 1.0, 4.0  # it costs some 20 round trips to Redis and Postgres
LONG_QUEUE_JOBS = 1000
OLD_JOB_SECONDS = 60
LEAST_FREE_PART = 0.05
LONG_LAG_SECONDS = 1.0
POSTGRES_LAG_BYTES, REDIS_LAG_BYTES = 64 << 20, 16 << 20
MOST_FAILING_PART, MOST_LOST_PART = 0.1, 0.1
WATCH_PATIENCE = timedelta(minutes=5)  # and three turns of all bots


@dataclass(frozen=True, slots=True)
class Report:
    """`status`: healthy, degraded or unhealthy. `checks` may name bots and addresses: not for everybody."""

    status: str
    checks: dict[str, Any]
    warnings: list[str]


class Examiner:
    """Lets all who ask share one examination a second, so that nobody loads the stores by asking.

    Who asks while the next one runs hears the last, unless that is too old to tell.
    """

    def __init__(self) -> None:
        self._last: Report | None = None
        self._began_at = -math.inf
        self._next: asyncio.Task[Report] | None = None

    async def examine(self, app: App, *, works: bool) -> Report:
        """Give the last report while it is fresh, else look at everything."""
        age_seconds = time.monotonic() - self._began_at
        if self._last is not None and age_seconds < FRESH_SECONDS:
            return self._last
        if self._next is None or self._next.done():
            self._next = asyncio.create_task(self._examine(app, works))
        if self._last is not None and age_seconds < STALE_SECONDS:
            return self._last
        return await asyncio.shield(self._next)  # whoever goes away takes it from nobody else

    async def _examine(self, app: App, works: bool) -> Report:
        began_at = time.monotonic()
        self._last = await examine(app, works=works)
        self._began_at = began_at
        return self._last


async def examine(app: App, *, works: bool) -> Report:
    """Look at everything. `works`: this process is there to run jobs, and unhealthy while it does not."""
    database, redis = await asyncio.gather(stores.check_database(app), _check_queue(app, works))
    checks: dict[str, Any] = {"database": database, "redis": redis}
    checks["loop"] = {"worst_lag_seconds": round(app.lag.worst_seconds(), 3)}
    disk = await vitals.measure_disk(app)
    checks["disk"] = asdict(disk) if disk else {"status": "away"}
    checks["duties"] = vitals.describe_duties(app)
    if checks["database"]["status"] == "up":
        try:
            await _add_rows(app, checks)
        except (DatabaseUnavailable, StatementTimeout):
            checks["database"]["status"] = "down"
    broken = checks["database"]["status"] != "up" or checks["redis"]["status"] != "up"
    warnings = list(_list_warnings(app, checks))
    return Report("unhealthy" if broken else "degraded" if warnings else "healthy", checks, warnings)


async def _check_queue(app: App, works: bool) -> dict[str, Any]:
    inspector = Inspector(app.queue)
    try:
        redis, queues, consumers, stops, servers = await asyncio.gather(
            inspector.redis(), inspector.queues(), inspector.consumers(), inspector.stops(), list_servers(app.queue)
        )
    except QueueUnavailable:
        return {"status": "down"}
    return {
        "status": "up" if inspector.claims() or not works else "not claiming",
        **redis,
        "servers": [asdict(server) for server in servers],
        "connections": inspector.connections(),
        "consumers": [asdict(consumer) for consumer in consumers],
        "stopped_places": sum(stop.kind != "queue" for stop in stops),
        "queues": [asdict(depth) for depth in queues],
    }


async def _add_rows(app: App, checks: dict[str, Any]) -> None:
    """Add what is told by rows."""
    told = await processes.list_processes(app)
    checks["database"] |= await vitals.describe_database(app)
    checks["processes"] = [asdict(process) for process in told]
    checks["redis"]["workers"] = processes.count_workers(app, told)
    checks["crons"] = [asdict(cron) for cron in await vitals.list_crons(app)]
    checks["bots"] = await vitals.count_bots(app)
    checks["webhooks"] = await vitals.describe_webhooks(app)


def _list_warnings(app: App, checks: dict[str, Any]) -> Iterator[str]:
    yield from _warn_of_queues(app, checks["redis"])
    yield from _warn_of_machine(checks)
    yield from _warn_of_duties(checks)
    if "webhooks" in checks:
        yield from _warn_of_webhooks(app, checks["webhooks"])


def _warn_of_queues(app: App, redis: dict[str, Any]) -> Iterator[str]:
    for depth in redis.get("queues", []):
        yield from _warn_of_queue(QueueDepth(**depth))
    if redis.get("stopped_places"):
        yield f"an operator stopped {redis['stopped_places']} sources or accounts: grimbots queue resume"
    if app.queue.memory_level:
        yield f"the memory of redis: {MEANINGS[app.queue.memory_level]}"
    if redis.get("consumers") == []:
        yield "no process runs jobs: they wait"
    elif unserved := [queue for queue, workers in redis.get("workers", {}).items() if not workers]:
        yield f"no process takes jobs of {', '.join(unserved)}: they wait"
    for server in redis.get("servers", []):
        if (server["lag_bytes"] or 0) > REDIS_LAG_BYTES:
            yield f"a replica of redis is {server['lag_bytes']} bytes behind"


def _warn_of_queue(depth: QueueDepth) -> Iterator[str]:
    if depth.paused:
        yield f"queue {depth.queue} is paused: nothing of it starts until grimbots queue resume {depth.queue}"
    if depth.draining:
        yield f"queue {depth.queue} takes nothing new until grimbots queue resume {depth.queue}"
    if depth.pending > LONG_QUEUE_JOBS:
        yield f"queue {depth.queue} has {depth.pending} jobs waiting"
    if depth.oldest_age_seconds > OLD_JOB_SECONDS:
        yield f"queue {depth.queue} has a job waiting for {depth.oldest_age_seconds:.0f} s"


def _warn_of_machine(checks: dict[str, Any]) -> Iterator[str]:
    database, disk = checks["database"], checks["disk"]
    if database.get("pool_waiting") and database["pool_in_use"] >= database["pool_size"]:  # others wait for a dial
        yield f"{database['pool_waiting']} wait for one of {database['pool_size']} connections to postgres"
    if (database.get("replication", {}).get("lag_bytes") or 0) > POSTGRES_LAG_BYTES:
        yield f"a standby of postgres is {database['replication']['lag_bytes']} bytes behind"
    if "free_part" not in disk:
        yield "the data folder does not answer: clicks and events are lost while postgres is away"
    elif disk["free_part"] < LEAST_FREE_PART:
        yield f"the disk of the data folder has {disk['free_part']:.1%} left: without room clicks and events are lost"
    slow = {process["name"]: process["lag_seconds"] for process in checks.get("processes", [])}
    for name, lag_seconds in slow.items():
        if lag_seconds > LONG_LAG_SECONDS:
            yield f"the event loop of {name} was held up for {lag_seconds:.1f} s within the last minute: see its log"


def _warn_of_duties(checks: dict[str, Any]) -> Iterator[str]:
    for kind, name in (("duties", "duty"), ("crons", "cron")):
        if late := [one["name"] for one in checks.get(kind, []) if one["is_late"]]:
            yield f"the {name} {', '.join(late)} has not come to its end for too long: see the log"


def _warn_of_webhooks(app: App, seen: dict[str, Any]) -> Iterator[str]:
    if seen["lost_lately"] > MOST_LOST_PART * seen["bots"]:
        yield f"the webhooks of {seen['lost_lately']} of {seen['bots']} bots were taken over or deleted within a day"
    if seen["failing"] > MOST_FAILING_PART * seen["bots"]:
        yield f"telegram could not deliver to {seen['failing']} of {seen['bots']} bots within the last minutes"
    turn = webhooks.MINUTE * max(1.0, seen["bots"] / webhooks.ASKED_A_MINUTE)
    if seen["oldest_look_at"] and app.clock() - seen["oldest_look_at"] > WATCH_PATIENCE + 3 * turn:
        yield f"a bot's webhook was not looked at since {seen['oldest_look_at']:%Y-%m-%d %H:%M} UTC"
