"""Schedules: growing distances, and an end where there is one."""

from __future__ import annotations

import itertools
from datetime import timedelta

from grimbots.services import schedules
from grimbots.tests.conftest import FIRST_INSTANT

MADE_AT = FIRST_INSTANT
EXPIRES_AT = MADE_AT + timedelta(minutes=30)
END = EXPIRES_AT + timedelta(hours=24)


def list_checks() -> list[timedelta]:
    """Give when a charge that is never paid is asked about, from its making."""
    at = MADE_AT + schedules.FIRST_CHECK
    seen = [at]
    while (following := schedules.next_check(MADE_AT, EXPIRES_AT, at)) is not None:
        at = following
        seen.append(at)
    return [at - MADE_AT for at in seen]


def test_checks_come_at_growing_distances() -> None:
    assert [at.total_seconds() / 60 for at in list_checks()[:8]] == [1, 3, 7, 15, 31, 63, 127, 255]


def test_checks_end_a_day_after_expiry() -> None:
    checks = list_checks()
    assert checks[-1] == END - MADE_AT and len(checks) == 14
    assert schedules.next_check(MADE_AT, EXPIRES_AT, END) is None


def test_checks_are_never_further_apart_than_the_longest_distance() -> None:
    checks = list_checks()
    gaps = [later - earlier for earlier, later in itertools.pairwise(checks)]
    assert max(gaps) == schedules.LONGEST_BETWEEN_CHECKS


def test_deliveries_are_tried_at_growing_distances_for_ever() -> None:
    waits = [schedules.next_try(tries, MADE_AT) - MADE_AT for tries in (1, 2, 3, 4, 11, 12, 1_000_000)]
    assert waits == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 1024, 1440, 1440)]
