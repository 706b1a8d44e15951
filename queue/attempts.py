"""The attempts under way in this process: each is one run of a claimed job, and ends with one move."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from grimbots.queue.job import Claimed, ClaimReply, Release, Verdict
from grimbots.queue.outcomes import Ended, Outcome, TimedOut, UnknownTask, decide
from grimbots.queue.reports import count_end, count_start, report_end, report_unheard
from grimbots.queue.task import Done, LeaseLost, Task

if TYPE_CHECKING:
    from grimbots.queue.heartbeat import Heartbeat
    from grimbots.queue.line import Line
    from grimbots.queue.slots import Slots

CURRENT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


class Attempt:
    """One run of a claimed job, from its start to the answer to its last move."""

    __slots__ = ("claimed", "has_begun", "late_at", "lease", "run", "started_at", "stopped_by", "task")

    def __init__(self, claimed: Claimed, task: Task[Any] | None, lease: Heartbeat) -> None:
        self.claimed = claimed
        self.task = task
        self.lease = lease
        self.started_at = time.monotonic()
        self.late_at = self.started_at + task.timeout_seconds if task else math.inf
        self.stopped_by: Exception | None = None
        self.run: asyncio.Task[None] | None = None
        self.has_begun = False

    def stop(self, reason: Exception) -> None:
        """Cancel the run; it ends as if it had raised `reason`. Nothing happens to one that has ended."""
        self.stopped_by = reason
        if self.run and self.has_begun:  # a coroutine that is cancelled before it begins would never end its attempt
            self.run.cancel()

    def guard(self) -> None:
        """Raise LeaseLost unless the job is surely ours and wanted."""
        if self.stopped_by:
            raise LeaseLost(f"{self.claimed.job.id} was stopped: {self.stopped_by}")
        self.lease.guard()


class Ending:
    """An attempt's last move under way: it hears the answer as a future would, without the loop's help."""

    __slots__ = ("_attempt", "_attempts", "_ended", "_has_heard", "_outcome")

    def __init__(self, attempts: Attempts, attempt: Attempt, outcome: Outcome, ended: Ended) -> None:
        self._attempts = attempts
        self._attempt = attempt
        self._outcome = outcome
        self._ended = ended
        self._has_heard = False

    def done(self) -> bool:
        """Tell whether it has heard."""
        return self._has_heard

    def set_result(self, verdict: Verdict) -> None:
        """End the attempt."""
        self._has_heard = True
        self._attempts.close(self._attempt, self._outcome)
        report_end(self._attempt.claimed, self._outcome, self._ended, verdict)

    def set_exception(self, error: Exception) -> None:
        """End the attempt unheard; a follow-up that holds what JSON cannot is the task's fault, and told to Redis."""
        self._has_heard = True
        if isinstance(error, TypeError | ValueError):
            self._attempts.settle(self._attempt, error)
            return
        self._attempts.close(self._attempt, self._outcome)
        report_unheard(self._attempt.claimed, self._outcome, error)


