"""What one process remembers of its calls to Telegram: bounded by the bots and pictures in use, and safe to lose."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Iterable
from weakref import WeakValueDictionary

SAME_FLOOD_SECONDS = 1.0
# Uploads of equal size pass one after the other; over 5 s of backlog are refused (tdlib/telegram-bot-api, Client.cpp).
PACED_BYTES, PACE_SECONDS_PER_BYTE = 100_000, 1e-7
LEAST_PACE_SECONDS, MOST_PACE_SECONDS = 0.2, 0.9


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


class UploadPace:
    """Spaces a bot's uploads of the same size as Telegram lets them pass."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._free_at: dict[tuple[int, int], float] = {}

    def reserve(self, bot_id: int, sizes_bytes: Iterable[int]) -> float:
        """Take a place for an upload of files of these sizes; returns how many seconds it has to wait."""
        now = self._now()
        self._free_at = {key: at for key, at in self._free_at.items() if at > now}
        keys = [(bot_id, size_bytes) for size_bytes in sizes_bytes if size_bytes > PACED_BYTES]
        starts_at = max([now, *(self._free_at.get(key, now) for key in keys)])
        for key in keys:
            pause = min(MOST_PACE_SECONDS, max(LEAST_PACE_SECONDS, key[1] * PACE_SECONDS_PER_BYTE))
            self._free_at[key] = starts_at + pause
        return starts_at - now
