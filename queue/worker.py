"""The worker: takes the lease of its slot, claims jobs for its free slots, waits for tokens when idle, and drains.

Each shard of the queue has a worker of its own (`ShardWorker`), so that one whose server is away holds up no other;
they share the slots of the process.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

from grimbots.conf import metrics
from grimbots.queue.attempts import Attempts
from grimbots.queue.backoff import RECONNECTS
from grimbots.queue.connections import RedisAway
from grimbots.queue.dispatcher import Queue
from grimbots.queue.heartbeat import DEFAULT_TIMING, Timing
from grimbots.queue.job import Ack, Claim, ClaimReply, Drain, Retry, Verdict
from grimbots.queue.line import Line
from grimbots.queue.membership import Membership
from grimbots.queue.outcomes import Released
from grimbots.queue.slots import Slots, count_jobs
from grimbots.queue.task import REGISTRY, LeaseLost, Task
from grimbots.queue.upkeep import run_upkeep

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0  # the longest wait for a wake token: a lost token costs no more
LEAST_ALARM_SECONDS = 0.005  # what is due at almost the same time is claimed together
CLAIM_SHARE = 2  # a claim takes at most half of a queue's slots: Redis looks for these while the other half runs
WAITING_JOBS = 2  # of a queue that a wait brings: more, should the loop be held up, would wait here; 1 asks for more
ALIVE_SECONDS = 5.0  # a worker that claims hears from Redis at least this often
FORGETFUL_PAUSE_SECONDS = 2.0  # no claims after Redis was started anew: first all find out what they still run
FAREWELL_SECONDS = 2.0  # how long a drain waits for answers when its time is up


class Drained(Exception):
    """Ends the chores of a worker that has drained."""


class ShardWorker:
    """Runs the jobs of one shard in this process, under the lease of its host and slot there."""

    def __init__(
        self,
        line: Line,
        consumer: str,
        attempts: Attempts,
        slots: Slots,
        *,
        timing: Timing,
    ) -> None:
        self._line = line
        self._attempts = attempts
        self._slots = slots
        slots.join(self)
        self.membership = Membership(
            line,
            consumer,
            on_loss=self._stop_all,
            on_mine=lambda mine: self._attempts.reconcile(mine, self.membership.consumer),
            timing=timing,
        )
        self._draining = False
        self._drained = asyncio.Event()
        self._number = 1  # of the claim that is answered next
        self._asked = Claim(consumer, self._number, {})  # over the line
        self._waiting: Claim | None = None  # with the wait for a token, while its answer counts
        self._insists = True  # no token tells a process that joins of the work that is there
        self._alarm: asyncio.TimerHandle | None = None
        self._woken_at: float | None = None
        self._heard_at = 0.0
        self._claimed = asyncio.Event()
        self._claims_from = 0.0

    async def run(self) -> None:
        """Work until drained.

        Raises:
            ExceptionGroup: of Replaced, or a fault of the program.
        """
        self._line.claimer = self
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.membership.run())
                group.create_task(run_upkeep(self._line))
                group.create_task(self._listen())
                group.create_task(self._wait_drained())
        except* Drained:
            log.info("%s has drained", self.membership.consumer)
        finally:
            self._line.claimer = None

    async def drain(self, seconds: float = 25) -> None:
        """Claim no more, let what runs finish, give the rest back unspent, and give up the lease."""
        self._draining = True
        await self._attempts.finish(seconds)
        self._attempts.stop(Released())  # what is still open
        await self._attempts.finish(FAREWELL_SECONDS)
        self._set_alarm(None)
        self._waiting = None  # what it still brings goes back with the lease
        await self.membership.leave()
        self._drained.set()

    async def wait_claimed(self) -> None:
        """Wait until a first claim was answered: from then on this process runs jobs."""
        await self._claimed.wait()

    def is_working(self) -> bool:
        """Tell whether the lease holds and a claim or a wake came back lately (with every slot taken: any answer)."""
        heard_at = self._heard_at if self._slots.list_free() else self._line.answered_at
        return self.membership.holds and monotonic() - heard_at < ALIVE_SECONDS

    def can_claim(self) -> bool:
        """Tell whether a claim could leave: the lease is sure, Redis answers, nothing is held back."""
        waits = self._draining or not self.membership.is_sure or self._line.is_away
        return not waits and monotonic() >= self._claims_from

    def poke(self) -> None:
        """Let a call leave, if only with a claim."""
        self._insists = True
        self._line.poke()

    def next_claim(self, beside: Sequence[Drain]) -> Claim | None:
        """Return a claim for the free slots; None while there are none, or while it is not sure what runs here.

        None too where the claim that is out with the wait for a token does: what these moves make ready leaves a token,
        which that claim follows on the spot.
        """
        if not self.can_claim() or (self._does_wait() and not any(map(_may_postpone, beside))):
            return None
        self._insists = False
        free, suspects = self._slots.take(self)
        if not free:
            return None
        shares = self._slots.list_shares(free)
        self._asked = Claim(self.membership.consumer, self._number, free, shares, free_suspects=suspects)
        return self._asked

    def _does_wait(self) -> bool:
        """Tell whether the wait's claim is the one that would leave with a wait now."""
        return self._waiting is not None and not self._insists and self._waiting == self._make_waiting_claim()

    def _make_waiting_claim(self) -> Claim | None:
        """Make the claim that goes with the wait for a token: a job or two of each queue, no suspect.

        A shard waits for tokens of what other shards have reserved, too: when they let go of it nobody tells it.
        """
        free = {queue: min(count, WAITING_JOBS) for queue, count in self._slots.list_unfilled().items()}
        shares = self._slots.list_shares(free)
        return Claim(self.membership.consumer, self._number, free, shares, free_suspects=0) if free else None

    def take(self, reply: ClaimReply) -> None:
        """Count what a claim over the line brought as running here; `start` follows."""
        self._slots.settle(self, reply.started)
        if self._asked.number == self._number:
            self._take(self._asked, reply)
        else:  # the wait's answer came first; it may have left Redis before what was sent with this claim happened
            self.poke()

    def _take(self, claim: Claim, reply: ClaimReply) -> None:
        """Count what was claimed. Two claims under one number bring the same jobs: only the first answer counts."""
        self._heard_at = monotonic()
        if reply.verdict is not Verdict.OK:
            self.membership.lose(self.membership.lease)
            return
        self._number += 1
        self._waiting = None
        self._claimed.set()
        if self._draining:  # the claim was out when the drain began
            for claimed in reply.claimed:
                self._attempts.give_back(claimed, self.membership.consumer)
        elif reply.started:
            self._attempts.take(reply, self.membership.lease)
        self._set_alarm(reply.next_due_ms)
        self._count_claim(bool(reply.started))
        if _may_leave_work(claim, reply):
            self.poke()

    def start(self) -> None:
        """Start what was taken."""
        self._attempts.start()

    def _stop_all(self) -> None:
        """Stop what runs under a lost lease."""
        self._waiting, self._insists = None, True
        self._attempts.stop(LeaseLost("the lease of this process is lost"))

    def recover(self, *, forgetful: bool) -> None:
        """Find out, before the next claim, whether the lease still holds and what runs here.

        Where Redis may have forgotten who runs what, every process gets the time to do the same.
        """
        # The wait's answer may come before or after what Redis now says runs here: it is asked for again.
        self._waiting, self._insists = None, True
        if forgetful:
            self._claims_from = monotonic() + FORGETFUL_PAUSE_SECONDS
            asyncio.get_running_loop().call_later(FORGETFUL_PAUSE_SECONDS, self._line.poke)
        self.membership.doubt()

    def _set_alarm(self, next_due_ms: int | None) -> None:
        """Claim again when the next thing that waits for its time is due; at once when one claim was not enough."""
        if self._alarm:
            self._alarm.cancel()
        if next_due_ms == 0:
            self.poke()  # there was more to look at
        elif next_due_ms is not None:
            seconds = max(LEAST_ALARM_SECONDS, next_due_ms / 1000)
            self._alarm = asyncio.get_running_loop().call_later(seconds, self.poke)

    def _count_claim(self, has_started: bool) -> None:
        if not has_started:
            metrics.queue_empty_claims.inc()
        elif self._woken_at is not None:
            metrics.queue_wake_seconds.observe(self._heard_at - self._woken_at)
        self._woken_at = None

    async def _listen(self) -> None:
        """When nothing moves and slots are free, wait for a token, then claim. Until cancelled."""
        failures = 0
        while True:
            await self._line.wait_settled()
            claim = self._make_waiting_claim() if self.can_claim() and not self._insists else None
            if not claim:
                await self._line.wait_moving()
                continue
            try:
                await self._wait(claim)
                failures = 0
            except RedisAway as error:
                failures += 1
                log.warning("the wait for work was cut: %s", error)
                self._waiting = None
                await asyncio.sleep(RECONNECTS.draw_seconds(failures))
                self.poke()

    async def _wait(self, claim: Claim) -> None:
        """Wait for a token with a claim right behind it; claim over the line where that one does not count."""
        if self._slots.is_shared:  # what it reserved for so long would be missing elsewhere
            reply = None
            if await self._line.store.wait(list(claim.free), IDLE_SECONDS):
                self._woken_at = monotonic()
        else:
            self._waiting, lease = claim, self.membership.lease
            reply = await self._line.store.wait_and_claim(claim, IDLE_SECONDS)
        if reply and self._waiting is claim:
            self._take(claim, reply)
            self.start()
            await asyncio.sleep(0)  # what it brought begins before anything more is sent
            return
        self._waiting = None
        if reply and lease.is_lost:  # what it brought may be of the next lease, under a number that is over
            self.membership.doubt()
        self.poke()

    async def _wait_drained(self) -> None:
        await self._drained.wait()
        raise Drained


