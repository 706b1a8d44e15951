"""How full Redis's memory is, and what must wait because of it: seen before Redis itself refuses work.

Campaigns stop expanding first, then what can wait is refused, so that buyers and payments have the rest.
"""

from __future__ import annotations

import asyncio
import logging
import random
from enum import IntEnum

from grimbots.conf import metrics
from grimbots.queue.connections import RedisAway
from grimbots.queue.totals import Totals

log = logging.getLogger(__name__)

LEAST_SECONDS, MOST_SECONDS = 0.75, 1.25
SLACK = 0.02  # a level ends so much below where it began, so that it does not flap
URGENT_QUEUES = frozenset({"tasks", "webhook", "gateway"})  # what people and payment providers wait for


class MemoryLevel(IntEnum):
    """How full it is, as a part of `maxmemory`; where that is not set it is always EASY."""

    EASY = 0
    HIGH = 1  # from 70 %: campaigns must not expand
    TIGHT = 2  # from 85 %: only URGENT_QUEUES take new work
    FULL = 3  # Redis refuses new work itself; what is there is worked off


MEANINGS = {
    MemoryLevel.EASY: "everything is let in",
    MemoryLevel.HIGH: "campaigns wait",
    MemoryLevel.TIGHT: "only what buyers and payments wait for is let in",
    MemoryLevel.FULL: "redis refuses new work; what is there is worked off",
}
BEGINS_AT = {MemoryLevel.HIGH: 0.70, MemoryLevel.TIGHT: 0.85, MemoryLevel.FULL: 1.0}


def judge(part: float, last: MemoryLevel) -> MemoryLevel:
    """Give the level of a part of the memory in use; `last` ends a little below where it began."""
    reached = (level for level, begins_at in BEGINS_AT.items() if part >= begins_at - SLACK * (level <= last))
    return max(reached, default=MemoryLevel.EASY)


class MemoryWatch:
    """Keeps the level up to date while it runs."""

    def __init__(self, reads: Totals) -> None:
        self._reads = reads
        self.level = MemoryLevel.EASY

    async def run(self) -> None:
        """Look each second, spread at random over the processes, until cancelled."""
        while True:
            try:
                self._note(await self._reads.read_memory_part())
            except RedisAway as error:
                log.debug("redis's memory was not read: %s", error)
            await asyncio.sleep(random.uniform(LEAST_SECONDS, MOST_SECONDS))  # noqa: S311

    def _note(self, part: float) -> None:
        metrics.queue_memory_part.set(part)
        last, self.level = self.level, judge(part, self.level)
        if self.level is not last:
            log.log(
                logging.WARNING if self.level > last else logging.INFO,
                "redis's memory is at %.0f %% of maxmemory: %s",
                part * 100,
                MEANINGS[self.level],
            )
