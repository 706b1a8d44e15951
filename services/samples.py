"""The queues' last half hour: a look every ten seconds, in a ring of rows that every process reads and none owns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from grimbots.queue.inspector import Inspector

if TYPE_CHECKING:
    from grimbots.queue.inspector import QueueDepth
    from grimbots.services.app import App

STEP = timedelta(seconds=10)
SLOTS = 180
SPAN = STEP * SLOTS
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sample:
    """One queue, or all of them together, at an instant. Rates are those since the sample before; None at the first."""

    at: datetime
    pending: int
    in_flight: int
    dead: int
    oldest_age_seconds: float
    enqueued: int
    settled: int
    enqueued_per_second: float | None = None
    settled_per_second: float | None = None


async def take(app: App) -> None:
    """Look at the queues and write it down, unless a process has done so in this step."""
    now = app.clock()
    step = (now - EPOCH) // STEP
    slot, since = step % SLOTS, EPOCH + step * STEP
    if await app.db.samples.is_taken(slot=slot, since=since):
        return
    depths = await Inspector(app.queue).queues()
    async with app.db.transaction() as tx:
        for depth in depths:
            await tx.samples.put(slot=slot, since=since, **_describe(depth, now))


async def list_series(app: App) -> dict[str, list[Sample]]:
    """Return each queue's samples of the last half hour, the oldest first."""
    series: dict[str, list[Sample]] = {}
    for row in await app.db.samples.list_since(since=app.clock() - SPAN):
        kept = series.setdefault(row.queue, [])
        kept.append(_compare(kept[-1] if kept else None, row))
    return series


def sum_up(series: dict[str, list[Sample]]) -> list[Sample]:
    """Put all queues together: what waits and runs is added, of the ages the oldest is taken."""
    steps: dict[datetime, list[Sample]] = {}
    for samples in series.values():
        for sample in samples:
            steps.setdefault(sample.at, []).append(sample)
    return [_add(at, samples) for at, samples in sorted(steps.items())]


def _describe(depth: QueueDepth, now: datetime) -> dict[str, Any]:
    return {
        "queue": depth.queue,
        "at": now,
        "pending": depth.pending,
        "in_flight": depth.in_flight,
        "dead": depth.dead,
        "oldest_age_seconds": depth.oldest_age_seconds,
        "enqueued": depth.enqueued,
        "settled": depth.settled,
    }


def _compare(before: Sample | None, row: Any) -> Sample:
    """Read a row and how fast its counters grew; after the data was emptied they begin anew: never negative."""
    figures = (row.at, row.pending, row.in_flight, row.dead, row.oldest_age_seconds, row.enqueued, row.settled)
    if before is None:
        return Sample(*figures)
    seconds = (row.at - before.at).total_seconds()
    grown = row.enqueued - before.enqueued, row.settled - before.settled
    return Sample(*figures, *(max(0, more) / seconds for more in grown))


def _add(at: datetime, samples: list[Sample]) -> Sample:
    return Sample(
        at=at,
        pending=sum(sample.pending for sample in samples),
        in_flight=sum(sample.in_flight for sample in samples),
        dead=sum(sample.dead for sample in samples),
        oldest_age_seconds=max(sample.oldest_age_seconds for sample in samples),
        enqueued=sum(sample.enqueued for sample in samples),
        settled=sum(sample.settled for sample in samples),
        enqueued_per_second=_add_rates(sample.enqueued_per_second for sample in samples),
        settled_per_second=_add_rates(sample.settled_per_second for sample in samples),
    )


def _add_rates(rates: Iterable[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None
