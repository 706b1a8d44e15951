"""The model fuzzer: a seeded random walk over every move, compared with the model move by move and audited every 40 steps.

    python tests/queue/fuzz.py --seed 7 --seconds 60
    python tests/queue/fuzz.py --seeds 1,2,3 --seconds 60 --server /path/to/redis-server

Processes die, freeze and come back as zombies, replies get lost and batches are repeated, late batches arrive over connections given
up, Redis is away for longer than a lease (its clock jumps). Same seed and steps: same walk. The run fails on the first violation, and
when a branch of either script was never taken.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

from grimbots.queue.job import (
    Ack,
    Beat,
    BuryNew,
    Claim,
    Claimed,
    ClaimReply,
    Deregister,
    Drain,
    Enqueue,
    Hold,
    Intake,
    Job,
    Mine,
    Register,
    Release,
    Retry,
    Upkeep,
    Verdict,
)
from grimbots.queue.store import ScriptFailed, Store
from grimbots.tests.queue.audit import QUEUES, audit
from grimbots.tests.queue.fuzz_scripts import (
    BRANCHES,
    CLOCK,
    DEAD_KEPT,
    DEAD_KEPT_MS,
    TRIM_LIMIT,
    Mutation,
    load_fuzzed,
)
from grimbots.tests.queue.model import Model, Violation, expect
from redis.asyncio import Redis

PREFIX = "{q0}:"
AUDIT_STEPS = 40
SOURCES = {"b1": "1", "b2": "1", "b3": "2", "a4": "4"}
CHATS = ("", "", "10", "11", "não|12")
SLOTS = 3
GROUP_CAP = 6
LIVE_JOBS = 40
DONE_KEPT_MS = 60_000
FIRST_MS = 1_790_000_000_000
PAYLOADS: Sequence[dict[str, Any]] = ({}, {"n": 1}, {"text": "olá\n\ud800 {}"}, {"deep": [{"x": None}], "big": 2**60})


@dataclass(eq=False)
class Process:
    """What one process knows: the jobs it believes it runs, and its last batch when the reply of it was lost."""

    name: str
    number: int = 0
    running: dict[str, Claimed] = field(default_factory=dict)
    unanswered: list[Drain] = field(default_factory=list)
    settled: list[Drain] = field(default_factory=list)
    beat_ms: int = 0


class Fuzzer:
    """One walk: `step` as often as wanted, then `finish`."""

    def __init__(self, seed: int, redis: Redis, store: Store) -> None:
        self.random = Random(seed)
        self.redis = redis
        self.store = store
        self.model = Model(DEAD_KEPT_MS, DEAD_KEPT, TRIM_LIMIT, now=FIRST_MS)
        self.processes: list[Process] = []
        self.zombies: list[Process] = []
        self.late: list[tuple[list[Drain], list[Intake]]] = []
        self.jobs = 0
        self.boots = 0
        self.upkept_ms = 0
        self.tally: dict[str, int] = {}

    # One step ---------------------------------------------------------------------------------------------------------

    async def step(self, number: int) -> None:
        """Let time pass, let somebody do something, and audit now and then."""
        await self._pass_time()
        await self._work()
        if number % AUDIT_STEPS == 0:
            await self.audit()

    async def _pass_time(self) -> None:
        away = self.random.random() < 0.004
        self._count("outages", away)
        self.model.now += self.random.randint(11_000, 40_000) if away else int(self.random.expovariate(1 / 60))
        if self.random.random() < 0.02:
            self.model.now += self.random.randint(500, 2500)

    async def _work(self) -> None:
        if self.model.now - self.upkept_ms > 1_000 and self.random.random() < 0.9:
            self.upkept_ms = self.model.now
            await self.run([Upkeep()])
        act = self.random.choices(list(_ACTS), weights=list(_ACTS.values()))[0]
        await act(self)

    async def run(self, drain: Sequence[Drain], intake: Sequence[Intake] = ()) -> list[Any]:
        """Run a batch at the model's time and let the model judge every reply, intake first as the store promises."""
        micros = self.random.randint(0, 999)
        clock = {"seconds": self.model.now // 1000, "micros": self.model.now % 1000 * 1000 + micros}
        await self.redis.hset(PREFIX + CLOCK, mapping=clock)
        replies = await self.store.run(drain, intake)
        if replies.intake is None:
            raise Violation("intake was refused")
        for move, reply in [*zip(intake, replies.intake, strict=True), *zip(drain, replies.drain, strict=True)]:
            self._count(f"{type(move).__name__} {getattr(reply, 'value', '')}".strip())
            self.model.apply(move, reply)
        return list(replies.drain)

    async def audit(self) -> None:
        """Forget what was done a minute ago, as Redis does, and audit the rest."""
        entries = self.model.entries
        over = [id for id, entry in entries.items() if entry.done and entry.done_ms < self.model.now - DONE_KEPT_MS]
        for id in over:
            del entries[id]
        if over:
            await self.redis.delete(*(f"{PREFIX}job:{id}".encode("utf-8", "surrogatepass") for id in over))
        await audit(self.redis, PREFIX, self.model)

    def _count(self, what: str, times: int = 1) -> None:
        self.tally[what] = self.tally.get(what, 0) + times

    # Jobs -------------------------------------------------------------------------------------------------------------

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
            payload=random.choice(PAYLOADS),
            attempts_limit=random.choice((2, 3, 8)),
        )

    def _known_job(self) -> Job | None:
        entries = list(self.model.entries.values())
        return self.random.choice(entries).job if entries else None

    def make_follow_ups(self, job: Job) -> list[Job]:
        """Make follow-ups: mostly of the same chat, sometimes others, sometimes ones that are known already."""
        most = 3 if len(self.model.alive()) < LIVE_JOBS else 0
        jobs = [self.make_job(job.source, job.group) for _ in range(self.random.randint(0, most))]
        if most and self.random.random() < 0.3:
            jobs.append(self.make_job())
        pending = [id for id in self.model.chats.get(f"{job.source}|{job.group}", ()) if id != job.id]
        if pending and self.random.random() < 0.4:
            jobs.insert(0, self.model.entries[self.random.choice(pending)].job)
        known = self._known_job()
        if known and self.random.random() < 0.1:
            jobs.append(known)
        return jobs

    # Moves ------------------------------------------------------------------------------------------------------------

    def make_intake(self) -> list[Intake]:
        """Make new work, while there is not too much of it."""
        random, moves = self.random, []
        for _ in range(random.randint(1, 6)):
            known = self._known_job() if random.random() < 0.1 else None
            job = known or self.make_job()
            moves.append(BuryNew(job, "junk") if random.random() < 0.03 else Enqueue(job, GROUP_CAP))
        return moves if len(self.model.alive()) < 2 * LIVE_JOBS else []

    def make_settling(self, process: Process) -> list[Drain]:
        """End some of what the process believes it runs."""
        running = list(process.running.values())
        chosen = self.random.sample(running, self.random.randint(0, len(running)))
        moves = [self._settle(process, claimed) for claimed in chosen]
        for claimed in chosen:
            del process.running[claimed.job.id]
        process.settled = [*process.settled, *moves][-20:]
        return moves

    def _settle(self, process: Process, claimed: Claimed) -> Drain:
        random, id, owner, fence = self.random, claimed.job.id, process.name, claimed.fence
        lot = random.random()
        if lot < 0.6:
            return Ack(owner, id, fence, self.make_follow_ups(claimed.job), random.choice((0, 0, 0, 700)))
        if lot < 0.9:
            after_ms = random.choice((0, 100, 2_000, 20_000, 90_000))
            return Retry(owner, id, fence, after_ms, "bad é\ud800" * 9, random.random() < 0.7, random.random() < 0.05)
        return Release(owner, id, fence)

    def make_claim(self, process: Process) -> Claim:
        """Make the next claim of a process, its suspect counted."""
        random, process.number = self.random, process.number + 1
        free = {queue: random.randint(0, 4) for queue in random.sample(QUEUES, random.randint(1, 3))}
        full = random.sample(sorted(set(SOURCES.values())), random.choice((0, 0, 0, 1, 2)))
        suspects = 1 - sum(claimed.suspect for claimed in process.running.values())
        return Claim(process.name, process.number, free, full, max(0, suspects))

    # Acts -------------------------------------------------------------------------------------------------------------

    async def spawn(self) -> None:
        """Boot a process for a slot; whoever had it is a zombie from now on, or dead."""
        slot = self.random.randrange(SLOTS)
        self.boots += self.random.randint(1, 9)
        process = Process(f"h:ost:{slot}:{9_999_999_990 + self.boots}")
        for old in [old for old in self.processes if old.name.startswith(f"h:ost:{slot}:")]:
            self._bury_process(old)
        self.processes.append(process)
        await self.run([Register(process.name)])

    def _bury_process(self, process: Process) -> None:
        self.processes.remove(process)
        if self.random.random() < 0.6:
            self.zombies = [*self.zombies, process][-6:]

    async def die(self) -> None:
        """Kill a process or freeze it for long; nobody hears of it."""
        if self.processes and self.random.random() < 0.3:
            self._bury_process(self.random.choice(self.processes))

    async def leave(self) -> None:
        """End a process in order."""
        if self.processes and self.random.random() < 0.3:
            process = self.random.choice(self.processes)
            self._bury_process(process)
            await self.run([*self.make_settling(process), Deregister(process.name)])

    async def tick(self) -> None:
        """Let a live process do its batch; sometimes its reply is lost, then the batch is repeated before anything else."""
        if not self.processes:
            return await self.spawn()
        process = self.random.choice(self.processes)
        if process.unanswered:
            self._count("replays")
        drain = process.unanswered or [*self.make_settling(process), self.make_claim(process)]
        intake = self.make_intake() if self.random.random() < 0.6 else []
        if self.model.now - process.beat_ms > 2_500:
            process.beat_ms = self.model.now
            await self.run([Beat(process.name)])
        replies = await self.run(drain, intake)
        if self.random.random() < 0.1:
            self.late = [*self.late, (list(drain), intake)][-5:]
        process.unanswered = list(drain) if self.random.random() < 0.08 else []
        if not process.unanswered:
            await self._hear(process, replies[-1])
        return None

    async def _hear(self, process: Process, reply: ClaimReply) -> None:
        if reply.verdict is Verdict.UNREGISTERED:
            await self._return(process)
        process.running |= {claimed.job.id: claimed for claimed in reply.claimed}

    async def _return(self, process: Process) -> None:
        """Register again under the same name, as a process does whose lease was lost; replaced ones give up."""
        process.running.clear()
        (verdict,) = await self.run([Register(process.name)])
        if verdict is Verdict.REPLACED and process in self.processes:
            self.processes.remove(process)

    async def haunt(self) -> None:
        """Let a zombie go on where it stopped: settle what it no longer owns, claim, or register again."""
        if not self.zombies:
            return
        zombie = self.random.choice(self.zombies)
        self._count("zombies")
        moves = zombie.unanswered or [*self.make_settling(zombie), Beat(zombie.name), self.make_claim(zombie)]
        if self.random.random() < 0.2:
            moves = [Register(zombie.name), *moves]
        replies = await self.run(moves)
        zombie.running |= {claimed.job.id: claimed for claimed in getattr(replies[-1], "claimed", ())}

    async def repeat(self) -> None:
        """Repeat what was settled long ago, or let a late batch arrive."""
        if self.late and self.random.random() < 0.4:
            drain, intake = self.late.pop(self.random.randrange(len(self.late)))
            await self.run(drain, intake)
        everybody = [process for process in self.processes + self.zombies if process.settled]
        if everybody:
            await self.run([self.random.choice(self.random.choice(everybody).settled)])

    async def look(self) -> None:
        """Ask what a process runs, and let it go on with exactly that."""
        if self.processes:
            process = self.random.choice(self.processes)
            if not process.unanswered:
                (claimed,) = await self.run([Mine(process.name)])
                process.running = {one.job.id: one for one in claimed}

    async def hold(self) -> None:
        """Hold a chat or a source."""
        source, ms = self.random.choice(list(SOURCES)), self.random.choice((50, 1_000, 5_000))
        chat = self.random.choice([chat for chat in CHATS if chat])
        held = Hold("source", source, ms) if self.random.random() < 0.3 else Hold("group", f"{source}|{chat}", ms)
        await self.run([held])

    # The end ----------------------------------------------------------------------------------------------------------

    async def finish(self, branches: set[str]) -> None:
        """Work everything off: all must end done or dead. Then every branch must have been taken."""
        await self.spawn()
        for _ in range(2_000):
            if not self.model.alive():
                break
            self.model.now += 900
            await self.run([Upkeep()])
            for process in self.processes:
                await self._work_off(process)
        await self.audit()
        left = self.model.alive()
        expect(not left, f"{len(left)} jobs are neither done nor dead: {left[:3]}")

    async def _work_off(self, process: Process) -> None:
        acks = [Ack(process.name, claimed.job.id, claimed.fence) for claimed in process.running.values()]
        process.running = {}
        claim = process.unanswered[-1:] or [self.make_claim(process)]
        replies = await self.run([Beat(process.name), *process.unanswered[:-1], *acks, *claim])
        process.unanswered = []
        await self._hear(process, replies[-1])