class Attempts:
    """Starts attempts of one shard, and ends each with the move that `decide` chose."""

    def __init__(self, line: Line, context: Any, tasks: Mapping[str, Task[Any]], slots: Slots) -> None:
        self._line = line
        self._context = context
        self._tasks = tasks
        self._slots = slots
        self._taken: list[tuple[ClaimReply, Heartbeat]] = []
        self._open: set[Attempt] = set()
        self._none_open = asyncio.Event()
        self._none_open.set()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = math.inf

    def take(self, reply: ClaimReply, lease: Heartbeat) -> None:
        """Give what a claim brought its slots; `start` follows."""
        self._none_open.clear()
        self._slots.start(reply.started)
        self._taken.append((reply, lease))

    def start(self) -> None:
        """Run what was taken, each job as a coroutine with its task's time limit."""
        taken, self._taken = self._taken, []
        for reply, lease in taken:
            for claimed in reply.claimed:
                self._start(Attempt(claimed, self._tasks.get(claimed.job.task), lease))

    def _start(self, attempt: Attempt) -> None:
        self._open.add(attempt)
        count_start(attempt.claimed)
        attempt.run = asyncio.get_running_loop().create_task(self._run(attempt), name=attempt.claimed.job.id)
        if attempt.late_at < self._alarm_at:
            self._set_alarm(attempt.late_at)

    def stop(self, reason: Exception) -> None:
        """Stop every run, also of what was only taken yet."""
        self.start()
        for attempt in list(self._open):
            attempt.stop(reason)

    async def finish(self, seconds: float) -> None:
        """Wait until every attempt has ended and its move is answered, or the time is up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none_open.wait()

    def give_back(self, claimed: Claimed, consumer: str) -> None:
        """Return a job that was claimed and not started."""
        answer = self._line.send(Release(consumer, claimed.job.id, claimed.fence))
        answer.add_done_callback(partial(_report_release, claimed))

    def reconcile(self, mine: Sequence[Claimed], consumer: str) -> None:
        """Make this process and Redis agree: give back what Redis thinks runs here, stop what it thinks does not."""
        self.start()
        known = {attempt.claimed.fence for attempt in self._open}
        owned = {claimed.fence for claimed in mine}
        for claimed in mine:
            if claimed.fence not in known:
                self.give_back(claimed, consumer)
        for attempt in list(self._open):
            if attempt.claimed.fence not in owned:
                attempt.stop(LeaseLost("another process owns it"))

    def settle(self, attempt: Attempt, ended: Ended) -> None:
        """Send the move that ends an attempt."""
        decision = decide(attempt.lease.consumer, attempt.claimed, ended)
        self._line.post(decision.move, Ending(self, attempt, decision.outcome, ended))

    def close(self, attempt: Attempt, outcome: Outcome) -> None:
        """Forget an attempt whose last move was answered."""
        self._open.discard(attempt)
        if not (self._open or self._taken):
            self._none_open.set()
        task = attempt.task.name if attempt.task else "unknown"
        count_end(task, outcome, time.monotonic() - attempt.started_at)

    async def _run(self, attempt: Attempt) -> None:
        attempt.has_begun = True
        CURRENT.set(attempt)
        try:
            ended = attempt.stopped_by or await self._perform(attempt)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (whatever it is, `decide` judges it)
            self._end(attempt, attempt.stopped_by or error)
        else:
            self._end(attempt, ended)

    async def _perform(self, attempt: Attempt) -> Done | None:
        job = attempt.claimed.job
        if attempt.task is None:
            raise UnknownTask(job.task)
        result = await attempt.task.function(self._context, **job.payload)
        if result is not None and not isinstance(result, Done):
            raise TypeError(f"{job.task} returned {type(result).__name__}: a task returns Done or None")
        return result

    def _end(self, attempt: Attempt, ended: Ended) -> None:
        self._slots.end(attempt.claimed)  # its move goes on the line now
        self.settle(attempt, ended)

    def _set_alarm(self, at: float) -> None:
        """Look for late attempts at a time, and no more at the one that was set before."""
        if self._alarm:
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = asyncio.get_running_loop().call_later(at - time.monotonic(), self._stop_late)

    def _stop_late(self) -> None:
        """Stop what runs longer than its task allows; one alarm for all, for hardly a job is ever late."""
        now, self._alarm_at = time.monotonic(), math.inf
        for attempt in self._open:
            if attempt.task and attempt.late_at <= now:
                attempt.late_at = math.inf
                attempt.stop(TimedOut(attempt.task.timeout_seconds))
        next_at = min((attempt.late_at for attempt in self._open), default=math.inf)
        if next_at < math.inf:
            self._set_alarm(next_at)


def _report_release(claimed: Claimed, answer: asyncio.Future[Verdict]) -> None:
    if error := answer.exception():
        report_unheard(claimed, Outcome.RELEASED, error)
    else:
        report_end(claimed, Outcome.RELEASED, None, answer.result())
