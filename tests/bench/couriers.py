"""Updates carried as Telegram carries them (facts: services/sandbox/couriers.py), each leaving at its instant at first.

Of one person messages go one at a time and in order, taps likewise, the two beside each other; at most so many at once
to a bot. What is not answered 200 is sent again: at once, then after 2, 4, 8 ... s, or after Retry-After.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field

from grimbots.services.sandbox.couriers import pause_seconds
from grimbots.tests.bench.loads import AGAIN_SECONDS, Client

MOST_CONNECTIONS = 40  # to a bot: Telegram's default


@dataclass(frozen=True, slots=True)
class Carried:
    """When the attempt that was taken left and was answered (time.monotonic), and how many were not."""

    left_at: float
    answered_at: float
    refusals: int


@dataclass
class Courier:
    """Carries what people do; `lane` is a person's messages, or his taps."""

    client: Client
    refused: asyncio.Event = field(default_factory=asyncio.Event)  # one was not taken
    _lanes: dict[Hashable, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _bots: dict[Hashable, asyncio.Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(MOST_CONNECTIONS))
    )

    async def carry(self, bot: Hashable, lane: Hashable, request: bytes, due_at: float) -> Carried:
        """Send an update when it is due and its lane is free, until it is taken."""
        await asyncio.sleep(due_at - time.monotonic())
        async with self._lanes[lane]:
            refusals = 0
            while True:
                async with self._bots[bot]:
                    left_at = time.monotonic()
                    status, _ = await self.client.send(request)
                if status == 200:
                    return Carried(left_at, time.monotonic(), refusals)
                assert status == 503, status
                refusals += 1
                self.refused.set()
                await asyncio.sleep(pause_seconds(refusals, round(AGAIN_SECONDS)))
