"""The sweep: effects planned in Postgres without a job get one; so Redis can be emptied and nothing committed is lost.

Every process sweeps, one at a time (an advisory lock); enqueueing a known job changes nothing, so a repeat is harmless.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from grimbots.conf import metrics
from grimbots.queue.job import Accepted, Job
from grimbots.services import events, messages, payments

if TYPE_CHECKING:
    from grimbots.services.app import App

log = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=30)  # a job has this long to appear by itself
BATCH = 500


async def sweep(app: App) -> int:
    """Enqueue what was planned over 30 s ago and is still not done; returns how many jobs were asked for."""
    async with app.db.transaction() as tx:
        if not await tx.duties.take_turn(duty="sweep"):
            return 0
        before = app.clock() - PATIENCE
        found: list[tuple[str, Any, Job]] = [
            *(("message", row, messages.job(row)) for row in await tx.messages.list_stale(before=before, limit=BATCH)),
            *(("payment", row, payments.job(row)) for row in await tx.payments.list_stale(before=before, limit=BATCH)),
            *(
                ("event", row, events.job(row))
                for row in await tx.provider_events.list_stale(before=before, limit=BATCH)
            ),
        ]
    await _enqueue(app, found)
    return len(found)


async def _enqueue(app: App, found: Sequence[tuple[str, Any, Job]]) -> None:
    outcomes = await asyncio.gather(*(app.queue.enqueue(job) for _, _, job in found))
    for (kind, row, job), outcome in zip(found, outcomes, strict=True):
        metrics.sweep_enqueued.labels(kind).inc()
        if outcome is Accepted.DEAD:
            log.error("job %s of a planned %s is dead: look at it with `grimbots queue dead`", job.id, kind)
            await GIVE_UP[kind](app, row, "its job is dead")


GIVE_UP = {"message": messages.give_up, "payment": payments.give_up, "event": events.give_up}
