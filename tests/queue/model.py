"""The queue as plain Python: what it knows, under a clock the fuzzer moves (what each move does: `model_moves.py`).

Lists have their head first here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from grimbots.queue.job import (
    Ack,
    Job,
    Release,
    Retry,
)

SUSPECT_CRASHES, POISON_CRASHES, POISON_BLAMES, PASSED_LIMIT = 2, 3, 2, 32


class Violation(AssertionError):
    """Redis and the model disagree."""


def expect(holds: bool, what: str) -> None:
    """Raise Violation unless it holds."""
    if not holds:
        raise Violation(what)


def is_stopped(job: Job, stops: Set[str]) -> bool:
    """Tell whether one of the stops is a job's queue, source or account."""
    return not stops.isdisjoint({f"q{job.queue}", f"s{job.source}", f"a{job.account}"})


@dataclass
class Entry:
    """One job the queue knows: alive (pending, waiting or in flight), done or dead."""

    job: Job
    at_ms: int
    attempts: int = 0
    crashes: int = 0
    blames: int = 0
    claimed_ms: int = 0
    failing_ms: int | None = None
    failing_since: int | None = None  # of the version before
    not_before: int = 0
    excused_until: int = 0  # a suspect that a claim may have sent away to wait
    settled: str = ""
    done: str = ""
    done_ms: int = 0
    dead_ms: int | None = None
    reason: str = ""
    started: int = 0
    place: int = 0  # among all that entered its chat by the tail; 0: it entered, or moved to, the head
    rank: int | None = None
    held_until: int = 0  # 0: not held back, or started since

    @property
    def alive(self) -> bool:
        return not self.done and self.dead_ms is None

    @property
    def chat(self) -> str:
        return f"{self.job.source}|{self.job.group}" if self.job.group else ""


@dataclass
class LastClaim:
    number: int
    fences: dict[str, str]


