"""Caches: rows that the edges need while Postgres is away, kept by each process: fresh for a time, stale when any
process changes one, and used stale rather than not at all.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from grimbots.services.errors import Unavailable
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.services.app import App

Key = str | int
REMEMBERED, REMEMBERED_ABSENCES = 20_000, 1_000
LOOK_UP_SECONDS = 2.0  # a Postgres that hangs is away
AWAY_SECONDS = 2.0  # for so long nobody else waits for a Postgres that was just found away


class Row(Protocol):
    """What a cache holds: something with an id, and an opaque key that cannot be guessed."""

    @property
    def id(self) -> int:
        """The row's id."""

    @property
    def key(self) -> str:
        """The key in its webhook's path."""


V = TypeVar("V", bound=Row)


@dataclass(slots=True)
class _Entry(Generic[V]):
    value: V
    fresh_until: float


class Cache(Generic[V]):
    """Values by key and by id.

    Args:
        what: the value's noun, for what is said to people.
        seconds: for how long a value is believed without asking.
        load: asks Postgres for the value of a key (str) or an id (int).
    """

    def __init__(self, what: str, seconds: float, load: Callable[[App, Key], Awaitable[V | None]]) -> None:
        self._what, self._seconds, self._ask = what, seconds, load
        self._entries: OrderedDict[Key, _Entry[V]] = OrderedDict()
        self._absent: OrderedDict[Key, float] = OrderedDict()  # apart: guessed keys must not push known ones out
        self._loading: dict[Key, asyncio.Task[V | None]] = {}
        self._changes = 0

    def find_fresh(self, key: Key) -> V | None:
        """Return the value of a key or an id while it is believed without asking."""
        entry = self._entries.get(key)
        return entry.value if entry is not None and time.monotonic() < entry.fresh_until else None

    async def get(self, app: App, key: Key) -> V | None:
        """Return the value of a key or an id; None where there is none.

        Raises:
            Unavailable: never read here, and Postgres is away.
        """
        entry = self._entries.get(key)
        if entry is not None and time.monotonic() < entry.fresh_until:
            return entry.value
        if entry is None and time.monotonic() < self._absent.get(key, 0.0):
            return None
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                return await self._load_once(app, key)
        except (DatabaseUnavailable, StatementTimeout, TimeoutError) as error:
            if entry is None:
                raise Unavailable(f"this {self._what} cannot be looked up now: try again") from error
            entry.fresh_until = time.monotonic() + AWAY_SECONDS
            return entry.value

    def keep(self, value: V) -> None:
        """Remember a value just read, by its id and its key."""
        for key in (value.id, value.key):
            self._put(key, value, time.monotonic() + self._seconds)

    def expire(self, word: str) -> None:
        """Make the value of an id stale, or every one for "": anything may have changed.

        Stale, not absent: should Postgres be away, the old word is better than none.
        """
        self._changes += 1
        self._absent.clear()
        for entry in self._entries.values():
            if word in ("", str(entry.value.id)):
                entry.fresh_until = 0.0

    async def _load_once(self, app: App, key: Key) -> V | None:
        """Ask Postgres once for all who wait for the same value."""
        task = self._loading.get(key)
        if task is None:
            task = asyncio.ensure_future(self._load(app, key))
            self._loading[key] = task
            task.add_done_callback(lambda done: self._conclude(key, done))
        return await asyncio.shield(task)

    def _conclude(self, key: Key, done: asyncio.Task[V | None]) -> None:
        del self._loading[key]
        if not done.cancelled():
            done.exception()  # whoever waited has heard it, or did not wait that long

    async def _load(self, app: App, key: Key) -> V | None:
        changes = self._changes
        value = await self._ask(app, key)
        # What changed while it was being read may have been read as it was before.
        fresh_until = time.monotonic() + self._seconds if changes == self._changes else 0.0
        if value is not None:
            self._put(key, value, fresh_until)
        else:
            self._entries.pop(key, None)
            _put(self._absent, key, fresh_until, REMEMBERED_ABSENCES)
        return value

    def _put(self, key: Key, value: V, fresh_until: float) -> None:
        self._absent.pop(key, None)
        _put(self._entries, key, _Entry(value, fresh_until), REMEMBERED)


T = TypeVar("T")


def _put(entries: OrderedDict[Key, T], key: Key, entry: T, limit: int) -> None:
    """Put an entry last; over the limit, the one that was read longest ago is forgotten."""
    entries[key] = entry
    entries.move_to_end(key)
    if len(entries) > limit:
        entries.popitem(last=False)
