"""Periods: for how long an access lasts, and what is to be told about its end when. Pure.

days owed      paid for, and beginning when the lead comes in
ends_at        when the days are over; renewed, it moves on by the days of the payment, from where it was
grace          so long after the end the lead is still in; then it is put out
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

LIVE = ("granted", "inside", "outside")
LOOKS = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 72, 168))  # for who has not come in, as far as we heard
DAY, HOUR = 86_400, 3_600


@dataclass(frozen=True, slots=True)
class Term:
    """How long an access lasts; `days_owed` and `ends_at` say nothing of one that `lasts`."""

    status: str
    lasts: bool
    days_owed: int
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Mark:
    """Something to be done about an access at an instant: look, ending, grace, end."""

    at: datetime
    word: str


def extend(term: Term, days: int | None, now: datetime) -> Term:
    """Add what was paid for; None: without end. Who was put out begins anew, who is being put out stays."""
    status = {"removed": "granted", "ending": "inside"}.get(term.status, term.status)
    if days is None or (term.lasts and term.status in LIVE):
        return Term(status, True, 0, None)
    if term.status == "removed":
        return Term(status, False, days, None)
    if term.ends_at is None:
        return Term(status, False, term.days_owed + days, None)
    moved = term.ends_at + timedelta(days=days)
    return Term(status, False, term.days_owed, moved if moved > now else now + timedelta(days=days))


def shorten(term: Term, days: int | None, others: Sequence[int | None], now: datetime) -> Term:
    """Take back what was paid for and given back; `others` is what is left."""
    if not others:
        return Term("removed" if term.status == "removed" else "ending", False, 0, None)
    if term.lasts and None in others:
        return term
    if term.lasts:  # what is left are days: nobody counted them meanwhile
        return Term(term.status, False, 0, now + timedelta(days=sum(day for day in others if day)))
    days = days or 0
    if term.ends_at is None:
        return Term(term.status, False, max(term.days_owed - days, 0), None)
    return Term(term.status, False, term.days_owed, max(term.ends_at - timedelta(days=days), now))


def list_marks(access: Any) -> list[Mark]:
    """Give what is to be done about an access, in order."""
    if access.status not in LIVE:
        return []
    looks = [Mark(access.created_at + after, "look") for after in LOOKS] if access.status == "granted" else []
    if access.ends_at is None:
        return looks
    ends_at = access.ends_at
    reminders = [Mark(ends_at - timedelta(days=days), "ending") for days in access.remind_days]
    grace = [Mark(ends_at, "grace")] if access.grace_days else []
    end = Mark(ends_at + timedelta(days=access.grace_days), "end")
    return sorted([*looks, *reminders, *grace, end], key=lambda mark: mark.at)


def find_due(access: Any, now: datetime) -> Mark | None:
    """Give the last thing that has fallen due since what was told last; what came before it is late and left out."""
    due = [mark for mark in list_marks(access) if mark.at <= now and (mark.at > access.told_at or mark.word == "end")]
    return due[-1] if due else None


def find_next(access: Any, now: datetime) -> Mark | None:
    """Give the next thing to come."""
    return next((mark for mark in list_marks(access) if mark.at > now), None)


def round_left(left: timedelta) -> float:
    """Round a time that is left to whole days, or under a day to whole hours, in seconds: as people say it."""
    seconds = left.total_seconds()
    unit = DAY if seconds >= DAY * 0.9 else HOUR
    return max(round(seconds / unit), 1) * unit
