"""Connections: how many a webhook gets, and how fast new ones are opened.

Source: tdlib/telegram-bot-api, WebhookActor.cpp (create_new_connections, start_up).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable

HEALTHY_SECONDS = 10.0  # after this long without a success there is one connection
KEPT_SECONDS = 15.0  # an idle connection is closed after this long (aiohttp's keep-alive)


class Pace:
    """At most `count` events in any `seconds`."""

    def __init__(self, count: int, seconds: float) -> None:
        self._seconds = seconds
        self._latest: deque[float] = deque(maxlen=count)

    def wait_seconds(self, now: float) -> float:
        """Give how long the next event has to wait; 0: it may happen now."""
        if len(self._latest) < (self._latest.maxlen or 0):
            return 0.0
        return max(0.0, self._latest[0] + self._seconds - now)

    def note(self, now: float) -> None:
        """Note an event."""
        self._latest.append(now)


class Connections:
    """The connections of one webhook since it was set: taken for one delivery each, and given back.

    Up to `limit` while deliveries succeed, opened ten per half second; one, opened every two seconds, when nothing has
    succeeded for ten seconds, or nothing was delivered yet. `gone_at`: since when every answer is 410 (Unix seconds).
    """

    def __init__(self, limit: int, now: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._now = now
        self._busy = 0
        self._idle: deque[float] = deque()
        self._succeeded_at = -math.inf
        self._healthy_pace, self._slow_pace = Pace(10, 0.5), Pace(1, 2.0)
        self._changed = asyncio.Event()
        self.is_closed = False
        self.gone_at: float | None = None

    async def take(self) -> None:
        """Wait for an idle connection, for leave to open one, or for `close`."""
        while not self.is_closed and (wait_seconds := self.try_take()):
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), None if wait_seconds == math.inf else wait_seconds)
            except TimeoutError:
                continue

    def try_take(self) -> float:
        """Take a connection and give 0; or give how many seconds to wait, infinity until one is given back."""
        now = self._now()
        while self._idle and now - self._idle[0] > KEPT_SECONDS:
            self._idle.popleft()
        if self._idle:
            self._idle.popleft()
        elif wait_seconds := self._try_open(now):
            return wait_seconds
        self._busy += 1
        return 0.0

    def give_back(self, *, is_kept: bool, is_success: bool) -> None:
        """Note how a delivery ended, and whether its connection stays open."""
        now = self._now()
        self._busy -= 1
        if is_kept:
            self._idle.append(now)
        if is_success:
            self._succeeded_at, self.gone_at = now, None
        self._changed.set()

    def close(self) -> None:
        """Let go of everyone who waits: the webhook was set anew or removed."""
        self.is_closed = True
        self._changed.set()

    def _try_open(self, now: float) -> float:
        is_healthy = now - self._succeeded_at <= HEALTHY_SECONDS
        if self._busy >= (self._limit if is_healthy else 1):
            return math.inf
        pace = self._healthy_pace if is_healthy else self._slow_pace
        wait_seconds = pace.wait_seconds(now)
        if not wait_seconds:
            pace.note(now)
        return wait_seconds
