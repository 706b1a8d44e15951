"""Schedules: when something that has not worked out yet is tried again. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

FIRST_CHECK = timedelta(minutes=1)
LONGEST_BETWEEN_CHECKS = timedelta(hours=4)
CHECKED_AFTER_EXPIRY = timedelta(hours=24)
FIRST_RETRY, LONGEST_BETWEEN_RETRIES = timedelta(minutes=1), timedelta(days=1)
LOOKS = tuple(timedelta(days=days) for days in (4, 8, 16, 32, 64, 96))  # the first: a statement's three days are over


def next_check(created_at: datetime, expires_at: datetime, now: datetime) -> datetime | None:
    """Return when to ask next about a charge asked about now: 1, 3, 7, 15 ... minutes after it was made.

    None: it expired so long ago that nobody will pay it any more.
    """
    end = expires_at + CHECKED_AFTER_EXPIRY
    if now >= end:
        return None
    return min(now + min(now - created_at + FIRST_CHECK, LONGEST_BETWEEN_CHECKS), end)


def next_look(paid_at: datetime, now: datetime) -> datetime | None:
    """Return when to ask next what has become of a payment: 4, 8, 16 ... days after it was paid.

    None: it was paid so long ago that nobody can contest it any more.
    """
    return next((paid_at + age for age in LOOKS if paid_at + age > now), None)


def next_try(tries: int, now: datetime) -> datetime:
    """Return when to try a delivery again that has failed so many times: after 1, 2, 4 ... minutes, at last daily."""
    doublings = min(tries - 1, 20)  # past the longest wait; more would overflow
    return now + min(FIRST_RETRY * (1 << doublings), LONGEST_BETWEEN_RETRIES)
