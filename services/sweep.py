"""The sweep: effects that are planned in Postgres but have no job get one, so Redis may lose every job it had.

Every process sweeps, one at a time (an advisory lock). Enqueueing a known job changes nothing, so a repeat is harmless.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from grimbots.conf import metrics
from grimbots.queue.job import Accepted, Job
from grimbots.services import (
    admissions,
    events,
    messages,
    payments,
    posts,
    refunds,
)

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=30)  # a job has this long to appear by itself
# An event has no place in a chat's order to be spoiled, and is a buyer who has paid while Redis was away; refunds are
# asked for by commands, too, which have no queue.
EVENT_PATIENCE = timedelta(seconds=3)
BATCH = 500


@dataclass(frozen=True, slots=True)
class Kind:
    """What is swept: the rows of an aggregate, the job that does one, and what closes a row whose job is dead."""

    name: str
    aggregate: str
    job: Callable[[Row], Job]
    give_up: Callable[[App, Row, str], Awaitable[None]]
    patience: timedelta = PATIENCE


KINDS = (
    Kind("message", "messages", messages.job, messages.give_up),
    Kind("payment", "payments", payments.job, payments.give_up),
    Kind("refund", "payment_returns", refunds.job, refunds.give_up, EVENT_PATIENCE),
    Kind("act", "group_acts", admissions.job, admissions.give_up),
    Kind("post", "posts", posts.job, posts.give_up),
    Kind("event", "provider_events", events.job, events.give_up, EVENT_PATIENCE),
)


async def sweep(app: App) -> int:
    """Enqueue what was planned longer ago than its patience and is not done; returns how many jobs were asked for."""
    async with app.db.transaction() as turn:  # holds the turn and writes nothing: what is swept was committed before
        if not await turn.duties.take_turn(duty="sweep"):
            return 0
        return sum([await _sweep_kind(app, kind) for kind in KINDS])


async def _sweep_kind(app: App, kind: Kind) -> int:
    """Go through every stale row, oldest first, a page at a time: what cannot be done must not hide what can."""
    before = app.clock() - kind.patience
    swept = last_id = 0
    rows = getattr(app.db, kind.aggregate)
    while page := await rows.list_stale(before=before, after=last_id, limit=BATCH):
        await _enqueue(app, kind, page)
        swept, last_id = swept + len(page), page[-1].id
    return swept


async def _enqueue(app: App, kind: Kind, page: Sequence[Row]) -> None:
    jobs = [kind.job(row) for row in page]
    outcomes = await asyncio.gather(*(app.queue.enqueue(job) for job in jobs))
    metrics.sweep_enqueued.labels(kind.name).inc(len(jobs))
    for row, job, outcome in zip(page, jobs, outcomes, strict=True):
        if outcome is Accepted.DEAD:
            await kind.give_up(app, row, "its job is dead")
            log.error("job %s of a planned %s is dead: look at it with `grimbots queue dead`", job.id, kind.name)
