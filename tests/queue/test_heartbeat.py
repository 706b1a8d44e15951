"""The heartbeat: when a lease holds, and when it is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest

from grimbots.queue.connections import RedisAway
from grimbots.queue.heartbeat import Heartbeat, Timing
from grimbots.queue.job import Verdict
from grimbots.queue.task import LeaseLost

FAST = Timing(lease_seconds=10, margin_seconds=3, beat_seconds=0.02, retry_seconds=0.01)
PATIENCE_SECONDS = 30.0


class Redis:
    """What the thread hears: a verdict, or nothing."""

    def __init__(self) -> None:
        self.answer: Verdict | None = Verdict.OK
        self.beats = threading.Semaphore(0)

    def beat(self, consumer: str) -> Verdict:
        """Answer one beat."""
        self.beats.release()
        if self.answer is None:
            raise RedisAway("nobody there")
        return self.answer

    def wait_beats(self, count: int) -> None:
        """Wait for so many more beats."""
        for _ in range(count):
            assert self.beats.acquire(timeout=PATIENCE_SECONDS)


@pytest.fixture
def redis() -> Redis:
    return Redis()


@pytest.fixture
def make(redis: Redis) -> Iterator[Callable[..., Heartbeat]]:
    made: list[Heartbeat] = []

    def start(timing: Timing = FAST, registered_at: float | None = None, **hooks: Any) -> Heartbeat:
        calls = {"on_lost": lambda lease: None, **hooks}
        heartbeat = Heartbeat("test:0:1", redis.beat, timing=timing, **calls)
        heartbeat.start(monotonic() if registered_at is None else registered_at)
        made.append(heartbeat)
        return heartbeat

    yield start
    for heartbeat in made:
        heartbeat.stop()
        heartbeat.join()


def test_holds_after_registering(make: Callable[..., Heartbeat]) -> None:
    make().guard()


@pytest.mark.alone
def test_holds_no_longer_than_the_margin_before_the_lease_ends(make: Callable[..., Heartbeat], redis: Redis) -> None:
    redis.answer = None
    assert make(registered_at=monotonic() - 6.5).holds
    with pytest.raises(LeaseLost):
        make(registered_at=monotonic() - 7.5).guard()


def test_holds_again_after_a_good_beat(make: Callable[..., Heartbeat], redis: Redis) -> None:
    heartbeat = make(registered_at=monotonic() - 60)
    redis.wait_beats(2)  # the second begins when the first has been counted
    assert heartbeat.holds


def test_keeps_its_pace_while_all_is_well(make: Callable[..., Heartbeat], redis: Redis) -> None:
    make(Timing(beat_seconds=0.01, retry_seconds=3600))
    redis.wait_beats(3)


def test_goes_on_beating_while_redis_is_away(make: Callable[..., Heartbeat], redis: Redis) -> None:
    redis.answer = None
    heartbeat = make(registered_at=monotonic() - 60)
    redis.wait_beats(3)
    redis.answer = Verdict.OK
    redis.wait_beats(3)
    assert heartbeat.holds


def test_tells_of_a_lost_lease_once_and_never_holds_again(make: Callable[..., Heartbeat], redis: Redis) -> None:
    redis.answer = Verdict.LOST
    told: list[Heartbeat] = []
    heartbeat = make(on_lost=told.append)
    heartbeat.join()  # the thread ends by itself
    assert told == [heartbeat]
    assert not heartbeat.holds


def test_tells_nothing_of_a_lease_that_was_given_back_meanwhile(redis: Redis) -> None:
    told: list[Heartbeat] = []

    def beat_while_it_is_given_back(consumer: str) -> Verdict:
        heartbeat.stop()
        return redis.beat(consumer)

    redis.answer = Verdict.LOST
    heartbeat = Heartbeat("test:0:1", beat_while_it_is_given_back, on_lost=told.append, timing=FAST)
    heartbeat.start(monotonic())
    heartbeat.join()
    assert (told, heartbeat.is_lost) == ([], False)
