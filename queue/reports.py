"""What the world hears of attempts: the metrics and the log, in one place."""

from __future__ import annotations

import logging
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from grimbots.conf import metrics
from grimbots.queue.job import Claimed, Verdict
from grimbots.queue.outcomes import Ended, Outcome

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram

log = logging.getLogger(__name__)


class Death(StrEnum):
    """Why a job died, as the metrics name it."""

    ATTEMPTS = "attempts"  # they were spent
    BUDGET = "budget"  # the head of a chat was tried for its minute
    BURIED = "buried"  # its task said that it can never succeed
    UNKNOWN = "unknown"  # no process knows its task
    POISON = "poison"  # processes died with it
    REFUSED = "refused"  # stored as dead at once: junk, or one too many in its chat


UNEXPECTED = {Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNKNOWN}


def count_start(claimed: Claimed) -> None:
    """Count how long a job waited, by Redis's clock."""
    _get_start_metric(claimed.job.queue).observe((claimed.claimed_ms - claimed.enqueued_ms) / 1000)


def count_end(task: str, outcome: Outcome, seconds: float) -> None:
    """Count an attempt from its start to the answer to its last move. `task` comes from a closed set."""
    _get_outcome_metric(task, outcome).inc()
    _get_run_metric(task).observe(seconds)


def count_deaths(death: Death, jobs: int = 1) -> None:
    """Count jobs that will not run again by themselves."""
    metrics.queue_deaths.labels(death).inc(jobs)


def report_unheard(claimed: Claimed, outcome: Outcome, error: BaseException) -> None:
    """Log that Redis did not hear how an attempt ended."""
    job = claimed.job
    log.warning("job %s (%s) ended, %s, but Redis did not hear of it: %s", job.id, job.task, outcome, error)


def report_end(claimed: Claimed, outcome: Outcome, ended: Ended, verdict: Verdict) -> None:
    """Log what a person wants to know of an ended attempt: an ERROR only where an unexpected end made a job dead."""
    if verdict is Verdict.OK and outcome not in UNEXPECTED:
        return
    job, cause = claimed.job, type(ended).__name__
    ids = {"job_id": job.id, "task": job.task}  # whose context this is depends on who sent the move
    if verdict is Verdict.LOST:
        metrics.queue_lost.inc()
        log.warning("job %s (%s) was lost to another process; here it ended: %s", job.id, job.task, outcome)
        return
    if verdict is Verdict.DEAD:
        count_deaths(_find_death(claimed, outcome))
    if verdict is Verdict.DEAD and outcome in UNEXPECTED:
        error = ended if isinstance(ended, BaseException) else None
        log.error("job %s (%s) is dead: %s", job.id, job.task, cause, exc_info=error, extra=ids)
    elif verdict is Verdict.DEAD:
        log.warning("job %s (%s) is dead: %s", job.id, job.task, outcome, extra=ids)
    else:
        log.warning("job %s (%s) failed and will be tried again: %s", job.id, job.task, cause)


def _find_death(claimed: Claimed, outcome: Outcome) -> Death:
    """Tell why a job whose retry was answered DEAD has died, by the rules of settle.lua."""
    if outcome in {Outcome.BURIED, Outcome.UNKNOWN}:
        return Death(outcome)
    return Death.ATTEMPTS if claimed.attempts + 1 >= claimed.job.attempts_limit else Death.BUDGET


# `labels` costs several times what counting does, so each child is looked up once.


@cache
def _get_start_metric(queue: str) -> Histogram:
    return metrics.queue_start_seconds.labels(queue)


@cache
def _get_run_metric(task: str) -> Histogram:
    return metrics.queue_run_seconds.labels(task)


@cache
def _get_outcome_metric(task: str, outcome: Outcome) -> Counter:
    return metrics.queue_outcomes.labels(task, outcome)
