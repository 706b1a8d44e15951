"""The fuzzer's walk: processes that work, die, freeze, haunt, repeat and wait, one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from redis.asyncio import Redis

from grimbots.queue.connections import RedisAway
from grimbots.queue.job import (
    Ack,
    Beat,
    Claim,
    ClaimReply,
    Deregister,
    Drain,
    Hold,
    Intake,
    Mine,
    Register,
    Upkeep,
    UpkeepReply,
    Verdict,
)
from grimbots.queue.store import PREFIX, Store
from grimbots.tests.queue.audit import QUEUES, audit
from grimbots.tests.queue.desks import connect
from grimbots.tests.queue.fuzz_makers import CHATS, KILLS, SOURCES, Maker, Process, make_resume
from grimbots.tests.queue.fuzz_scripts import (
    CLOCK,
    DEAD_KEPT,
    DEAD_KEPT_MS,
    TRIM_LIMIT,
)
from grimbots.tests.queue.model import Model, Violation, expect
from grimbots.tests.queue.model_moves import apply

AUDIT_STEPS = 40
SLOTS = 3
DONE_KEPT_MS = 60_000
FIRST_MS = 1_790_000_000_000


class Fuzzer:
    """One walk: `step` as often as wanted, then `finish`."""

    def __init__(self, seed: int, redis: Redis, store: Store, previous: Store | None = None) -> None:
        self.random = Random(seed)
        self.redis = redis
        self.store = store
        self.previous = previous
        self.model = Model(DEAD_KEPT_MS, DEAD_KEPT, TRIM_LIMIT, now=FIRST_MS)
        self.maker = Maker(self.random, self.model)
        self.processes: list[Process] = []
        self.zombies: list[Process] = []
        self.late: list[tuple[Process, list[Drain], list[Intake]]] = []
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
            await self.run([Upkeep()], process=self.random.choice(self.processes or [None]))
        act = self.random.choices(list(_ACTS), weights=list(_ACTS.values()))[0]
        await act(self)

    async def run(
        self, drain: Sequence[Drain], intake: Sequence[Intake] = (), process: Process | None = None
    ) -> list[Any]:
        """Run a batch at the model's time and let the model judge every reply, intake first as the store promises."""
        self.model.is_previous = process is not None and process.is_previous
        store = self.previous if self.previous and self.model.is_previous else self.store
        seconds, ms = divmod(self.model.now, 1000)
        micros = ms * 1000 + self.random.randint(0, 999)
        await self.redis.hset(PREFIX + CLOCK, mapping={"seconds": seconds, "micros": micros})
        try:
            replies = await store.run(drain, intake)
        except RedisAway:  # a machine that stalls; every move is safe to repeat
            await connect(store)
            replies = await store.run(drain, intake)
        if replies.intake is None:
            raise Violation("intake was refused")
        for move, reply in [*zip(intake, replies.intake, strict=True), *zip(drain, replies.drain, strict=True)]:
            self._count(f"{type(move).__name__} {getattr(reply, 'value', '')}".strip())
            self._count_upkeep(reply)
            apply(self.model, move, reply)
        return list(replies.drain)

    async def audit(self) -> None:
        """Forget what was done a minute ago, as Redis does, and audit the rest."""
        entries = self.model.entries
        over = [
            job_id for job_id, entry in entries.items() if entry.done and entry.done_ms < self.model.now - DONE_KEPT_MS
        ]
        for job_id in over:
            del entries[job_id]
        if over:
            await self.redis.delete(*(f"{PREFIX}job:{job_id}".encode("utf-8", "surrogatepass") for job_id in over))
        await audit(self.redis, PREFIX, self.model)

    def _count_upkeep(self, reply: Any) -> None:
        if isinstance(reply, UpkeepReply):
            self._count("reaped", len(reply.reaped_consumers))
            self._count("poisoned", reply.poisoned)
            self._count("leases shifted", bool(reply.shifted_ms))

    def _count(self, what: str, times: int = 1) -> None:
        self.tally[what] = self.tally.get(what, 0) + times

    # Acts -------------------------------------------------------------------------------------------------------------

    async def spawn(self) -> None:
        """Boot a process for a slot; whoever had it is a zombie from now on, or dead."""
        slot = self.random.randrange(SLOTS)
        self.boots += 1 + self.boots * self.random.randint(0, 10) // 100  # so that it gains a digit every now and then
        process = Process(f"h:ost:{slot}:{self.boots}")
        process.is_previous = self.previous is not None and self.random.random() < 0.5
        for old in [old for old in self.processes if old.name.startswith(f"h:ost:{slot}:")]:
            self._bury_process(old)
        self.processes.append(process)
        await self.run([Register(process.name)], process=process)

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
            await self.run([*self.maker.make_settling(process), Deregister(process.name)], process=process)

    async def tick(self) -> None:
        """Let a live process do its batch; when the reply gets lost, it repeats the batch before anything else."""
        if not self.processes:
            return await self.spawn()
        process = self.random.choice(self.processes)
        if process.unanswered:
            self._count("replays")
        drain = process.unanswered or [
            *process.end_given_back(),
            *self.maker.make_settling(process),
            self.maker.make_claim(process),
        ]
        intake = self.maker.make_intake() if self.random.random() < 0.6 else []
        if self.model.now - process.beat_ms > 2_500:
            process.beat_ms = self.model.now
            await self.run([Beat(process.name)], process=process)
        replies = await self.run(drain, intake, process)
        if self.random.random() < 0.1:
            self.late = [*self.late, (process, list(drain), intake)][-5:]
        process.unanswered = list(drain) if self.random.random() < 0.08 else []
        if not process.unanswered:
            await self._hear(process, replies[-1])
        return None

    async def _hear(self, process: Process, reply: ClaimReply) -> None:
        if reply.verdict is Verdict.UNREGISTERED:
            await self._return(process)
        process.running |= {claimed.job.id: claimed for claimed in reply.claimed}
        if process in self.processes and any(claimed.job.payload == KILLS for claimed in reply.claimed):
            self._bury_process(process)

    async def _return(self, process: Process) -> None:
        """Register again under the same name, as a process does whose lease was lost; replaced ones give up."""
        process.running.clear()
        (verdict,) = await self.run([Register(process.name)], process=process)
        if verdict is Verdict.REPLACED and process in self.processes:
            self.processes.remove(process)

    async def haunt(self) -> None:
        """Let a zombie go on where it stopped: settle what it no longer owns, claim, or register again."""
        if not self.zombies:
            return
        zombie = self.random.choice(self.zombies)
        self._count("zombies")
        moves = zombie.unanswered or [
            *self.maker.make_settling(zombie),
            Beat(zombie.name),
            self.maker.make_claim(zombie),
        ]
        if self.random.random() < 0.2:
            moves = [Register(zombie.name), *moves]
        replies = await self.run(moves, process=zombie)
        zombie.running |= {claimed.job.id: claimed for claimed in getattr(replies[-1], "claimed", ())}

    async def repeat(self) -> None:
        """Repeat what was settled long ago, or let a late batch arrive."""
        if self.late and self.random.random() < 0.4:
            sender, drain, intake = self.late.pop(self.random.randrange(len(self.late)))
            await self.run(drain, intake, sender)
        everybody = [process for process in self.processes + self.zombies if process.settled]
        if everybody:
            sender = self.random.choice(everybody)
            await self.run([self.random.choice(sender.settled)], process=sender)

    async def look(self) -> None:
        """Ask what a process runs, and let it go on with exactly that."""
        if self.processes:
            process = self.random.choice(self.processes)
            if not process.unanswered:
                (claimed,) = await self.run([Mine(process.name)], process=process)
                process.running = {one.job.id: one for one in claimed}

    async def wake(self) -> None:
        """Let a blocked process take the token of a queue and claim for it."""
        blocked = [one for one in self.processes if one.name in self.model.leases and not one.unanswered]
        if blocked:
            process, queue = self.random.choice(blocked), self.random.choice(QUEUES)
            self._count("wakes", await self.redis.lpop(f"{PREFIX}wake:{queue}") is not None)
            process.number += 1
            claim = Claim(process.name, process.number, {queue: 2}, {}, process.free_suspects)
            (reply,) = await self.run([claim], process=process)
            await self._hear(process, reply)

    async def hold(self) -> None:
        """Hold a chat or a source."""
        source, ms = self.random.choice(list(SOURCES)), self.random.choice((50, 1_000, 5_000))
        chat = self.random.choice([chat for chat in CHATS if chat])
        held = Hold("source", source, ms) if self.random.random() < 0.3 else Hold("group", f"{source}|{chat}", ms)
        await self.run([held])

    async def operate(self) -> None:
        """Let an operator put a dead job back or throw it away, and perhaps say so twice."""
        move = self.maker.make_operation()
        await self.run([move] * self.random.choice((1, 1, 2)))

    async def stop(self) -> None:
        """Let an operator pause or drain something, or let it go on, and perhaps say so twice."""
        if self.previous:  # the version before does not heed it
            return
        move = self.maker.make_stop()
        await self.run([move] * self.random.choice((1, 1, 2)))

    # The end ----------------------------------------------------------------------------------------------------------

    async def finish(self) -> None:
        """Work everything off: all must end done or dead."""
        await self.run([make_resume(stop) for stop in sorted(self.model.paused | self.model.closed)])
        for _ in range(2_000):
            if not self.model.alive():
                break
            self.model.now += 900
            await self.run([Upkeep()])
            if not self.processes:
                await self.spawn()
            for process in list(self.processes):
                await self._work_off(process)
        await self.audit()
        left = self.model.alive()
        expect(not left, f"{len(left)} jobs are neither done nor dead: {left[:3]}")

    async def _work_off(self, process: Process) -> None:
        acks = [Ack(process.name, claimed.job.id, claimed.fence) for claimed in process.running.values()]
        process.running = {}
        claim = process.unanswered[-1:] or [self.maker.make_claim(process)]
        replies = await self.run([Beat(process.name), *process.unanswered[:-1], *acks, *claim], process=process)
        process.unanswered = []
        await self._hear(process, replies[-1])


_ACTS: dict[Callable[[Fuzzer], Any], float] = {
    Fuzzer.tick: 70,
    Fuzzer.haunt: 6,
    Fuzzer.repeat: 8,
    Fuzzer.wake: 6,
    Fuzzer.hold: 4,
    Fuzzer.look: 3,
    Fuzzer.operate: 3,
    Fuzzer.stop: 3,
    Fuzzer.die: 3,
    Fuzzer.leave: 2,
    Fuzzer.spawn: 2,
}
