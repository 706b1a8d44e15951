"""What the Inspector shows of many jobs at once: whose turn is next, who runs what, and what comes due when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grimbots.queue.sightings import Consumer, State, Waiting, Waits

WINDOWS_SECONDS = (1, 10, 60)
COLUMNS = {
    Waits.JOB: "jobs",
    Waits.GROUP: "chats",
    Waits.SOURCE: "sources",
    Waits.GROUP_HOLD: "holds",
    Waits.SOURCE_HOLD: "holds",
}


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A job by its header: its payload was not read."""

    id: str
    state: State
    header: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ready:
    """How much of a source is ready in a queue: chats, each with its head, and unordered jobs."""

    queue: str
    source: str
    entries: int


@dataclass(frozen=True, slots=True)
class Load:
    """What runs now of one source in one queue."""

    queue: str
    account: str
    source: str
    jobs: int


@dataclass(frozen=True, slots=True)
class Running:
    """A job that runs, where and for how long. `task` is "" when it ended while it was looked at."""

    id: str
    task: str
    queue: str
    account: str
    source: str
    consumer: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Due:
    """What comes due in one window of time: unordered jobs, chats and sources that wait, holds that end.

    `window`: "1 s", "10 s", "60 s" (each without the one before), "later", "resume" (when an operator says so), or
    "unseen": how many there are beyond those looked at, of whatever kind.
    """

    window: str
    jobs: int = 0
    chats: int = 0
    sources: int = 0
    holds: int = 0
    unseen: int = 0


def count_running(consumers: Iterable[Consumer]) -> list[Load]:
    """Count what runs by queue, account and source, the most first."""
    running = Counter(
        (flight.queue, flight.account, flight.source) for consumer in consumers for flight in consumer.flights
    )
    return [Load(*place, jobs) for place, jobs in sorted(running.items(), key=lambda one: (-one[1], one[0]))]


def sort_due(waiting: Sequence[Waiting], total: int) -> list[Due]:
    """Sort what waits into windows; `total` is how many there are, with those not among `waiting`."""
    windows: dict[str, dict[str, Any]] = {}
    for one in waiting:
        counts = windows.setdefault(_name_window(one.in_ms), {})
        counts[COLUMNS[one.kind]] = counts.get(COLUMNS[one.kind], 0) + 1
    unseen = {"unseen": {"unseen": total - len(waiting)}} if total > len(waiting) else {}
    return [Due(window, **counts) for window, counts in {**windows, **unseen}.items()]


def _name_window(in_ms: int | None) -> str:
    if in_ms is None:
        return "resume"
    return next((f"{seconds} s" for seconds in WINDOWS_SECONDS if in_ms <= seconds * 1000), "later")
