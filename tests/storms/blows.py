"""Blows: Postgres, Redis, the server's processes and the ad network fail at random while people buy.

What the sandbox lets fail (Telegram, provider) is drawn by tests/e2e/storms.py, beside these.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from grimbots.tests.bench.shares import list_children
from grimbots.tests.e2e.installation import Installation
from grimbots.tests.storms.receivers import Pixel

AWAY_SECONDS, HANGING_SECONDS = (0.0, 4.0), (0.5, 8.0)
PIXEL_SECONDS = (0.5, 4.0)  # from one fault of the ad network to the next
DECK = {
    "kill_redis": 3,
    "kill_postgres": 3,
    "hang_redis": 2,
    "hang_postgres": 2,
    "kill_both": 1,
    "hang_both": 1,
    "kill_process": 4,
    "freeze_process": 1,
    "renew_processes": 1,
}
STORES = {"redis": ("redis",), "postgres": ("postgres",), "both": ("redis", "postgres")}


@dataclass
class Blows:
    """Deals a deck of faults, shuffled by `dice`, over an installation; `dealt` counts them."""

    installation: Installation
    dice: random.Random
    pause_seconds: tuple[float, float]
    dealt: Counter[str] = field(default_factory=Counter)

    async def rage(self, seconds: float) -> None:
        """Strike until the time is up; in the end all is whole again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await self._deal()

    async def _deal(self) -> None:
        cards = [name for name, times in DECK.items() for _ in range(times)]
        self.dice.shuffle(cards)
        for name in cards:
            await asyncio.sleep(self.dice.uniform(*self.pause_seconds))
            how, _, whom = name.partition("_")
            self.dealt[name] += 1
            # Shielded: whoever is struck when the time is up is brought back all the same.
            await _finish(ACTS[how](self, whom))

    async def kill(self, whom: str) -> None:
        """Kill a store, or both at once, and start it again; or a process, whose parent does that."""
        if whom == "process":
            os.kill(await self._pick_process(), signal.SIGKILL)
            return
        for name in STORES[whom]:
            await self.installation.kill(name)
        await asyncio.sleep(self.dice.uniform(*AWAY_SECONDS))
        for name in STORES[whom]:
            await self.installation.start(name)

    async def hang(self, whom: str) -> None:
        """Let a store, or both, answer nobody for a while."""
        for name in STORES[whom]:
            await self.installation.pause(name)
        await asyncio.sleep(self.dice.uniform(*HANGING_SECONDS))
        for name in STORES[whom]:
            await self.installation.resume(name)

    async def freeze(self, whom: str) -> None:
        """Stop a process of ours in the middle of what it does."""
        pid = await self._pick_process()
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(self.dice.uniform(*HANGING_SECONDS))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    async def renew(self, whom: str) -> None:
        """Renew all processes in turn, as a deploy does."""
        self.installation.children["server"].process.send_signal(signal.SIGHUP)

    async def _pick_process(self) -> int:
        """Pick a process that serves, or starts; where both are dead wait for the parent, which nobody replaces."""
        parent = self.installation.children["server"].process.pid
        while not (children := list_children(parent)):
            await asyncio.sleep(0.1)
        return self.dice.choice(children)


async def _finish(blow: Awaitable[None]) -> None:
    """See a blow through even when cancelled."""
    task = asyncio.ensure_future(blow)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


ACTS: Mapping[str, Callable[[Blows, str], Awaitable[None]]] = {
    "kill": Blows.kill,
    "hang": Blows.hang,
    "freeze": Blows.freeze,
    "renew": Blows.renew,
}


@asynccontextmanager
async def disturbed(pixel: Pixel, dice: random.Random) -> AsyncIterator[None]:
    """Let the ad network fail meanwhile: its answers are lost, late in coming, or errors."""
    async with asyncio.TaskGroup() as group:
        failing = group.create_task(_disturb(pixel, dice))
        yield
        failing.cancel()
    pixel.faults.clear()


async def _disturb(pixel: Pixel, dice: random.Random) -> None:
    throttled = {"error": {"code": 4, "message": "Application request limit reached", "fbtrace_id": "T"}}
    faults = (
        {"reply": (503, {})},
        {"reply": (400, throttled)},
        {"drop": "before"},
        {"drop": "after"},
        {"drop": "after"},
    )
    while True:
        pixel.fail(**dice.choice(faults))
        await asyncio.sleep(dice.uniform(*PIXEL_SECONDS))
