"""Lateness: what may still be done about an update that is handled long after it was sent. Pure.

Telegram keeps a message for 24 h from its own date and a tap for 150 s (tdlib/telegram-bot-api, Client.cpp); our queue
keeps what it has taken for as long as Postgres is away. So after an outage a /start may be most of a day old. The rule:

- A /start up to 6 h old acts as always. An older one, up to 24 h, acts unless the lead has walked on since it was sent:
  a new lead is answered however late (its click was paid for), nobody is thrown back to the beginning by what he did
  yesterday. Older still, it says nothing. First words of somebody unknown are a /start.
- A tap that waited longer than 150 s acts only while its lead still stands at the step whose button was pressed.

Who is not answered can press again. What is left undone is logged and counted, and never tried a second time.

A message's date is believed if Telegram could have delivered it when we received it. One that lies in the future or
over 24 h back comes of a wrong clock: then the time since we received it counts alone, so that a server whose clock is
wrong still sells. A tap has no date: its message's is that of the message it hangs on.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

FRESH = timedelta(hours=6)  # less than a night: who pressed Start in the same part of the day still expects the answer
MESSAGE_LIFE = timedelta(hours=24)
TAP_LIFE = timedelta(seconds=150)


class Late(StrEnum):
    """Why an update is left undone, as the metric names it."""

    START = "start"
    TAP = "tap"


def find_sent_at(date: int | None, received_at: datetime) -> datetime:
    """Give when a message was sent: by its own date (Unix seconds) if that can be true, else when it was received."""
    if date is None:
        return received_at
    age_seconds = received_at.timestamp() - date
    return datetime.fromtimestamp(date, UTC) if 0 <= age_seconds <= MESSAGE_LIFE.total_seconds() else received_at


def is_late_start(sent_at: datetime, walked_at: datetime | None, now: datetime) -> bool:
    """Tell whether a /start comes too late; `walked_at` is when its lead last moved in the funnel."""
    age = now - sent_at
    return age > MESSAGE_LIFE or (age > FRESH and walked_at is not None and walked_at > sent_at)


def is_late_tap(received_at: datetime, is_still_there: bool, now: datetime) -> bool:
    """Tell whether a tap comes too late; `is_still_there`: its lead stands at the step whose button it is."""
    return now - received_at > TAP_LIFE and not is_still_there
