"""Rates: what two looks at the counters say, and over which time."""

from __future__ import annotations

from grimbots.queue.rates import Rate, Rates
from grimbots.queue.sightings import Counts


def count(enqueued: int, settled: int = 0) -> dict[str, Counts]:
    return {"tasks": Counts(enqueued, settled)}


def test_first_look_says_nothing() -> None:
    assert Rates().measure(count(10), 100.0) == {}


def test_looks_right_behind_each_other_say_nothing() -> None:
    rates = Rates()
    rates.measure(count(10), 100.0)
    assert rates.measure(count(11), 100.4) == {}


def test_second_look_compares_with_the_first() -> None:
    rates = Rates()
    rates.measure(count(10), 100.0)
    assert rates.measure(count(30, 10), 102.0) == {"tasks": Rate(10, 5, 2)}


def test_looks_near_each_other_share_an_older_one() -> None:
    rates = Rates()
    rates.measure(count(0), 100.0)
    rates.measure(count(60), 106.0)
    assert rates.measure(count(70), 107.0) == {"tasks": Rate(10, 0, 7)}
    assert rates.measure(count(110), 111.0) == {"tasks": Rate(10, 0, 5)}


def test_a_queue_that_is_new_counts_from_nothing() -> None:
    rates = Rates()
    rates.measure({}, 100.0)
    assert rates.measure(count(10), 105.0) == {"tasks": Rate(2, 0, 5)}


def test_emptied_counters_give_no_negative_rate() -> None:
    rates = Rates()
    rates.measure(count(1000, 1000), 100.0)
    assert rates.measure(count(1, 1), 101.0) == {"tasks": Rate(0, 0, 1)}
