"""What an ended attempt means for its job."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grimbots.queue.job import Ack, Claimed, Job, Release, Retry
from grimbots.queue.outcomes import Ended, Outcome, Released, TimedOut, UnknownTask, decide, describe_error
from grimbots.queue.task import Again, Bury, Done, LeaseLost

JOB = Job("1", "test.run", "tasks", "b1", "1")
CLAIMED = Claimed(JOB, fence="7", attempts=0, suspect=False, enqueued_ms=0, claimed_ms=1_000_000)
MINUTES_10_MS = 600_000


def _retry(ended: Ended, claimed: Claimed = CLAIMED) -> Retry:
    move = decide("c", claimed, ended).move
    assert isinstance(move, Retry)
    return move


@pytest.mark.parametrize(
    ("ended", "outcome"),
    [
        (None, Outcome.DONE),
        (Done(), Outcome.DONE),
        (Again(1, "busy"), Outcome.AGAIN),
        (Bury("junk"), Outcome.BURIED),
        (Released(), Outcome.RELEASED),
        (LeaseLost("gone"), Outcome.UNSURE),
        (UnknownTask("x.y"), Outcome.UNKNOWN),
        (TimedOut(3), Outcome.TIMED_OUT),
        (ValueError("x"), Outcome.FAILED),
    ],
)
def test_names_the_outcome(ended: Ended, outcome: Outcome) -> None:
    assert decide("c", CLAIMED, ended).outcome is outcome


def test_acks_with_follow_ups_and_pause() -> None:
    assert decide("c", CLAIMED, Done((JOB,), pause_ms=50)).move == Ack("c", "1", "7", (JOB,), 50)


def test_repeats_when_asked_without_spending() -> None:
    assert _retry(Again(2.5, "flood", spend=False)) == Retry("c", "1", "7", 2500, "flood", spend=False)


def test_buries_when_asked() -> None:
    assert _retry(Bury("junk")) == Retry("c", "1", "7", 0, "junk", bury=True)


def test_releases_what_a_drain_stopped() -> None:
    assert decide("c", CLAIMED, Released()).move == Release("c", "1", "7")


def test_waits_unspent_when_the_lease_was_not_sure() -> None:
    move = _retry(LeaseLost("no lease"))
    assert (move.after_ms, move.spend) == (1000, False)


@pytest.mark.parametrize(("waited_ms", "buried"), [(None, False), (MINUTES_10_MS - 1, False), (MINUTES_10_MS, True)])
def test_waits_ten_minutes_for_a_version_that_knows_the_task(waited_ms: int | None, buried: bool) -> None:
    since = 0 if waited_ms is None else CLAIMED.claimed_ms - waited_ms
    move = _retry(UnknownTask("x.y"), replace(CLAIMED, retrying_since_ms=since))
    assert (move.after_ms, move.spend, move.bury) == (1000, False, buried)


@pytest.mark.parametrize(("attempts", "most_ms"), [(0, 2_000), (3, 16_000), (40, 600_000)])
def test_backs_off_after_a_failure(attempts: int, most_ms: int) -> None:
    delays = [_retry(ValueError("x"), replace(CLAIMED, attempts=attempts)).after_ms for _ in range(200)]
    assert min(delays) >= 1_000
    assert most_ms / 2 < max(delays) <= most_ms


def test_describes_an_error_with_class_message_and_place() -> None:
    try:
        raise ValueError("no such thing")
    except ValueError as error:
        text = describe_error(error)
    assert text.startswith("ValueError: no such thing\n")
    assert "test_describes_an_error" in text


def test_describes_an_error_in_valid_unicode_and_cut() -> None:
    text = describe_error(ValueError("\ud800" + "x" * 10_000))
    assert len(text.encode()) < 500
