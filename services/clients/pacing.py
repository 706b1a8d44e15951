"""What one process remembers of its calls to Telegram: bounded by the bots and pictures in use, and safe to lose."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from weakref import WeakValueDictionary

SAME_FLOOD_SECONDS = 1.0


class Floods:
    """Tells a flood of one chat from one of the whole bot: two of its chats refused within a second."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._latest: dict[str, tuple[float, Hashable]] = {}

    def note(self, bot: str, chat: Hashable) -> bool:
        """Note that Telegram refused a call of `bot` to `chat` as too many; return whether the whole bot is meant."""
        now = self._now()
        before_at, before_chat = self._latest.get(bot, (now, chat))
        self._latest[bot] = (now, chat)
        return before_chat != chat and now - before_at < SAME_FLOOD_SECONDS


class Turns:
    """One at a time per key, as in `async with turns.of(key)`. A key that nobody holds or waits for is forgotten."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: Hashable) -> asyncio.Lock:
        """Return the key's lock."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock
