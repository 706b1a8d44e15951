"""What the fuzzer's processes have at hand: jobs and moves, made by the walk's own dice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from grimbots.queue.job import (
    Ack,
    BuryNew,
    BuryWaiting,
    Claim,
    Claimed,
    Close,
    Discard,
    Drain,
    Enqueue,
    Intake,
    Job,
    Pause,
    Release,
    Requeue,
    Resume,
    Retry,
    Share,
    StopKind,
)
from grimbots.tests.queue.audit import QUEUES
from grimbots.tests.queue.model import Model

SOURCES = {"b1": "1", "b2": "1", "b5": "1", "b3": "2", "a4": "4"}
CHATS = ("", "", "10", "11", "não|12")
GROUP_CAP = 6
LIVE_JOBS = 40
KILLS, FAILS = {"kills": "whoever runs it"}, {"fails": "always"}
PAYLOADS: Sequence[dict[str, Any]] = ({}, {"n": 1}, {"text": "olá\n\ud800 {}"}, {"deep": [{"x": None}], "big": 2**60})


def make_resume(stop: str) -> Resume:
    """Let go on what the model knows as stopped."""
    kinds: dict[str, StopKind] = {"q": "queue", "s": "source", "a": "account"}
    return Resume(kinds[stop[0]], stop[1:])


@dataclass(eq=False)
class Process:
    """What one process knows: the jobs it believes it runs, and its last batch when the reply of it was lost."""

    name: str
    number: int = 0
    running: dict[str, Claimed] = field(default_factory=dict)
    unanswered: list[Drain] = field(default_factory=list)
    settled: list[Drain] = field(default_factory=list)
    given_back: dict[str, Claimed] = field(default_factory=dict)
    beat_ms: int = 0
    is_previous: bool = False  # it runs the scripts of the version before

    def end_given_back(self) -> list[Drain]:
        """Make acks under earlier fences of what it was given again, as of attempts that nothing could stop."""
        again = [self.given_back.pop(job_id) for job_id in self.running if job_id in self.given_back]
        return [Ack(self.name, claimed.job.id, claimed.fence) for claimed in again]

    @property
    def free_suspects(self) -> int:
        """How many suspects it may start: one at a time."""
        return max(0, 1 - sum(claimed.suspect for claimed in self.running.values()))


class Maker:
    """Makes jobs and moves that suit the state of the model."""

    def __init__(self, random: Random, model: Model) -> None:
        self.random = random
        self.model = model
        self.jobs = 0

    def make_job(self, source: str = "", group: str | None = None) -> Job:
        """Make a new job, mostly small and mostly of a chat."""
        random, self.jobs = self.random, self.jobs + 1
        source = source or random.choice(list(SOURCES))
        return Job(
            id=f"u:{self.jobs}#0" if random.random() < 0.95 else f"ü\ud801{self.jobs}",
            task="a.b",
            queue=random.choice(QUEUES),
            source=source,
            account=SOURCES[source],
            group=random.choice(CHATS) if group is None else group,
            payload=random.choices((random.choice(PAYLOADS), KILLS, FAILS), weights=(95, 2, 3))[0],
            attempts_limit=random.choice((2, 3, 8)),
        )

    def _known_job(self) -> Job | None:
        entries = list(self.model.entries.values())
        return self.random.choice(entries).job if entries else None

    def _known_jobs(self, job: Job) -> list[Job]:
        """Pick a job that waits in the chat of this one, a done or dead one of it, or any."""
        chat = f"{job.source}|{job.group}"
        pending = [self.model.entries[job_id] for job_id in self.model.chats.get(chat, ())]
        settled = [entry for entry in self.model.entries.values() if entry.chat == chat and not entry.alive]
        chosen = self.random.choice((pending, pending, settled, list(self.model.entries.values())))
        return [self.random.choice(chosen).job] if chosen else []

    def make_follow_ups(self, job: Job) -> list[Job]:
        """Make follow-ups: mostly of the same chat, sometimes others, sometimes ones that are known already."""
        most = 3 if len(self.model.alive()) < LIVE_JOBS else 0
        jobs = [self.make_job(job.source, job.group) for _ in range(self.random.randint(0, most))]
        if most and self.random.random() < 0.3:
            jobs.append(self.make_job())
        if self.random.random() < 0.4:
            jobs = self._known_jobs(job) + jobs
        return jobs

    def make_intake(self) -> list[Intake]:
        """Make new work, while there is not too much of it."""
        random, moves = self.random, []
        for _ in range(random.randint(1, 6)):
            known = self._known_job() if random.random() < 0.1 else None
            job = known or self.make_job()
            moves.append(BuryNew(job, "junk") if random.random() < 0.03 else self.make_enqueue(job))
        return moves if len(self.model.alive()) < 2 * LIVE_JOBS else []

    def make_enqueue(self, job: Job) -> Enqueue:
        """Bring a job in; most are numbered by their sender, swapped with their neighbours and often held back."""
        if self.random.random() < 0.4:
            return Enqueue(job, GROUP_CAP)
        rank = max(0, self.jobs + self.random.randint(-60, 60))
        numbered = replace(job, queue=self.random.choice(("tasks", "tasks", job.queue)))
        return Enqueue(numbered, GROUP_CAP, rank, self.random.choice((0, 400, 5_000, 5_000)))

    def make_settling(self, process: Process) -> list[Drain]:
        """End some of what the process believes it runs."""
        running = list(process.running.values())
        chosen = self.random.sample(running, self.random.randint(0, len(running)))
        moves = [self._settle(process, claimed) for claimed in chosen]
        for claimed in chosen:
            process.given_back[claimed.job.id] = process.running.pop(claimed.job.id)
        process.settled = [*process.settled, *moves][-20:]
        return moves

    def _settle(self, process: Process, claimed: Claimed) -> Drain:
        random, job_id, owner, fence = self.random, claimed.job.id, process.name, claimed.fence
        lot = random.random() if claimed.job.payload != FAILS else 0.6
        if lot < 0.6:
            return Ack(owner, job_id, fence, self.make_follow_ups(claimed.job), random.choice((0, 0, 0, 700)))
        if lot < 0.9:
            after_ms = random.choice((0, 100, 2_000, 20_000, 90_000))
            return Retry(
                owner, job_id, fence, after_ms, "bad é\ud800" * 9, random.random() < 0.7, random.random() < 0.05
            )
        return Release(owner, job_id, fence)

    def make_operation(self) -> Drain:
        """Let an operator act on a job: a dead one mostly, or one that runs, any, or one that never was."""
        known, dead, running = list(self.model.entries), self.model.dead(), list(self.model.running())
        chosen = self.random.choices((dead, running, known, []), weights=(5, 1, 1, 1))[0]
        job_id = self.random.choice(chosen or ["nobody"])
        if self.random.random() < 0.4:
            return BuryWaiting(self._pick_unwanted(), "unwanted")
        return Requeue(job_id) if self.random.random() < 0.7 else Discard(job_id)

    def _pick_unwanted(self) -> str:
        """Pick a job that waits for its turn, one that waits for whatever, any, or none."""
        running = self.model.running()
        ready = [entry.job.id for entry in self.model.alive() if self.model.is_startable(entry, running)]
        waiting = [entry.job.id for entry in self.model.alive() if entry.job.id not in running]
        wanted = self.random.choices((ready, waiting, list(self.model.entries), []), weights=(5, 5, 2, 1))[0]
        return self.random.choice(wanted or ["nobody"])

    def make_stop(self) -> Drain:
        """Let an operator stop a queue, a source or an account, or let go on what he stopped."""
        stopped = sorted(self.model.paused | self.model.closed)
        if stopped and self.random.random() < 0.4 + 0.1 * len(stopped):
            return make_resume(self.random.choice(stopped))
        names: Sequence[tuple[StopKind, Sequence[str]]] = (
            ("queue", QUEUES),
            ("source", [*SOURCES]),
            ("account", [*SOURCES.values()]),
        )
        kind, known = self.random.choice(names)
        kind_of_stop = Pause if self.random.random() < 0.8 else Close
        return kind_of_stop(kind, self.random.choice(known))

    def make_claim(self, process: Process) -> Claim:
        """Make the next claim of a process, its suspect counted."""
        random, process.number = self.random, process.number + 1
        free = {queue: random.randint(0, 4) for queue in random.sample(QUEUES, random.randint(1, 3))}
        shares = {queue: self._make_share() for queue in free if random.random() < 0.4 and not process.is_previous}
        return Claim(process.name, process.number, free, shares, process.free_suspects)

    def _make_share(self) -> Share:
        accounts = sorted(set(SOURCES.values()))
        some = self.random.sample(accounts, self.random.randint(0, 2))
        return Share(self.random.randint(1, 4), {account: self.random.randint(0, 3) for account in some})
