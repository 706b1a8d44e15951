"""The words of the queue as values: a job, the moves that change its state, what each answers.

The protocol: README, "The queue". Every move is atomic in Redis and safe to repeat after a lost reply. What is made for
every job that runs (Job, Claimed, Ack) is not frozen: that would make making it four times as dear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal


@dataclass(slots=True)
class Job:
    """One piece of work.

    `group` is a chat of `source`: jobs of a group run one at a time, first in first out; "" is unordered. `payload` is
    what JSON can hold. Raises ValueError when `id` is empty, or `queue` or `source` holds a separator of the keys.
    """

    id: str
    task: str
    queue: str
    source: str
    account: str
    group: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    attempts_limit: int = 8

    def __post_init__(self) -> None:
        if not self.id or not self.queue or ":" in self.queue or "|" in self.queue or "|" in self.source:
            raise ValueError(
                f"job {self.id!r}: an id and a queue without ':' or '|' are needed, and a source without '|'"
            )


@dataclass(slots=True)
class Claimed:
    """A job this consumer runs.

    `fence` grows with every claim; `attempts` counts those spent; `suspect`: it was there at two crashes. Times are
    Redis TIME; `retrying_since_ms`: since when each retry has had the error of the last one (0: never retried).
    """

    job: Job
    fence: str
    attempts: int
    suspect: bool
    enqueued_ms: int
    claimed_ms: int = 0
    retrying_since_ms: int = 0


class Accepted(StrEnum):
    """What enqueue answers. It never tells "new" from "known": a replay after a lost reply must look the same."""

    ACCEPTED = "ACCEPTED"
    DEAD = "DEAD"
    FULL = "FULL"
    CLOSED = "CLOSED"  # an operator drains it: refused; the sender, or the sweep, is to ask again


class Verdict(StrEnum):
    """What ack, retry, release and beat answer. LOST: job or lease are not ours; nothing of the move happened."""

    OK = "OK"
    LOST = "LOST"
    DEAD = "DEAD"  # retry: attempts spent, the job is dead now; bury: it is dead
    REPLACED = "REPLACED"  # register: a later boot of this host and slot is there; exit
    UNREGISTERED = "UNREGISTERED"
    RUNNING = "RUNNING"  # requeue, discard, bury: a process runs the job; nothing was done
    PENDING = "PENDING"  # discard: the job waits and will run; nothing was done
    GONE = "GONE"  # requeue, bury: nothing is kept of the job, or only that it is done


@dataclass(frozen=True, slots=True)
class Enqueue:
    """-> Accepted

    `rank`: the sender's own number. `hold_ms`: not before; what has a lower rank in its chat and comes meanwhile passes
    it. With either, a job passes those of a higher rank that are held back still and, within its own `hold_ms` of their
    arrival, those that wait behind the head.
    """

    job: Job
    group_cap: int
    rank: int | None = None
    hold_ms: int = 0


@dataclass(frozen=True, slots=True)
class BuryNew:
    """Store a job as dead at once. -> Accepted.DEAD, also when repeated; ACCEPTED when the id is known and not dead."""

    job: Job
    reason: str


@dataclass(frozen=True, slots=True)
class Share:
    """How many more slots of a queue one account may take in this process; `rooms` names those that have other room."""

    room: int
    rooms: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """Take work for free slots, at most 64 jobs of a queue at a time. -> ClaimReply

    The same `number` again gets the same answer, a lower one nothing. A queue without a share lets an account take all.
    """

    consumer: str  # "<host>:<slot>:<boot ns>"; it keeps its name for life, also after LOST
    number: int  # 1, 2, 3 ... of this consumer
    free: Mapping[str, int]
    shares: Mapping[str, Share] = field(default_factory=dict)
    free_suspects: int = 1


@dataclass(frozen=True, slots=True)
class Started:
    """How many jobs of an account a claim brought in a queue, and how many of them are suspects."""

    queue: str
    account: str
    jobs: int
    suspects: int


@dataclass(frozen=True)
class ClaimReply:
    """`next_due_ms`: milliseconds until something of `due` is ripe, None when nothing will be; 0: claim again.

    `started` is enough to ask for more; the jobs themselves are read when they are looked at.
    """

    verdict: Verdict
    next_due_ms: int | None = None
    started: Sequence[Started] = ()
    read: Callable[[], Sequence[Claimed]] = field(default=tuple, repr=False, compare=False)

    @cached_property
    def claimed(self) -> Sequence[Claimed]:
        """The jobs, in the order of their claims."""
        return self.read()


@dataclass(slots=True)
class Ack:
    """Done. Follow-ups of the same group go to its head in order; others are enqueued. -> Verdict"""

    consumer: str
    id: str
    fence: str
    follow_ups: Sequence[Job] = ()
    pause_ms: int = 0


@dataclass(frozen=True, slots=True)
class Retry:
    """Back to the head, not before `after_ms`. -> Verdict: OK, or DEAD when attempts or time are spent

    `spend=False`: surely not executed, costs nothing. `bury`: dead now, whatever is left. The head of a chat may spend
    attempts for 60 s, its last one starts then.
    """

    consumer: str
    id: str
    fence: str
    after_ms: int
    error: str
    spend: bool = True
    bury: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """Back to the head at once, nothing spent (drain). -> Verdict"""

    consumer: str
    id: str
    fence: str


@dataclass(frozen=True, slots=True)
class Register:
    """Take the lease; reaps an earlier boot of the same host and slot on the spot. -> Verdict (OK or REPLACED)

    Raises ValueError when `consumer` is not "<host>:<slot>:<boot ns>".
    """

    consumer: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r".*:\d+:\d+", self.consumer):
            raise ValueError(f"{self.consumer!r} is not <host>:<slot>:<boot ns>")


@dataclass(frozen=True, slots=True)
class Beat:
    """Renew the lease. -> Verdict (OK or LOST)"""

    consumer: str


@dataclass(frozen=True, slots=True)
class Deregister:
    """Give the lease back; what still runs returns to the heads, not counted as a crash. -> Verdict.OK"""

    consumer: str


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Promote due, reap expired consumers, trim; shifts deadlines after an outage. -> UpkeepReply"""


