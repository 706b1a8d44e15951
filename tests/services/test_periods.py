"""Periods: every case of paying, paying again and giving back, and what is told about an end when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from grimbots.services.periods import Term, extend, find_due, find_next, round_left, shorten

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def at(days: float) -> datetime:
    """Give the instant so many days from now."""
    return NOW + timedelta(days=days)


@pytest.mark.parametrize(
    ("before", "days", "after"),
    [
        (Term("granted", False, 30, None), 30, Term("granted", False, 60, None)),
        (Term("inside", False, 0, at(5)), 30, Term("inside", False, 0, at(35))),
        (Term("outside", False, 0, at(5)), 30, Term("outside", False, 0, at(35))),
        (Term("inside", False, 0, at(-1)), 30, Term("inside", False, 0, at(29))),
        (Term("ending", False, 0, at(-2)), 30, Term("inside", False, 0, at(28))),
        (Term("ending", False, 0, at(-90)), 30, Term("inside", False, 0, at(30))),
        (Term("removed", False, 0, at(-2)), 30, Term("granted", False, 30, None)),
        (Term("inside", False, 0, at(5)), None, Term("inside", True, 0, None)),
        (Term("inside", True, 0, None), 30, Term("inside", True, 0, None)),
        (Term("removed", True, 0, None), 30, Term("granted", False, 30, None)),
    ],
)
def test_extend(before: Term, days: int | None, after: Term) -> None:
    assert extend(before, days, NOW) == after


@pytest.mark.parametrize(
    ("before", "days", "others", "after"),
    [
        (Term("inside", False, 0, at(50)), 30, [], "ending"),
        (Term("granted", False, 30, None), 30, [], "ending"),
        (Term("removed", False, 0, at(-9)), 30, [], "removed"),
        (Term("inside", False, 0, at(50)), 30, [30], Term("inside", False, 0, at(20))),
        (Term("inside", False, 0, at(10)), 30, [30], Term("inside", False, 0, NOW)),
        (Term("granted", False, 60, None), 30, [30], Term("granted", False, 30, None)),
        (Term("inside", True, 0, None), 30, [None], Term("inside", True, 0, None)),
        (Term("inside", True, 0, None), None, [30], Term("inside", False, 0, at(30))),
    ],
)
def test_shorten(before: Term, days: int | None, others: list[int | None], after: Term | str) -> None:
    term = shorten(before, days, others, NOW)
    assert term.status == after if isinstance(after, str) else term == after


def make_access(ends_days: float | None = 0, told_days: float = -40, **changes: Any) -> Any:
    """Give an access that ends so many days from now, with reminders 3 days and 1 day before and 2 of grace."""
    ends_at = None if ends_days is None else at(ends_days)
    values = {"status": "inside", "remind_days": [3, 1], "grace_days": 2, "created_at": NOW}
    return SimpleNamespace(**{**values, "ends_at": ends_at, "told_at": at(told_days), **changes})


@pytest.mark.parametrize(
    ("ends", "told", "due", "following"),
    [
        (4, -1, None, (1, "ending")),
        (3, -1, "ending", (2, "ending")),
        (0.5, -1, "ending", (0.5, "grace")),
        (0.5, -0.1, None, (0.5, "grace")),
        (0, -1, "grace", (2, "end")),
        (-1, -0.5, None, (1, "end")),
        (-2, -0.5, "end", None),
        (-9, 0, "end", None),
    ],
)
def test_marks(ends: float, told: float, due: str | None, following: tuple[float, str] | None) -> None:
    access = make_access(ends, told)
    found, coming = find_due(access, NOW), find_next(access, NOW)
    assert (found and found.word) == due
    assert (coming and (coming.at, coming.word)) == (following and (at(following[0]), following[1]))


def test_an_access_without_end_or_over_has_nothing_to_come() -> None:
    assert find_next(make_access(None), NOW) is find_next(make_access(5, status="ending"), NOW) is None
    granted = find_next(make_access(None, status="granted"), NOW)
    assert granted is not None and granted.word == "look"


@pytest.mark.parametrize(
    ("left", "hours"),
    [(timedelta(days=3), 72), (timedelta(days=2.9), 72), (timedelta(hours=12.2), 12), (timedelta(seconds=5), 1)],
)
def test_round_left(left: timedelta, hours: int) -> None:
    assert round_left(left) == hours * 3600
