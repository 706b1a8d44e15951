"""The attempts under way in this process: each is one run of a claimed job, and ends with one move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from grimbots.queue.job import Claimed, Release, Verdict
from grimbots.queue.outcomes import Ended, Outcome, TimedOut, UnknownTask, decide
from grimbots.queue.reports import count_end, count_start, report_end
from grimbots.queue.task import Done, LeaseLost, Task

if TYPE_CHECKING:
    from grimbots.queue.heartbeat import Heartbeat
    from grimbots.queue.line import Line
    from grimbots.queue.slots import Slots

CURRENT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


class Attempt:
    """One run of a claimed job, from its start to the answer to its last move."""

    __slots__ = ("claimed", "lease", "started_at", "stopped_by", "task", "timer")

    def __init__(self, claimed: Claimed, lease: Heartbeat) -> None:
        self.claimed = claimed
        self.lease = lease
        self.started_at = time.monotonic()
        self.stopped_by: Exception | None = None
        self.task: asyncio.Task[Done | None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    def stop(self, reason: Exception) -> None:
        """Cancel the run; it ends as if it had raised `reason`. Nothing happens to one that has ended."""
        if self.task and not self.task.done():
            self.stopped_by = reason
            self.task.cancel()

    def guard(self) -> None:
        """Raise LeaseLost unless the job is surely ours and wanted."""
        if self.stopped_by:
            raise LeaseLost(f"{self.claimed.job.id} was stopped: {self.stopped_by}")
        self.lease.guard()

    def read_end(self, task: asyncio.Task[Done | None]) -> Ended:
        """Tell how the run ended: what it returned or raised, or why it was stopped."""
        if task.cancelled():
            return self.stopped_by or asyncio.CancelledError()
        return (task.exception() and self.stopped_by) or task.exception() or task.result()


class Attempts:
    """Starts attempts of one shard, and ends each with the move that `decide` chose."""

    def __init__(self, line: Line, context: Any, tasks: Mapping[str, Task[Any]], slots: Slots) -> None:
        self._line = line
        self._context = context
        self._tasks = tasks
        self._slots = slots
        self._open: set[Attempt] = set()
        self._none_open = asyncio.Event()
        self._none_open.set()

    def start(self, claimed: Claimed, lease: Heartbeat) -> None:
        """Run a claimed job as a coroutine with its task's time limit."""
        attempt = Attempt(claimed, lease)
        self._open.add(attempt)
        self._none_open.clear()
        self._slots.start(claimed)
        count_start(claimed)
        attempt.task = asyncio.create_task(self._run(attempt))
        if task := self._tasks.get(claimed.job.task):
            late = TimedOut(task.timeout_seconds)
            attempt.timer = asyncio.get_running_loop().call_later(task.timeout_seconds, attempt.stop, late)
        attempt.task.add_done_callback(partial(self._end, attempt))

    def stop(self, reason: Exception) -> None:
        """Stop every run."""
        for attempt in list(self._open):
            attempt.stop(reason)

    async def finish(self, seconds: float) -> bool:
        """Wait until every attempt has ended and its move is answered; False when the time was up first."""
        try:
            async with asyncio.timeout(seconds):
                await self._none_open.wait()
        except TimeoutError:
            return False
        return True

    def give_back(self, claimed: Claimed, consumer: str) -> None:
        """Return a job that was claimed and not started."""
        answer = self._line.send(Release(consumer, claimed.job.id, claimed.fence))
        answer.add_done_callback(partial(report_end, claimed, Outcome.RELEASED, None))

    def reconcile(self, mine: Sequence[Claimed], consumer: str) -> None:
        """Make this process and Redis agree: give back what Redis thinks runs here, stop what it thinks does not."""
        known = {attempt.claimed.fence for attempt in self._open}
        owned = {claimed.fence for claimed in mine}
        for claimed in mine:
            if claimed.fence not in known:
                self.give_back(claimed, consumer)
        for attempt in list(self._open):
            if attempt.claimed.fence not in owned:
                attempt.stop(LeaseLost("another process owns it"))

    async def _run(self, attempt: Attempt) -> Done | None:
        CURRENT.set(attempt)
        job = attempt.claimed.job
        task = self._tasks.get(job.task)
        if task is None:
            raise UnknownTask(job.task)
        result = await task(self._context, **job.payload)
        if not isinstance(result, Done | None):
            raise TypeError(f"{job.task} returned {type(result).__name__}: a task returns Done or None")
        return result

    def _end(self, attempt: Attempt, task: asyncio.Task[Done | None]) -> None:
        if attempt.timer:
            attempt.timer.cancel()
        self._slots.end(attempt.claimed)  # its move goes on the line now
        self._settle(attempt, attempt.read_end(task))

    def _settle(self, attempt: Attempt, ended: Ended) -> None:
        decision = decide(attempt.lease.consumer, attempt.claimed, ended)
        answer = self._line.send(decision.move)
        answer.add_done_callback(partial(self._close, attempt, decision.outcome, ended))

    def _close(self, attempt: Attempt, outcome: Outcome, ended: Ended, answer: asyncio.Future[Verdict]) -> None:
        error = answer.exception()
        if isinstance(error, TypeError | ValueError):  # a follow-up holds what JSON cannot: the task's fault
            self._settle(attempt, error)
            return
        self._open.discard(attempt)
        if not self._open:
            self._none_open.set()
        task = attempt.claimed.job.task if attempt.claimed.job.task in self._tasks else "unknown"
        count_end(task, outcome, time.monotonic() - attempt.started_at)
        report_end(attempt.claimed, outcome, ended, answer)