@dataclass(frozen=True, slots=True)
class UpkeepReply:
    """What one upkeep did."""

    promoted: int
    reaped_consumers: Sequence[str]
    reaped_jobs: int
    poisoned: int
    shifted_ms: int


@dataclass(frozen=True, slots=True)
class Mine:
    """What Redis thinks this consumer runs. -> Sequence[Claimed]"""

    consumer: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Start nothing of a group (name `<source>|<group>`) or a source for `ms`; never shortens. -> Verdict.OK"""

    kind: Literal["group", "source"]
    name: str
    ms: int


@dataclass(frozen=True, slots=True)
class Requeue:
    """An operator's: a dead job goes to the tail as if new, past the cap too. -> Verdict: OK, RUNNING or GONE"""

    id: str


@dataclass(frozen=True, slots=True)
class Discard:
    """An operator's: forget a dead job for good. -> Verdict: OK (nothing of it is left), RUNNING or PENDING"""

    id: str


@dataclass(frozen=True, slots=True)
class BuryWaiting:
    """An operator's: a job that waits is dead now, its chat goes on. -> Verdict: DEAD (repeated too), RUNNING, GONE"""

    id: str
    reason: str


StopKind = Literal["queue", "source", "account"]


@dataclass(frozen=True, slots=True)
class Pause:
    """An operator's: start nothing of a queue, a source or an account; what runs goes on. -> Verdict.OK"""

    kind: StopKind
    name: str


@dataclass(frozen=True, slots=True)
class Close:
    """An operator's: let nothing new in (CLOSED), work off what is there and what follows from it. -> Verdict.OK"""

    kind: StopKind
    name: str


@dataclass(frozen=True, slots=True)
class Resume:
    """An operator's: end a pause, and a close. What was parked comes back a step at each claim. -> Verdict.OK"""

    kind: StopKind
    name: str


Intake = Enqueue | BuryNew
Operation = Requeue | Discard | BuryWaiting | Pause | Close | Resume
Drain = Claim | Ack | Retry | Release | Register | Beat | Deregister | Upkeep | Mine | Hold | Operation
Move = Intake | Drain
DrainReply = Verdict | ClaimReply | UpkeepReply | Sequence[Claimed]
