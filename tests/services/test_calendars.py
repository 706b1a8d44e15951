"""What comes due when: the queue's and the timers', each in its minute and its hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from grimbots.services import calendars
from grimbots.services.calendars import HOUR, HOURS, MINUTE, MINUTES, list_begins

PAST_MINUTE = datetime(2026, 3, 3, 14, 20, 31, tzinfo=UTC)


def test_buckets_begin_with_the_minute_and_the_hour_that_run() -> None:
    minutes, hours = list_begins(PAST_MINUTE, MINUTE, MINUTES), list_begins(PAST_MINUTE, HOUR, HOURS)
    assert (minutes[0], hours[0]) == (datetime(2026, 3, 3, 14, 20, tzinfo=UTC), datetime(2026, 3, 3, 14, tzinfo=UTC))
    assert (minutes[-1] - minutes[0], hours[-1] - hours[0]) == (timedelta(hours=1), timedelta(days=2))


@pytest.mark.gen_test
async def test_counts_jobs_and_timers_in_their_buckets(app: Any, accounts: Any, query: Any) -> None:
    tenant, now = accounts[0], app.clock()
    for place, minutes in enumerate((-500, 0, 2, 2, 59, 61, 60 * 47, 60 * 60)):
        query(
            "INSERT INTO timers (account_id, bot_id, kind, cause, ordinal, payload, due_at, created_at)"
            " VALUES (%s, %s, 'sample', %s, 0, '{}', %s, %s)",
            *(tenant.account_id, tenant.bot_id, f"c{place}", now + timedelta(minutes=minutes), now),
        )
    await app.queue.hold_source("b1", 90)
    calendar = await calendars.read(app)
    assert [bucket.timers for bucket in calendar.minutes][:3] == [2, 0, 2]
    assert sum(bucket.timers for bucket in calendar.minutes) == 5
    assert sum(bucket.timers for bucket in calendar.hours) == 7
    assert sum(bucket.jobs for bucket in calendar.minutes[:3]) == 1
    assert sum(bucket.jobs for bucket in calendar.hours) == 1
    assert calendar.kinds == [("sample", 7)]
    assert calendar.is_whole


@pytest.mark.gen_test
async def test_says_when_it_did_not_read_all(app: Any, accounts: Any, query: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(calendars, "MOST_TIMERS", 3)
    tenant, now = accounts[0], app.clock()
    query(
        "INSERT INTO timers (account_id, bot_id, kind, cause, ordinal, payload, due_at, created_at)"
        " SELECT %s, %s, 'sample', 'c' || n, 0, '{}', %s, %s FROM generate_series(1, 5) AS n",
        *(tenant.account_id, tenant.bot_id, now, now),
    )
    calendar = await calendars.read(app)
    assert (calendar.is_whole, calendar.minutes[0].timers) == (False, 3)
