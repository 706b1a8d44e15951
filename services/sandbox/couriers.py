"""Courier: carries stored parcels as Telegram carries updates: in order and one at a time per queue, until it works.

Source of the rules: tdlib/telegram-bot-api, WebhookActor.cpp (on_update_error, send_update).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from grimbots.services.sandbox.store import Row, Store

LONGEST_PAUSE_SECONDS = 60
LONGEST_RETRY_AFTER_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one attempt: an empty `error` is success; `status` of an answer that is none, 0 without one."""

    error: str = ""
    retry_after_seconds: int = 0
    status: int = 0


Sender = Callable[[Row], Awaitable[Verdict | None]]
"""Try a parcel once. None: there is nowhere to carry it now; its queue rests until it is woken."""


Capacity = Callable[[str], int]
"""Tell how many queues of an owner may be loaded at once; the others wait for one of them to be empty."""


@dataclass(slots=True)
class Lane:
    """A loaded queue: `failures` in a row of its first parcel; `hurry` cuts a pause short."""

    owner: str
    failures: int = 0
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


def pause_seconds(failures: int, retry_after_seconds: int = 0) -> float:
    """Give the wait after the nth failure in a row: 0, 2, 4 ... up to a random 60 to 120; a Retry-After goes before."""
    if retry_after_seconds > 0:
        return min(retry_after_seconds, LONGEST_RETRY_AFTER_SECONDS)
    if failures <= 1:
        return 0
    return min(2.0 ** min(failures - 1, 10), random.uniform(LONGEST_PAUSE_SECONDS, 2 * LONGEST_PAUSE_SECONDS))  # noqa: S311


class Courier:
    """One task per loaded queue; `senders` knows how to try each kind of parcel."""

    def __init__(
        self, store: Store, senders: Mapping[str, Sender], capacity: Capacity, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._senders = senders
        self._capacity = capacity
        self._clock = clock
        self._lanes: dict[str, Lane] = {}
        self._loaded: Counter[str] = Counter()

    def start(self) -> None:
        """Take up what an earlier process left."""
        for row in self._store.list("SELECT queue FROM parcels WHERE outcome IS NULL GROUP BY queue ORDER BY min(id)"):
            self.wake(row["queue"])

    async def stop(self) -> None:
        """Drop the attempts in flight; their parcels stay stored."""
        tasks = [lane.task for lane in self._lanes.values() if lane.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self, queue: str) -> None:
        """See to it that `queue` is carried, now or in its turn. Call it after what was put there is on disk."""
        parcel = None if queue in self._lanes else self._first(queue)
        if parcel is not None and self._loaded[parcel["owner"]] < self._capacity(parcel["owner"]):
            lane = self._lanes[queue] = Lane(parcel["owner"])
            self._loaded[lane.owner] += 1
            lane.task = asyncio.get_running_loop().create_task(self._carry(queue, lane))

    def hurry(self, owner: str) -> None:
        """Try everything of `owner` now, as if for the first time: its address changed."""
        for queue in self._list_queues(owner):
            if lane := self._lanes.get(queue):
                lane.failures = 0
                lane.hurry.set()
            self.wake(queue)

    async def _carry(self, queue: str, lane: Lane) -> None:
        is_empty = False
        try:
            while parcel := self._first(queue):
                lane.hurry.clear()  # from here on: a new address during the attempt cuts short the pause after it, too
                await self._wait(lane, parcel["made_at"] - self._clock())
                verdict = await self._senders[parcel["kind"]](parcel)
                if verdict is None:
                    return
                await self._wait(lane, await self._judge(lane, parcel, verdict))
            is_empty = True
        finally:
            del self._lanes[queue]
            self._loaded[lane.owner] -= 1
            if is_empty:
                self._load_next(lane.owner)

    async def _judge(self, lane: Lane, parcel: Row, verdict: Verdict) -> float:
        """Write what became of an attempt; give the seconds to wait before the next one of this queue."""
        lane.failures = lane.failures + 1 if verdict.error else 0
        pause = pause_seconds(lane.failures, verdict.retry_after_seconds) if verdict.error else 0.0
        is_late = parcel["expires_at"] is not None and self._clock() + pause > parcel["expires_at"]
        outcome = None if verdict.error and not is_late else "expired" if verdict.error else "carried"
        self._note(parcel, verdict.error, outcome)
        await self._store.flush()
        if outcome is None:
            return pause
        lane.failures = 0
        return 0.0

    def _first(self, queue: str) -> Row | None:
        """Give the queue's first parcel. What outlived itself before it was ever tried is dropped on the way."""
        while parcel := self._store.find(
            "SELECT * FROM parcels WHERE queue = :queue AND outcome IS NULL ORDER BY id LIMIT 1", queue=queue
        ):
            if parcel["attempts"] or parcel["expires_at"] is None or parcel["expires_at"] >= self._clock():
                return parcel
            self._note(parcel, "never tried in time", "expired")
        return None

    def _note(self, parcel: Row, error: str, outcome: str | None) -> None:
        self._store.run(
            """
            UPDATE parcels
            SET attempts = attempts + 1,
                last_error = :error,
                outcome = :outcome,
                done_at = iif(:outcome IS NULL, NULL, :now)
            WHERE id = :id AND outcome IS NULL
            """,
            id=parcel["id"],
            error=error or None,
            outcome=outcome,
            now=self._clock(),
        )

    def _load_next(self, owner: str) -> None:
        """Put the oldest queue of the owner that waits for a place into the place that became free."""
        for queue in self._list_queues(owner):
            if queue not in self._lanes:
                self.wake(queue)
                return

    def _list_queues(self, owner: str) -> list[str]:
        rows = self._store.list(
            "SELECT queue FROM parcels WHERE owner = :owner AND outcome IS NULL GROUP BY queue ORDER BY min(id)",
            owner=owner,
        )
        return [row["queue"] for row in rows]

    @staticmethod
    async def _wait(lane: Lane, seconds: float) -> None:
        if seconds <= 0:
            return
        try:
            await asyncio.wait_for(lane.hurry.wait(), seconds)
        except TimeoutError:
            return
