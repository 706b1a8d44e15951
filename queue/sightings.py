"""What a look into the queue sees, as values. Times are Redis TIME."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from grimbots.queue.job import Job, StopKind


@dataclass(frozen=True, slots=True)
class Flight:
    """A job that a consumer runs."""

    id: str
    fence: str
    queue: str
    source: str
    account: str
    group: str
    claimed_ms: int


@dataclass(frozen=True, slots=True)
class Consumer:
    """A process with a lease; `lease_ms` is left of it (negative: expired, not yet reaped)."""

    name: str
    lease_ms: int
    flights: Sequence[Flight]


@dataclass(frozen=True, slots=True)
class Counts:
    """Jobs of a queue since the data began: let in, and done or dead; the difference is pending, waiting or running.

    `dead` are the dead ones that are kept, `overtakes` those that came late by their rank and were put in order.
    """

    enqueued: int
    settled: int
    dead: int = 0
    overtakes: int = 0


class Waits(StrEnum):
    """What waits for a time: a place (an unordered job, a chat, a source in a queue) or a hold's reason."""

    JOB = "J"  # name: <id>
    GROUP = "G"  # name: <source>|<chat>
    SOURCE = "S"  # name: <queue>|<source>
    GROUP_HOLD = "g"  # name: <source>|<chat>
    SOURCE_HOLD = "s"  # name: <source>


@dataclass(frozen=True, slots=True)
class Waiting:
    """One entry of what is due later, or now when `in_ms` is not above 0; None: when an operator says so (a pause)."""

    kind: Waits
    name: str
    in_ms: int | None


@dataclass(frozen=True, slots=True)
class DeadJob:
    """A job that will not run again by itself. `reason`: attempts, budget, poison, buried, or what BuryNew gave."""

    job: Job
    at_ms: int
    reason: str
    error: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Death:
    """When and of what a job died; nothing else of it was read."""

    id: str
    at_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """What an operator stopped: it is paused, or let in no more (closed), or both."""

    kind: StopKind
    name: str
    paused: bool
    closed: bool


class State(StrEnum):
    """Where a job is."""

    PENDING = "pending"
    WAITING = "waiting"  # for its time: it, or its chat
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is known of one id. `job` is None when it is done: only the id is kept, for a minute.

    Of a running one: its flight and the consumer that runs it. Of one that waits: how many of its chat are before it,
    and what it, its chat and its source wait for, holds included.
    """

    id: str
    state: State
    job: Job | None
    header: Mapping[str, Any]
    consumer: str = ""
    flight: Flight | None = None
    ahead: int = 0
    waits: Sequence[Waiting] = ()
