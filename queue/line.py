"""The line to Redis: one call in flight; the next leaves when its reply lands, so batches grow under load.

What landed is handed out, and what it claimed begins, once the next call is on its way: Redis works meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar, cast

from grimbots.conf import metrics
from grimbots.queue.backoff import MOVES, RECONNECTS
from grimbots.queue.connections import RedisAway, RedisMoving
from grimbots.queue.job import Claim, ClaimReply, Drain, Intake
from grimbots.queue.store import BATCH_MOVES, Replies, ScriptFailed, Store
from grimbots.queue.wire import encode_moves

log = logging.getLogger(__name__)

OPEN_SECONDS = 0.5  # without an answer for so long, new work is refused at once ...
LOOK_SECONDS = 0.1  # ... counted in looks so far apart
PROBE_SECONDS = 0.25  # ... save one piece this often, which hurries the next attempt to reach Redis and waits for it
FAULT_SECONDS = 1.0  # the pause after a script's fault
INTAKE_SHARE, LEAST_INTAKE = 2, 16  # of new work half leaves: while Redis keeps it, the other senders are heard

M = TypeVar("M", Drain, Intake)


class QueueUnavailable(Exception):
    """Redis is away or refuses new work. Nothing is known to be stored: try again, with the same job id."""


class Claimer(Protocol):
    """Who takes work: asked for a claim whenever a call leaves, told what came of it."""

    def next_claim(self, beside: Sequence[Drain]) -> Claim | None:
        """Return the claim to send along with these moves, None while it would bring nothing."""

    def take(self, reply: ClaimReply) -> None:
        """Count what was claimed as running here, so that the next claim can leave."""

    def start(self) -> None:
        """Start what was taken."""

    def recover(self, *, forgetful: bool) -> None:
        """Set right what an interruption may have changed. `forgetful`: Redis may have lost the last moves."""

    def is_working(self) -> bool:
        """Tell whether it holds its lease and heard from Redis lately."""


class Answer(Protocol):
    """Hears what became of a move: a future does, and what costs less where nobody awaits it."""

    def done(self) -> bool:
        """Tell whether it has heard, or wants to no more."""

    def set_result(self, reply: Any, /) -> None:
        """Hear Redis's answer."""

    def set_exception(self, error: Exception, /) -> None:
        """Hear why there is none."""


@dataclass(eq=False, slots=True)
class Parcel(Generic[M]):
    """A move under way and who hears its answer."""

    move: M
    answer: Answer


@dataclass(eq=False, slots=True)
class Call:
    """What leaves together."""

    drain: list[Parcel[Drain]]
    intake: list[Parcel[Intake]]
    claim: Claim | None

    @property
    def parcels(self) -> list[Parcel[Any]]:
        """Everything somebody waits for, save the claim."""
        return [*self.drain, *self.intake]

    def leave_out_unwanted(self) -> None:
        """Drop what was given up meanwhile."""
        self.drain = [parcel for parcel in self.drain if not parcel.answer.done()]
        self.intake = [parcel for parcel in self.intake if not parcel.answer.done()]


class Silence:
    """How long Redis has owed an answer, counted in looks: while the loop stands still nobody could have heard one."""

    def __init__(self) -> None:
        self._looks = 0
        self._next: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """From now on an answer is owed, unless one is already."""
        if self._next is None:
            self._look_later()

    def end(self) -> None:
        """It came, or nobody waits for it."""
        if self._next:
            self._next.cancel()
        self._next, self._looks = None, 0

    def is_long(self) -> bool:
        """Tell whether it was owed for too long."""
        return self._looks * LOOK_SECONDS >= OPEN_SECONDS

    def _look_later(self) -> None:
        self._next = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._looks += 1
        self._look_later()