_ACTS: dict[Callable[[Fuzzer], Any], float] = {
    Fuzzer.tick: 70,
    Fuzzer.haunt: 6,
    Fuzzer.repeat: 8,
    Fuzzer.hold: 4,
    Fuzzer.look: 3,
    Fuzzer.die: 3,
    Fuzzer.leave: 2,
    Fuzzer.spawn: 2,
}


@dataclass(frozen=True, slots=True)
class Walk:
    """What one walk did."""

    seed: int
    steps: int
    tally: dict[str, int]
    branches: dict[str, int]
    untaken: set[str]


async def walk(url: str, seed: int, seconds: float, steps: int = 10**9, mutation: Mutation | None = None) -> Walk:
    """Walk from an empty Redis until time or steps are up.

    Raises:
        Violation: with the step at which Redis and the model first disagreed.
    """
    scripts, branches = load_fuzzed(mutation)
    redis, store = Redis.from_url(url, protocol=3), Store(url, PREFIX, scripts)
    try:
        await redis.flushall()
        await store.connect()
        fuzzer, until, step = Fuzzer(seed, redis, store), monotonic() + seconds, 0
        try:
            while step < steps and monotonic() < until:
                step += 1
                await fuzzer.step(step)
            await fuzzer.finish(branches)
        except (Violation, ScriptFailed, KeyError, IndexError) as error:
            raise Violation(f"seed {seed}, step {step}: {type(error).__name__}: {error}") from error
        taken = {name.decode(): int(times) for name, times in (await redis.hgetall(PREFIX + BRANCHES)).items()}
        return Walk(seed, step, fuzzer.tally, taken, branches - taken.keys())
    finally:
        await store.close()
        await redis.aclose()