@dataclass
class Model:
    """The whole state of a shard."""

    dead_kept_ms: int
    dead_kept: int
    trim_limit: int
    now: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)
    chats: dict[str, list[str]] = field(default_factory=dict)
    chat_waits: dict[str, int] = field(default_factory=dict)
    holds: dict[str, int] = field(default_factory=dict)
    leases: dict[str, int] = field(default_factory=dict)
    flights: dict[str, dict[str, str]] = field(default_factory=dict)
    last_claims: dict[str, LastClaim] = field(default_factory=dict)
    mark: int | None = None
    fences: set[str] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    is_previous: bool = False  # the version before makes this move: it may leave to others what it knows nothing of
    places: int = 0
    started_places: dict[str, int] = field(default_factory=dict)
    enqueued: dict[str, int] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    overtakes: dict[str, int] = field(default_factory=dict)

    # Looking ------------------------------------------------------------------------------------------------------

    def running(self) -> dict[str, str]:
        """job_id -> consumer of every job in flight."""
        return {job_id: consumer for consumer, flights in self.flights.items() for job_id in flights}

    def alive(self) -> list[Entry]:
        return [entry for entry in self.entries.values() if entry.alive]

    def dead(self) -> list[str]:
        """Ids of the dead, the oldest first, as Redis sorts them."""
        dead = [
            (entry.dead_ms, job_id.encode("utf-8", "surrogatepass"), job_id)
            for job_id, entry in self.entries.items()
            if entry.dead_ms is not None
        ]
        return [job_id for _, _, job_id in sorted(dead)]

    def is_waiting(self, entry: Entry) -> bool:
        """Whether the job, its chat or its source waits for a time."""
        waits = [entry.not_before, entry.held_until, self.holds.get(f"s{entry.job.source}", 0)]
        if entry.chat:
            waits += [self.chat_waits.get(entry.chat, 0), self.holds.get(f"g{entry.chat}", 0)]
        return max(waits) > self.now

    def is_startable(self, entry: Entry, running: Mapping[str, str]) -> bool:
        """Whether claim may start the job now, slots, accounts and suspects aside."""
        if not entry.alive or entry.job.id in running or self.is_waiting(entry) or is_stopped(entry.job, self.paused):
            return False
        return not entry.chat or self.chats[entry.chat][0] == entry.job.id

    # Changing -----------------------------------------------------------------------------------------------------

    def admit(self, job: Job) -> Entry:
        entry = self.entries[job.id] = Entry(job, self.now)
        self.enqueued[job.queue] = self.enqueued.get(job.queue, 0) + 1
        return entry

    def append(self, job: Job, rank: int | None = None, hold_ms: int = 0) -> None:
        entry = self.admit(job)
        entry.rank, entry.held_until = rank, self.now + hold_ms if hold_ms else 0
        self.places += 1
        entry.place = self.places
        if entry.chat:
            line = self.chats.setdefault(entry.chat, [])
            passed = self.list_passed(entry, line, hold_ms)
            line.insert(len(line) - len(passed), job.id)
            self.overtakes[job.queue] = self.overtakes.get(job.queue, 0) + bool(passed)
            for other in passed:  # each takes the place behind its own
                if other.place:
                    other.place, entry.place = entry.place, other.place
                else:
                    entry.place = 0

    def list_passed(self, entry: Entry, line: Sequence[str], hold_ms: int) -> list[Entry]:
        """Give the jobs that a new one passes in its chat, the last of it first."""
        passed: list[Entry] = []
        while entry.rank is not None and len(passed) < min(len(line), PASSED_LIMIT):
            other = self.entries[line[-1 - len(passed)]]
            if other.job.queue != entry.job.queue or other.rank is None or other.rank <= entry.rank:
                break
            is_late = self.now - other.at_ms > hold_ms
            if not other.held_until and (is_late or other.job.id == line[0]):
                break
            passed.append(other)
        return passed

    def note_start(self, entry: Entry) -> None:
        """Count a start; first starts of a chat happen in the order in which its jobs entered by the tail."""
        entry.started += 1
        if entry.started == 1 and entry.chat and entry.place:
            expect(entry.place > self.started_places.get(entry.chat, 0), f"{entry} started out of order")
            self.started_places[entry.chat] = entry.place

    def leave_chat(self, entry: Entry) -> None:
        if entry.chat:
            expect(self.chats[entry.chat].pop(0) == entry.job.id, f"{entry.job.id} was not the head of its chat")
            self.drop_idle(entry.chat)

    def drop_idle(self, chat: str) -> None:
        if not self.chats[chat]:
            del self.chats[chat]

    def kill(self, entry: Entry, reason: str) -> None:
        entry.dead_ms, entry.reason = self.now, reason
        self.settle(entry)
        self.leave_chat(entry)

    def settle(self, entry: Entry) -> None:
        self.settled[entry.job.queue] = self.settled.get(entry.job.queue, 0) + 1

    def reap(self, consumer: str, crashed: bool) -> tuple[int, int]:
        flights, poisoned = self.flights.pop(consumer, {}), 0
        for job_id in flights:
            entry = self.entries[job_id]
            entry.blames += crashed and (len(flights) == 1 or entry.crashes >= SUSPECT_CRASHES)
            entry.crashes += crashed
            if crashed and entry.crashes >= POISON_CRASHES and entry.blames >= POISON_BLAMES:
                self.kill(entry, "poison")
                poisoned += 1
        self.leases.pop(consumer, None)
        self.last_claims.pop(consumer, None)
        return len(flights), poisoned

    def own(self, move: Ack | Retry | Release) -> Entry | None:
        if self.flights.get(move.consumer, {}).get(move.id) != move.fence:
            return None
        del self.flights[move.consumer][move.id]
        return self.entries[move.id]

    def forget(self, ids: Sequence[str]) -> None:
        for job_id in ids:
            del self.entries[job_id]