class Line:
    """Gathers the moves of a loop tick, carries them in one pipeline, repeats the call until its outcome is known."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.claimer: Claimer | None = None
        self.answered_at = 0.0
        self._drain: deque[Parcel[Drain]] = deque()
        self._intake: deque[Parcel[Intake]] = deque()
        self._landed: tuple[Call, Replies] | None = None
        self._wanted = asyncio.Event()
        self._settled = asyncio.Event()
        self._hurry = asyncio.Event()
        self._silence = Silence()
        self._probed_at = 0.0
        self._resting = False
        self._ended = ""

    def send(self, move: Drain) -> asyncio.Future[Any]:
        """Put a move of a worker on the line. It is repeated until answered."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.post(move, answer)
        return answer

    def post(self, move: Drain, answer: Answer) -> None:
        """Put a move of a worker on the line; `answer` hears, during a call of the line's, what became of it."""
        self._put(self._drain, Parcel(move, answer))

    def submit(self, move: Intake) -> asyncio.Future[Any]:
        """Put new work on the line. A future that is done before the work left takes it off."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._put(self._intake, Parcel(move, answer))
        return answer

    def _put(self, lane: deque[Parcel[M]], parcel: Parcel[M]) -> None:
        if self._ended:
            _fail(parcel, QueueUnavailable(self._ended))
            return
        lane.append(parcel)
        self.poke()

    def poke(self) -> None:
        """Let a call leave, if only with a claim."""
        self._wanted.set()
        self._settled.clear()

    async def wait_settled(self) -> None:
        """Wait until nothing is under way and nothing waits to leave."""
        await self._settled.wait()

    async def wait_moving(self) -> None:
        """Wait for the next call to leave."""
        await self._wanted.wait()

    @property
    def is_away(self) -> bool:
        """Tell whether Redis left a call, or us, without an answer for too long."""
        return self._silence.is_long()

    def admits(self) -> bool:
        """Tell whether new work may try: Redis answers, or it is time for this piece of work to be the probe."""
        if not self.is_away:
            return True
        now = monotonic()
        if not self._resting or now - self._probed_at < PROBE_SECONDS:
            return False
        self._probed_at = now
        self._hurry.set()
        return True

    async def run(self) -> None:
        """Carry moves until cancelled.

        Raises:
            NewerProtocol, OtherShards: this process must not touch the data.
        """
        try:
            await self._reach()
            self._silence.end()
            await self._carry_on()
        finally:
            self._silence.end()

    async def _carry_on(self) -> None:
        while True:
            if not self._wanted.is_set():
                self._hand_out()  # there is no next call to wait for, unless this makes one wanted
            if not self._wanted.is_set():
                self._settled.set()
            await self._wanted.wait()
            self._wanted.clear()
            await self._carry(self._load())
            if self._drain or self._intake:
                self._wanted.set()

    def refuse_all(self, reason: str) -> None:
        """Give up on everything that waits, and on what still comes: nothing will carry it any more."""
        self._ended = reason
        waiting: list[Parcel[Any]] = [*self._drain, *self._intake]
        for parcel in waiting:
            _fail(parcel, QueueUnavailable(reason))

    def _load(self) -> Call:
        drain = _unload(self._drain)
        claim = self.claimer.next_claim([parcel.move for parcel in drain]) if self.claimer else None
        return Call(drain, _unload(self._intake, _count_leaving(len(self._intake))), claim)

    async def _carry(self, call: Call) -> None:
        """Call until answered. What was given up meanwhile is left out of the repeats."""
        failures = 0
        while True:
            call.leave_out_unwanted()
            if not (call.parcels or call.claim):
                self._silence.end()  # nobody waits: whoever comes next finds out
                return
            try:
                self._land(call, await self._call(call))
                return
            except RedisAway as error:
                self._hand_out()  # the call may not even have left
                failures += 1
                if await self._come_back(error, failures):
                    call.claim = None  # not before every process knows what it still runs
            except ScriptFailed as error:
                await self._give_up(call, error)
                return
            except (TypeError, ValueError):
                if not _refuse_unspeakable(call.parcels):
                    raise

    async def _call(self, call: Call) -> Replies:
        drain: list[Drain] = [parcel.move for parcel in call.drain]
        if call.claim:
            drain.append(call.claim)
        began = monotonic()
        self._silence.begin()
        replies = await self.store.run(drain, [parcel.move for parcel in call.intake], self._hand_out)
        self._silence.end()
        self.answered_at = monotonic()
        metrics.queue_script_seconds.observe(self.answered_at - began)
        metrics.queue_batch_moves.observe(len(drain) + len(call.intake))
        return replies

    async def _come_back(self, error: RedisAway, failures: int) -> bool:
        """Reach Redis again after a batch failed so many times; a server that answered "not now" gets a pause first.

        Tells whether Redis may have forgotten the last moves.
        """
        log.log(logging.WARNING if failures == 1 else logging.DEBUG, "redis is away: %s", error)
        if isinstance(error, RedisMoving):
            self._refuse_probes()
            await self._rest(MOVES.draw_seconds(failures))
        forgetful = await self._reach()
        if self.claimer:
            self.claimer.recover(forgetful=forgetful)
        return forgetful

    async def _reach(self) -> bool:
        """Open new connections, however long it takes. Tell whether Redis may have forgotten the last moves."""
        failures = 0
        while True:
            try:
                forgetful = await self.store.connect()
                break
            except RedisAway:
                self._silence.begin()
                metrics.queue_up.set(0)
                self._refuse_probes()
                failures += 1
                await self._rest(RECONNECTS.draw_seconds(failures))
        metrics.queue_up.set(1)
        return forgetful

    async def _rest(self, seconds: float) -> None:
        self._hurry.clear()
        self._resting = True
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            return
        finally:
            self._resting = False

    def _refuse_probes(self) -> None:
        """Refuse the work that waited for this attempt."""
        while self.is_away and self._intake:
            _fail(self._intake.popleft(), QueueUnavailable("redis is away"))

    async def _give_up(self, call: Call, error: ScriptFailed) -> None:
        """Answer a batch whose script broke in the middle, and let the worker find out what is still its own."""
        self._silence.end()
        log.error("a script of the queue failed", exc_info=error)
        for parcel in call.parcels:
            _fail(parcel, QueueUnavailable("the queue's script failed: see the log"))
        if self.claimer:
            self.claimer.recover(forgetful=False)
        await asyncio.sleep(FAULT_SECONDS)

    def _land(self, call: Call, replies: Replies) -> None:
        """Keep what was answered until the next call has left; only what that one depends on comes first."""
        self._landed = call, replies
        if call.claim and self.claimer:
            self.claimer.take(cast("ClaimReply", replies.drain[-1]))

    def _hand_out(self) -> None:
        """Hand out what landed last."""
        landed, self._landed = self._landed, None
        if landed is None:
            return
        call, replies = landed
        for parcel, reply in zip(call.drain, replies.drain, strict=False):  # a claim's reply may follow
            _answer(parcel, reply)
        _answer_intake(call.intake, replies)
        if self.claimer:
            self.claimer.start()


def _count_leaving(waiting: int) -> int:
    """Tell how much of the new work that waits leaves with the next call."""
    return max(LEAST_INTAKE, math.ceil(waiting / INTAKE_SHARE))


def _unload(lane: deque[Parcel[M]], most: int = BATCH_MOVES) -> list[Parcel[M]]:
    """Take up to a batch from a lane, with room for a claim."""
    return [lane.popleft() for _ in range(min(len(lane), most, BATCH_MOVES - 1))]


def _answer_intake(intake: Sequence[Parcel[Intake]], replies: Replies) -> None:
    if replies.intake is None or not replies.copied:
        reason = "too few replicas have it yet" if replies.intake else "the memory of redis is full"
        for refused in intake:
            _fail(refused, QueueUnavailable(reason))
        return
    for accepted, answer in zip(intake, replies.intake, strict=True):
        _answer(accepted, answer)


def _answer(parcel: Parcel[Any], reply: object) -> None:
    if not parcel.answer.done():
        parcel.answer.set_result(reply)


def _fail(parcel: Parcel[Any], error: Exception) -> None:
    if not parcel.answer.done():
        parcel.answer.set_exception(error)


def _refuse_unspeakable(parcels: Sequence[Parcel[Any]]) -> int:
    """Give the moves that JSON cannot hold back to their senders, so that the others may leave. Returns how many."""
    refused = 0
    for parcel in parcels:
        try:
            encode_moves([parcel.move])
        except (TypeError, ValueError) as error:
            _fail(parcel, error)
            refused += 1
    return refused
