"""GET /live, /ready, /health: is the process there, may a balancer send to it, and does all of it really work."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from grimbots.handlers.base import BaseHandler
from grimbots.queue.dispatcher import QueueUnavailable
from grimbots.queue.inspector import Inspector, QueueDepth
from grimbots.queue.memory import MEANINGS
from grimbots.services import stores

LONG_QUEUE_JOBS = 1000
OLD_JOB_SECONDS = 60
UNHEALTHY_RETRY_SECONDS = 1


class LiveHandler(BaseHandler):
    """The process runs its loop."""

    def get(self) -> None:
        """Answer 200."""
        self.answer({"status": "alive"})


class ReadyHandler(BaseHandler):
    """Listening and not draining: what a balancer asks. Stores are not asked: `/go` works without them.

    A process that serves no HTTP has nothing else to do than to run jobs: it is ready while it claims.
    """

    def get(self) -> None:
        """Answer 200; 503 from the moment the process is told to stop, or while it is there to work and cannot."""
        status = self._find_status()
        self.answer({"status": status}, 200 if status == "ready" else 503)

    def _find_status(self) -> str:
        if self.application.settings["draining"].is_set():
            return "draining"
        if not self.role.http and not Inspector(self.app.queue).claims():
            return "not claiming"
        return "ready"


class HealthHandler(BaseHandler):
    """Everything: healthy and degraded are 200 (warnings say why), unhealthy is 503."""

    async def get(self) -> None:
        """Check the stores and the queue's consumers, and tell."""
        database, queue = await stores.check_database(self.app), await self._check_queue()
        warnings = [text for depth in queue.get("queues", []) for text in _warn(depth)]
        if queue.get("stopped_places"):
            warnings.append(f"an operator stopped {queue['stopped_places']} sources or accounts: grimbots queue resume")
        if self.app.queue.memory_level:
            warnings.append(f"the memory of redis: {MEANINGS[self.app.queue.memory_level]}")
        if queue.get("consumers") == []:
            warnings.append("no process runs jobs: they wait")
        broken = database["status"] != "up" or queue["status"] != "up"
        status = "unhealthy" if broken else "degraded" if warnings else "healthy"
        if broken:
            self.set_header("Retry-After", str(UNHEALTHY_RETRY_SECONDS))
        report = {
            "status": status,
            "timestamp": self.app.clock().isoformat(),
            "checks": {
                "database": database,
                "redis": {**queue, "queues": [asdict(depth) for depth in queue.get("queues", [])]},
            },
            "warnings": warnings,
        }
        self.answer(report, 503 if broken else 200)

    async def _check_queue(self) -> dict[str, Any]:
        inspector = Inspector(self.app.queue)
        try:
            redis, queues, consumers = await inspector.redis(), await inspector.queues(), await inspector.consumers()
            stops = await inspector.stops()
        except QueueUnavailable:
            return {"status": "down"}
        claims = inspector.claims() or not self.role.work
        consuming = [asdict(consumer) for consumer in consumers]
        status = "up" if claims else "not claiming"
        kept = {"connections": inspector.connections(), "consumers": consuming}
        kept["stopped_places"] = sum(stop.kind != "queue" for stop in stops)
        return {"status": status, **redis, **kept, "queues": queues}


def _warn(depth: QueueDepth) -> list[str]:
    texts = []
    if depth.paused:
        texts.append(f"queue {depth.queue} is paused: nothing of it starts until grimbots queue resume {depth.queue}")
    if depth.draining:
        texts.append(f"queue {depth.queue} takes nothing new until grimbots queue resume {depth.queue}")
    if depth.pending > LONG_QUEUE_JOBS:
        texts.append(f"queue {depth.queue} has {depth.pending} jobs waiting")
    if depth.oldest_age_seconds > OLD_JOB_SECONDS:
        texts.append(f"queue {depth.queue} has a job waiting for {depth.oldest_age_seconds:.0f} s")
    return texts
