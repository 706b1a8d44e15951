"""GET /metrics: this process's figures for Prometheus, with the queue's depths and money's troubles as they are now."""

from __future__ import annotations

from contextlib import suppress

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from grimbots.conf import metrics
from grimbots.handlers.base import BaseHandler
from grimbots.queue.dispatcher import QueueUnavailable
from grimbots.queue.inspector import Inspector
from grimbots.queue.replicas import list_servers
from grimbots.services import conversion_sends, measures, troubles
from grimbots.services.errors import Unavailable


class MetricsHandler(BaseHandler):
    """One scrape."""

    async def get(self) -> None:
        """Write every metric. With a store away its gauges keep their last values and the rest is still true."""
        try:
            await self._read_queues()
        except QueueUnavailable:
            metrics.queue_up.set(0)
        else:
            metrics.queue_up.set(1)
        await measures.measure(self.app)
        with suppress(Unavailable):
            await troubles.measure(self.app)
            await conversion_sends.measure(self.app)
        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        self.finish(generate_latest(metrics.REGISTRY))

    async def _read_queues(self) -> None:
        inspector = Inspector(self.app.queue)
        for depth in await inspector.queues():
            metrics.queue_pending.labels(depth.queue).set(depth.pending)
            metrics.queue_in_flight.labels(depth.queue).set(depth.in_flight)
            metrics.queue_dead.labels(depth.queue).set(depth.dead)
            metrics.queue_oldest_seconds.labels(depth.queue).set(depth.oldest_age_seconds)
            metrics.queue_overtakes.labels(depth.queue).set(depth.overtakes)
            metrics.queue_enqueued.labels(depth.queue).set(depth.enqueued)
            metrics.queue_settled.labels(depth.queue).set(depth.settled)
        stops = await inspector.stops()
        for kind in metrics.STOP_KINDS:
            metrics.queue_paused.labels(kind).set(sum(stop.paused for stop in stops if stop.kind == kind))
            metrics.queue_draining.labels(kind).set(sum(stop.closed for stop in stops if stop.kind == kind))
        metrics.queue_due.set(await inspector.count_due())
        metrics.queue_consumers.set(len(await inspector.consumers()))
        await self._read_servers()

    async def _read_servers(self) -> None:
        servers = await list_servers(self.app.queue)
        metrics.queue_clients.set(sum(server.connected_clients for server in servers))
        metrics.queue_replicas.set(min(server.replicas for server in servers))
        metrics.queue_replica_lag_bytes.set(max(server.lag_bytes or 0 for server in servers))