def _may_postpone(move: Drain) -> bool:
    """Tell whether a move makes something wait for a time: only a claim's answer tells for how long."""
    return isinstance(move, Retry) or (isinstance(move, Ack) and move.pause_ms > 0)


def _may_leave_work(claim: Claim, reply: ClaimReply) -> bool:
    """Tell whether a queue gave all that the claim wanted of it: there may be more."""
    taken = count_jobs(reply.started)
    return any(taken[name] >= wanted for name, wanted in claim.free.items())


class Worker:
    """Runs the jobs of a queue in this process: a worker for each shard, one set of slots, one name."""

    def __init__(
        self,
        queue: Queue,
        context: Any,
        *,
        tasks: Mapping[str, Task[Any]] = REGISTRY,
        timing: Timing = DEFAULT_TIMING,
    ) -> None:
        """Keep the parts; `context` is what every task gets first."""
        self._queue = queue
        self.consumer = f"{queue.consumer_host}:{queue.slot}:{time.time_ns()}"
        slots = Slots(queue.queue_slots, queue.account_share, CLAIM_SHARE)
        self.shards = [
            ShardWorker(
                line,
                self.consumer,
                Attempts(line, context, tasks, slots),
                slots,
                timing=timing,
            )
            for line in queue.lines
        ]

    def start(self) -> asyncio.Task[None]:
        """Run in a task of its own. It ends with `drain`; by itself only when it broke: then the process should end."""
        return asyncio.create_task(self.run())

    async def run(self) -> None:
        """Work until drained.

        Raises:
            ExceptionGroup: of Replaced, NewerProtocol, OtherShards, or a fault of the program.
        """
        async with asyncio.TaskGroup() as group:
            following = group.create_task(self._queue.follow())
            await asyncio.wait([group.create_task(shard.run()) for shard in self.shards])
            following.cancel()

    async def drain(self, seconds: float = 25) -> None:
        """Claim no more, let what runs finish, give the rest back unspent, and give up the lease."""
        await asyncio.gather(*(shard.drain(seconds) for shard in self.shards))

    def is_working(self) -> bool:
        """Tell whether every shard is worked on."""
        return all(shard.is_working() for shard in self.shards)

    async def wait_claimed(self) -> None:
        """Wait until every shard answered a first claim: from then on this process runs jobs."""
        await asyncio.gather(*(shard.wait_claimed() for shard in self.shards))
