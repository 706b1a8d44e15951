"""What comes due when, in the queue and among the timers: counted by minutes and by hours, no entry read one by one."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from grimbots.queue.inspector import Inspector

if TYPE_CHECKING:
    from grimbots.services.app import App

MINUTES, HOURS = 60, 48
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
MOST_TIMERS = 10_000  # read in the order in which they come due
OVERDUE = timedelta(days=-30)


@dataclass(frozen=True, slots=True)
class Bucket:
    """What comes due from an instant on, until the next bucket's; the first one has what is overdue, too.

    `jobs` are the queue's: jobs, chats and sources that wait, and holds that end.
    """

    at: datetime
    jobs: int
    timers: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """The next hour by minutes, the next two days by hours. `kinds`: the timers read, the most frequent kind first.

    `is_whole`: all timers until then were read, not the next 10,000 only.
    """

    minutes: list[Bucket]
    hours: list[Bucket]
    kinds: list[tuple[str, int]]
    is_whole: bool


async def read(app: App) -> Calendar:
    """Count what comes due. Raises QueueUnavailable, DatabaseUnavailable, StatementTimeout."""
    now = app.clock()
    minutes, hours = list_begins(now, MINUTE, MINUTES), list_begins(now, HOUR, HOURS)
    rows = await app.db.timers.count_by_minute(until=hours[-1], limit=MOST_TIMERS)
    kinds: Counter[str] = Counter()
    timers: Counter[datetime] = Counter()
    for row in rows:
        kinds[row.kind] += row.timers
        timers[row.minute] += row.timers
    return Calendar(
        minutes=await _fill(app, now, minutes, timers),
        hours=await _fill(app, now, hours, timers),
        kinds=kinds.most_common(),
        is_whole=kinds.total() < MOST_TIMERS,
    )


def list_begins(now: datetime, step: timedelta, count: int) -> list[datetime]:
    """List when `count` buckets begin, the first with the minute or hour that runs, and when the last one ends."""
    first = now.replace(second=0, microsecond=0)
    first = first.replace(minute=0) if step == HOUR else first
    return [first + step * place for place in range(count + 1)]


async def _fill(app: App, now: datetime, begins: Sequence[datetime], timers: Counter[datetime]) -> list[Bucket]:
    spans = [OVERDUE, *(begin - now for begin in begins[1:])]
    jobs = await Inspector(app.queue).due_between([span.total_seconds() for span in spans])
    placed: Counter[int] = Counter()
    for minute, count in timers.items():
        placed[max(0, bisect_right(begins, minute) - 1)] += count
    return [Bucket(begin, count, placed[place]) for place, (begin, count) in enumerate(zip(begins, jobs, strict=False))]
