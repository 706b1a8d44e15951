"""How fast jobs come in and are settled: the difference of two looks at the counters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grimbots.queue.sightings import Counts

SPAN_SECONDS = 5.0  # looks nearer to each other than this share one to compare with
LEAST_SECONDS = 0.5  # over less time a rate says nothing


@dataclass(frozen=True, slots=True)
class Rate:
    """Jobs a second of one queue, over the last `over_seconds`."""

    enqueued: float
    settled: float
    over_seconds: float


@dataclass(frozen=True, slots=True)
class Look:
    """The counters as they were at an instant (monotonic)."""

    at: float
    counts: Mapping[str, Counts]


class Rates:
    """Keeps what this process saw at its last looks. Nobody looks for its sake: between two looks may lie an hour."""

    def __init__(self) -> None:
        self._before: Look | None = None
        self._last: Look | None = None

    def measure(self, counts: Mapping[str, Counts], at: float) -> dict[str, Rate]:
        """Note a look and give each queue's rate since an earlier one; nothing where there is none."""
        base = self._turn(Look(at, counts))
        over_seconds = at - base.at
        if over_seconds < LEAST_SECONDS:
            return {}
        return {queue: _compare(base.counts.get(queue), now, over_seconds) for queue, now in counts.items()}

    def _turn(self, look: Look) -> Look:
        """Keep a look if the last one is old enough. Returns the one to compare with."""
        if self._last is None or look.at - self._last.at >= SPAN_SECONDS:
            self._before, self._last = self._last, look
        return self._before or self._last


def _compare(base: Counts | None, now: Counts, over_seconds: float) -> Rate:
    """Compare two counts; after the data was emptied the counters begin anew, and a rate is not negative."""
    before = base or Counts(0, 0)
    enqueued, settled = now.enqueued - before.enqueued, now.settled - before.settled
    return Rate(max(0, enqueued) / over_seconds, max(0, settled) / over_seconds, over_seconds)
