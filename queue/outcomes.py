"""What an ended attempt means for its job: the one place where outcomes are decided."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from enum import StrEnum

from grimbots.queue.backoff import JOB_RETRIES
from grimbots.queue.job import Ack, Claimed, Release, Retry
from grimbots.queue.task import Again, Bury, Done, LeaseLost

Ended = Done | BaseException | None  # what an attempt returned or raised

MESSAGE_CHARACTERS = 300
TRACEBACK_CHARACTERS = 4000
UNSURE_RETRY_MS = 1_000
UNKNOWN_RETRY_MS = 1_000
UNKNOWN_PATIENCE_MS = 600_000  # a rolling deploy is over by then: nobody knows this task


class Outcome(StrEnum):
    """How an attempt ended, as the metrics name it."""

    DONE = "done"
    AGAIN = "again"
    BURIED = "buried"
    TIMED_OUT = "timed_out"
    FAILED = "failed"
    UNKNOWN = "unknown"
    UNSURE = "unsure"
    RELEASED = "released"


class TimedOut(Exception):
    """The job ran longer than its task allows and was cancelled."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"ran longer than {seconds:g} s")


class UnknownTask(Exception):
    """No function of this process has the job's task name: another version of the program may."""


class Released(Exception):
    """The process is draining: the job was cancelled to run elsewhere, nothing spent."""


@dataclass(slots=True)
class Decision:
    """The move that ends the attempt and what to call it."""

    outcome: Outcome
    move: Ack | Retry | Release


def decide(consumer: str, claimed: Claimed, ended: Ended) -> Decision:
    """Decide what becomes of a job whose attempt returned or raised `ended`."""
    job_id, fence = claimed.job.id, claimed.fence
    match ended:
        case None:
            return Decision(Outcome.DONE, Ack(consumer, job_id, fence))
        case Done(follow_ups, pause_ms):
            return Decision(Outcome.DONE, Ack(consumer, job_id, fence, follow_ups, pause_ms))
        case Again():
            after_ms = round(ended.after_seconds * 1000)
            return Decision(Outcome.AGAIN, Retry(consumer, job_id, fence, after_ms, ended.reason, spend=ended.spend))
        case Bury():
            return Decision(Outcome.BURIED, Retry(consumer, job_id, fence, 0, ended.reason, bury=True))
        case Released():
            return Decision(Outcome.RELEASED, Release(consumer, job_id, fence))
        case LeaseLost():
            return Decision(Outcome.UNSURE, Retry(consumer, job_id, fence, UNSURE_RETRY_MS, str(ended), spend=False))
        case UnknownTask():
            return Decision(Outcome.UNKNOWN, _wait_for_a_version(consumer, claimed))
        case _:
            outcome = Outcome.TIMED_OUT if isinstance(ended, TimedOut) else Outcome.FAILED
            after_ms = round(JOB_RETRIES.draw_seconds(claimed.attempts + 1) * 1000)
            return Decision(outcome, Retry(consumer, job_id, fence, after_ms, describe_error(ended)))


def describe_error(error: BaseException) -> str:
    """Describe an error for the dead job's page: class, message cut, and the end of its traceback, in valid Unicode."""
    message = f"{type(error).__name__}: {str(error)[:MESSAGE_CHARACTERS]}"
    stack = "".join(traceback.format_tb(error.__traceback__))[-TRACEBACK_CHARACTERS:]
    return f"{message}\n{stack}".encode(errors="replace").decode()


def _wait_for_a_version(consumer: str, claimed: Claimed) -> Retry:
    failing_ms = claimed.claimed_ms - claimed.retrying_since_ms if claimed.retrying_since_ms else 0
    given_up = failing_ms >= UNKNOWN_PATIENCE_MS
    error = f"no process knows the task {claimed.job.task!r}"
    return Retry(consumer, claimed.job.id, claimed.fence, UNKNOWN_RETRY_MS, error, spend=False, bury=given_up)
