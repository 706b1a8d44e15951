"""Hours and weekdays where a lead lives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grimbots.services.funnels.times import WEEKDAYS, find_next, find_zone, is_between

SAO_PAULO, MANAUS, LISBON = ZoneInfo("America/Sao_Paulo"), ZoneInfo("America/Manaus"), ZoneInfo("Europe/Lisbon")
MONDAY_NOON = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)  # 12:00 in São Paulo, 11:00 in Manaus


@pytest.mark.parametrize(
    ("clock", "weekdays", "zone", "expected"),
    [
        ("", (), SAO_PAULO, MONDAY_NOON),
        ("12:00", (), SAO_PAULO, MONDAY_NOON),
        ("12:00", (), MANAUS, MONDAY_NOON + timedelta(hours=1)),
        ("11:59", (), SAO_PAULO, MONDAY_NOON + timedelta(hours=23, minutes=59)),
        ("", ("mon",), SAO_PAULO, MONDAY_NOON),
        ("", ("tue",), SAO_PAULO, datetime(2026, 3, 3, 3, 0, tzinfo=UTC)),
        ("09:00", ("mon",), SAO_PAULO, datetime(2026, 3, 9, 12, 0, tzinfo=UTC)),
        ("18:30", ("fri", "mon"), SAO_PAULO, datetime(2026, 3, 2, 21, 30, tzinfo=UTC)),
    ],
)
def test_find_next(clock: str, weekdays: tuple[str, ...], zone: ZoneInfo, expected: datetime) -> None:
    assert find_next(MONDAY_NOON, clock, weekdays, zone) == expected


def test_an_hour_that_a_change_of_clocks_leaves_out_is_the_one_it_becomes() -> None:
    before = datetime(2026, 3, 28, 22, 0, tzinfo=UTC)  # the night in which Lisbon's clocks go from 01:00 to 02:00
    assert find_next(before, "01:30", (), LISBON) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


@given(
    st.integers(1_577_836_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.sampled_from(["", "00:00", "02:30", "23:59"]),
    st.sets(st.sampled_from(WEEKDAYS)),
    st.sampled_from([SAO_PAULO, LISBON, ZoneInfo("Asia/Kathmandu")]),
)
def test_the_next_instant_is_never_past_and_within_eight_days(
    at: datetime, clock: str, days: set[str], zone: ZoneInfo
) -> None:
    found = find_next(at, clock, days, zone)
    assert at <= found <= at + timedelta(days=8, hours=2)
    assert not days or WEEKDAYS[found.astimezone(zone).weekday()] in days


def test_a_span_of_hours_may_pass_midnight() -> None:
    assert is_between(MONDAY_NOON, "11:00", "13:00", SAO_PAULO)
    assert not is_between(MONDAY_NOON, "12:00", "13:00", MANAUS)
    assert is_between(MONDAY_NOON, "22:00", "12:01", SAO_PAULO)
    assert not is_between(MONDAY_NOON, "22:00", "12:00", SAO_PAULO)


@pytest.mark.parametrize("name", ["", "Mars/Base", "../etc/passwd", "America", "x\x00"])
def test_no_other_word_is_a_time_zone(name: str) -> None:
    assert find_zone(name) is None
