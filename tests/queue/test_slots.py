"""Slots that several shards share: nobody gets more than there is, and nobody is passed over."""

from __future__ import annotations

from collections import Counter

import pytest

from grimbots.queue.job import Claimed, Job, Started
from grimbots.queue.slots import Slots


class Shard:
    """A contender with as much work as it is given."""

    def __init__(self, slots: Slots, name: str) -> None:
        self.name = name
        self.able = True
        self.poked = 0
        slots.join(self)

    def can_claim(self) -> bool:
        return self.able

    def poke(self) -> None:
        self.poked += 1


def make_claimed(*, suspect: bool = False) -> Claimed:
    return Claimed(Job("1", "a.b", "tasks", "b", "1"), "1", 0, suspect, 0)


def make_started(jobs: int = 1, suspects: int = 0) -> Started:
    return Started("tasks", "1", jobs, suspects)


@pytest.fixture
def slots() -> Slots:
    return Slots({"tasks": 5})


def claim(slots: Slots, shard: Shard, work: int = 100) -> int:
    """Claim as a line does: ask, get at most what there is, settle, start."""
    free, _ = slots.take(shard)
    jobs = min(work, free.get("tasks", 0))
    brought = [make_started(jobs)] if jobs else []
    slots.settle(shard, brought)
    slots.start(brought)
    return jobs


def test_gives_one_shard_all_there_is(slots: Slots) -> None:
    only = Shard(slots, "only")
    assert slots.take(only) == ({"tasks": 5}, 1)
    slots.start([make_started()])
    assert slots.take(only) == ({"tasks": 4}, 1)


def test_reserves_what_a_claim_under_way_may_bring(slots: Slots) -> None:
    one, two = Shard(slots, "one"), Shard(slots, "two")
    assert slots.take(one) == ({"tasks": 5}, 1)
    assert slots.take(two) == ({}, 0)
    slots.settle(one, [make_started()])
    slots.start([make_started()])
    assert two.poked
    assert slots.take(two)[0] == {"tasks": 4}


def test_forgets_a_claim_that_never_came_back(slots: Slots) -> None:
    one, two = Shard(slots, "one"), Shard(slots, "two")
    assert slots.take(one)[0] == {"tasks": 5}
    assert slots.take(one)[0] == {"tasks": 5}
    slots.settle(one, [])
    assert slots.take(two)[0] == {"tasks": 5}


def test_lends_the_slots_of_a_claim_that_hangs(slots: Slots) -> None:
    one, two = Shard(slots, "one"), Shard(slots, "two")
    slots.take(one)
    one.able = False
    assert slots.take(two)[0] == {"tasks": 5}


def test_hands_freed_slots_to_busy_shards_in_turn(slots: Slots) -> None:
    shards = [Shard(slots, name) for name in "abc"]
    assert claim(slots, shards[0]) == 5
    got = Counter[str]()
    for _ in range(30):
        slots.end(make_claimed())
        for shard in shards:  # the one that had the slot asks first
            got[shard.name] += claim(slots, shard)
    assert sum(got.values()) == 30
    assert all(9 <= part <= 11 for part in got.values())


def test_leaves_nothing_to_who_wants_nothing(slots: Slots) -> None:
    one, two = Shard(slots, "one"), Shard(slots, "two")
    assert claim(slots, two, work=0) == 0
    assert claim(slots, one) == 5
    slots.end(make_claimed())
    assert claim(slots, one) == 1


def test_leaves_nothing_to_who_cannot_claim(slots: Slots) -> None:
    one, two = Shard(slots, "one"), Shard(slots, "two")
    assert claim(slots, one) == 5
    assert claim(slots, two) == 0
    slots.end(make_claimed())
    two.able = False
    assert claim(slots, one) == 1


def test_lets_one_suspect_run_at_a_time(slots: Slots) -> None:
    one, two = Shard(slots, "one"), Shard(slots, "two")
    assert slots.take(one)[1] == 1
    slots.settle(one, brought := [make_started(suspects=1)])
    slots.start(brought)
    assert slots.take(two)[1] == 0
    slots.settle(two, [])
    slots.end(make_claimed(suspect=True))
    assert slots.take(two)[1] == 1
    assert slots.take(one)[1] == 0
