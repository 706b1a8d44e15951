"""Courier: carries stored parcels as Telegram carries updates: in order and one at a time per queue, until it works.

Source of the rules: tdlib/telegram-bot-api, WebhookActor.cpp (on_update_error, send_update).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from grimbots.services.sandbox.store import Row, Store

LONGEST_PAUSE_SECONDS = 60
LONGEST_RETRY_AFTER_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one attempt: an empty `error` is success."""

    error: str = ""
    retry_after_seconds: int = 0


Sender = Callable[[Row], Awaitable[Verdict | None]]
"""Try a parcel once. None: there is nowhere to carry it now; its queue rests until it is woken."""


@dataclass(slots=True)
class Lane:
    """A queue being carried. `hurry` cuts a pause short."""

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
    """One task per queue that holds parcels; `senders` knows how to try each kind of parcel."""

    def __init__(self, store: Store, senders: Mapping[str, Sender], clock: Callable[[], float]) -> None:
        self._store = store
        self._senders = senders
        self._clock = clock
        self._lanes: dict[str, Lane] = {}

    def start(self) -> None:
        """Take up what an earlier process left."""
        for row in self._store.list("SELECT DISTINCT queue FROM parcels WHERE outcome IS NULL"):
            self.wake(row["queue"])

    async def stop(self) -> None:
        """Drop the attempts in flight; their parcels stay stored."""
        tasks = [lane.task for lane in self._lanes.values() if lane.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self, queue: str) -> None:
        """See to it that `queue` is being carried. Call it after what was put there is on disk."""
        if queue not in self._lanes:
            lane = self._lanes[queue] = Lane()
            lane.task = asyncio.get_running_loop().create_task(self._carry(queue, lane))

    def hurry(self, owner: str) -> None:
        """Try everything of `owner` now: its address changed."""
        for row in self._store.list(
            "SELECT DISTINCT queue FROM parcels WHERE owner = :owner AND outcome IS NULL", owner=owner
        ):
            if row["queue"] in self._lanes:
                self._lanes[row["queue"]].hurry.set()
            self.wake(row["queue"])

    async def _carry(self, queue: str, lane: Lane) -> None:
        failures = 0
        try:
            while parcel := self._first(queue):
                verdict = await self._senders[parcel["kind"]](parcel)
                if verdict is None:
                    return
                failures = failures + 1 if verdict.error else 0
                pause = pause_seconds(failures, verdict.retry_after_seconds)
                if self._note(parcel, verdict, pause):
                    failures = 0
                await self._store.flush()
                if failures and pause:
                    await self._wait(lane, pause)
        finally:
            del self._lanes[queue]

    def _first(self, queue: str) -> Row | None:
        return self._store.find(
            "SELECT * FROM parcels WHERE queue = :queue AND outcome IS NULL ORDER BY id LIMIT 1", queue=queue
        )

    def _note(self, parcel: Row, verdict: Verdict, pause: float) -> bool:
        """Write what became of the attempt; tell whether the parcel is done with (carried, or past its life)."""
        now = self._clock()
        is_late = parcel["expires_at"] is not None and now + pause > parcel["expires_at"]
        outcome = None if verdict.error and not is_late else "expired" if verdict.error else "carried"
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
            error=verdict.error or None,
            outcome=outcome,
            now=now,
        )
        return outcome is not None

    @staticmethod
    async def _wait(lane: Lane, seconds: float) -> None:
        lane.hurry.clear()
        try:
            await asyncio.wait_for(lane.hurry.wait(), seconds)
        except TimeoutError:
            return
