"""Measures: the vitals of this process and its installation as gauges, taken at every scrape of /metrics."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from grimbots.conf import metrics
from grimbots.services import processes, vitals
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.services.app import App

MEASURE_SECONDS = 2.0
BOT_STATUSES = ("new", "active", "dead")
WEBHOOK_STATES = ("unseen", "ours", "missing", "taken")


async def measure(app: App) -> None:
    """Set the gauges. Without Postgres those told by rows keep their last values, and `database_up` says so."""
    await _measure_process(app)
    try:
        async with asyncio.timeout(MEASURE_SECONDS):
            await _measure_rows(app)
    except (DatabaseUnavailable, StatementTimeout, TimeoutError):
        metrics.database_up.set(0)
    else:
        metrics.database_up.set(1)


async def _measure_process(app: App) -> None:
    usage = app.db.usage()
    metrics.database_pool_size.set(usage.pool_size)
    metrics.database_pool_free.set(usage.pool_size - usage.pool_in_use)
    metrics.database_pool_waiting.set(usage.pool_waiting)
    disk = await vitals.measure_disk(app)
    metrics.disk_free_part.set(disk.free_part if disk else 0)
    if disk:
        metrics.spool_bytes.labels("clicks").set(disk.clicks_bytes)
        metrics.spool_bytes.labels("events").set(disk.events_bytes)


async def _measure_rows(app: App) -> None:
    connections, replicas = await app.db.server.read_connections(), await app.db.server.read_replicas()
    metrics.database_connections.set(connections.used)
    metrics.database_connections_allowed.set(connections.allowed)
    metrics.database_replicas.set(replicas.replicas)
    metrics.database_replica_lag_bytes.set(replicas.lag_bytes or 0)
    for queue, workers in processes.count_workers(app, await processes.list_processes(app)).items():
        metrics.queue_workers.labels(queue).set(workers)
    metrics.leads_active.set(await processes.count_crowd(app))
    for cron in await vitals.list_crons(app):
        if cron.finished_at:
            metrics.cron_success.labels(cron.name).set(cron.finished_at.timestamp())
    await _measure_webhooks(app)


async def _measure_webhooks(app: App) -> None:
    bots = await vitals.count_bots(app)
    for status in BOT_STATUSES:
        metrics.bots.labels(status).set(bots.get(status, 0))
    seen = await vitals.sum_up_webhooks(app)
    for state in WEBHOOK_STATES:
        metrics.webhooks.labels(state).set(getattr(seen, state))
    metrics.webhooks_failing.set(seen.failing)
    metrics.webhook_pending.set(seen.pending)
    metrics.webhook_most_pending.set(seen.most_pending)
