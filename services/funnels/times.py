"""Times of the day and days of the week in a lead's own time zone. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DEFAULT_ZONE = "America/Sao_Paulo"
TIME_ZONE = "time_zone"  # the variable whose answer says where a lead lives
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


@lru_cache(maxsize=1024)
def find_zone(name: str) -> ZoneInfo | None:
    """Return a time zone by its IANA name, or None."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # no such name; none that can be a name; a folder's name
        return None


def read_clock(text: str) -> time:
    """Read 08:30. Raises ValueError."""
    found = CLOCK.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return time(int(found[1]), int(found[2]))


def find_next(at: datetime, clock: str, weekdays: Collection[str], zone: ZoneInfo) -> datetime:
    """Return the first instant from `at` on that is at this time of the day ("" for any) on one of these days (all).

    An hour that a change of clocks leaves out is the one it becomes.
    """
    local = at.astimezone(zone)
    for days in range(9):  # eight days on, the same weekday has come whatever the hour
        day = local.date() + timedelta(days=days)
        if weekdays and WEEKDAYS[day.weekday()] not in weekdays:
            continue
        if not clock and days == 0:
            return at
        found = datetime.combine(day, read_clock(clock) if clock else time(), zone).astimezone(UTC)
        if found >= at:
            return found
    return at


def is_between(at: datetime, begin: str, end: str, zone: ZoneInfo) -> bool:
    """Tell whether it is from `begin` to before `end`, which may be past midnight."""
    now, first, last = at.astimezone(zone).time(), read_clock(begin), read_clock(end)
    return first <= now < last if first <= last else now >= first or now < last