@contextmanager
def private_server(program: str):
    """Run a Redis of our own on a unix socket for as long as the block lasts; gives its address."""
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        path = Path(folder) / "redis.sock"
        arguments = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no", "--dir", folder]
        server = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)
        try:
            deadline = monotonic() + 10
            while not path.exists() and monotonic() < deadline:
                if server.poll() is not None:
                    raise RuntimeError(f"{program} ended with {server.returncode}")
            yield f"unix://{path}"
        finally:
            server.terminate()
            server.wait()


def main(arguments: Sequence[str]) -> int:
    """Run the seeds one after the other. 0: no violation, and every branch taken in one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", "--seeds", dest="seeds", default="1", help="one seed, or several: 1,2,3")
    parser.add_argument("--seconds", type=float, default=60, help="per seed")
    parser.add_argument("--steps", type=int, default=10**9, help="stop a seed here (to replay a violation)")
    parser.add_argument("--server", default="redis-server", help="the redis-server to start")
    options = parser.parse_args(arguments)
    untaken: set[str] | None = None
    with private_server(options.server) as url:
        for seed in map(int, options.seeds.split(",")):
            try:
                done = asyncio.run(walk(url, seed, options.seconds, options.steps))
            except Violation as error:
                print(f"VIOLATION {error}\nreplay: python {__file__} --seed {seed} --seconds {options.seconds * 3 + 60:.0f}")
                return 1
            untaken = done.untaken if untaken is None else untaken & done.untaken
            print(f"seed {seed}: {done.steps} steps, 0 violations, {len(done.untaken)} branches not taken, {done.tally}", flush=True)
    for name in sorted(untaken or ()):
        print(f"NEVER TAKEN {name}")
    return 1 if untaken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
