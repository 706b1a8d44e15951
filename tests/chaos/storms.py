"""The faults: each is a card of a deck, shuffled by the seed and dealt until the time is up."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from time import monotonic

from grimbots.tests.chaos.crews import Crew, Family
from grimbots.tests.queue.desks import wait_until
from grimbots.tests.queue.proxy import LossyProxy
from grimbots.tests.queue.servers import RedisServer

FREEZE_SECONDS = (11.0, 13.0)  # past the lease
WORST_MOMENT_SECONDS = 3.0
OUTAGE_SECONDS = 12.0
CALM_SECONDS = 2.5  # after another fault, before it no more counts as part of a recovery
LEASE_TAKES_SECONDS = 12.0
WORDS = (b"claim", b"ack", b"enqueue", b"beat", b"upkeep", b"register", b"mine")

FAMILY_DECK = {
    "kill_worker": 4,
    "kill_redis": 2,
    "freeze_worker": 1,
    "cut_connections": 1,
    "lose_reply": 3,
    "pause_redis": 1,
    "renew_workers": 1,
    "kill_parent": 1,
}
STRANGERS_DECK = {"kill_stranger": 3, "kill_redis": 1, "freeze_stranger": 1, "cut_connections": 1, "lose_reply": 2}
FREEZES_DECK = {"freeze_stranger": 1}
RENEWALS_DECK = {"renew_workers": 1}


@dataclass(slots=True)
class Fault:
    """Something that was done to somebody; `pid` of the worker it struck, if one."""

    name: str
    began_at: float
    ended_at: float = 0.0
    pid: int = 0


@dataclass
class Storm:
    """Deals faults over a crew and its Redis. `under_way`: effects whose attempts were struck by kills and freezes."""

    dice: random.Random
    deck: dict[str, int]
    crew: Crew
    server: RedisServer
    proxy: LossyProxy
    faults: list[Fault] = field(default_factory=list)
    under_way: int = 0
    _frozen: set[asyncio.Task[None]] = field(default_factory=set)

    async def rage(self, seconds: float, most: int | None = None) -> None:
        """Deal faults until the time is up, or so many were dealt; in the end all is whole again."""
        ends_at = monotonic() + seconds
        while monotonic() < ends_at:
            cards = [name for name, times in self.deck.items() for _ in range(times)]
            self.dice.shuffle(cards)
            for name in cards:
                if monotonic() > ends_at or (most is not None and len(self.faults) >= most):
                    break
                await self._strike(name)
                await asyncio.sleep(self._draw_pause())
            if most is not None and len(self.faults) >= most:
                break
        await asyncio.gather(*self._frozen)
        await self.crew.wait_whole()

    async def thaw(self) -> None:
        """Let go on at once whoever is frozen: a storm that broke off leaves nobody behind."""
        for frozen in self._frozen:
            frozen.cancel()
        await asyncio.gather(*self._frozen, return_exceptions=True)

    def count(self) -> str:
        """Say what was dealt."""
        return ", ".join(f"{name} {times}" for name, times in sorted(Counter(f.name for f in self.faults).items()))

    async def _strike(self, name: str) -> None:
        fault = Fault(name, monotonic())
        self.faults.append(fault)
        blow: Callable[[Fault], Awaitable[None]] = getattr(self, f"_{name}")
        await blow(fault)
        fault.ended_at = fault.ended_at or monotonic()

    def _draw_pause(self) -> float:
        """Half of the faults fall into what the one before has left, half into calm water."""
        return self.dice.uniform(0.1, 0.8) if self.dice.random() < 0.5 else self.dice.uniform(2.5, 3.5)

    async def _kill_worker(self, fault: Fault) -> None:
        await self.crew.wait_whole()
        self._kill(fault)

    def _kill(self, fault: Fault) -> None:
        fault.pid = self.crew.pick(self.dice)
        self.under_way += self.crew.ledger.count_under_way(fault.pid)
        fault.began_at = monotonic()
        os.kill(fault.pid, signal.SIGKILL)
        fault.ended_at = monotonic()

    async def _kill_stranger(self, fault: Fault) -> None:
        await asyncio.sleep(CALM_SECONDS)
        self._kill(fault)
        await asyncio.sleep(LEASE_TAKES_SECONDS)
        await self.crew.mend()

    async def _freeze_worker(self, fault: Fault) -> None:
        await self.crew.wait_whole()
        thaw = asyncio.create_task(self._freeze(fault))
        self._frozen.add(thaw)
        await asyncio.sleep(0)

    async def _freeze_stranger(self, fault: Fault) -> None:
        await self._freeze(fault)

    async def _freeze(self, fault: Fault) -> None:
        fault.pid = self.crew.pick(self.dice)
        seconds = self.dice.uniform(*FREEZE_SECONDS)
        await self._wait_about_to_call(fault.pid)
        fault.began_at = monotonic()
        self.under_way += self.crew.ledger.count_under_way(fault.pid)
        fault.ended_at = fault.began_at + seconds
        os.kill(fault.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            with suppress(ProcessLookupError):  # killed meanwhile
                os.kill(fault.pid, signal.SIGCONT)

    async def _wait_about_to_call(self, pid: int) -> None:
        """Wait for the worst moment: it wakes with a call in its hands. Not for long, nothing may run there now."""
        with suppress(TimeoutError):
            await wait_until(lambda: self.crew.ledger.is_about_to_call(pid), WORST_MOMENT_SECONDS)

    async def _kill_redis(self, fault: Fault) -> None:
        await self.server.kill()
        await asyncio.sleep(self.dice.uniform(0.0, 1.5))
        await self.server.start()

    async def _long_outage(self, fault: Fault) -> None:
        await self.server.kill()
        await asyncio.sleep(OUTAGE_SECONDS)
        await self.server.start()

    async def _pause_redis(self, fault: Fault) -> None:
        pause_ms = self.dice.randrange(300, 4000)
        await self.server.ask("CLIENT", "PAUSE", pause_ms, "ALL")
        await asyncio.sleep(pause_ms / 1000)

    async def _cut_connections(self, fault: Fault) -> None:
        self.proxy.cut()

    async def _lose_reply(self, fault: Fault) -> None:
        fault.began_at = fault.ended_at = inf  # until such a request comes: "register" only when somebody starts

        def strike(lost: asyncio.Future[None]) -> None:
            if not lost.cancelled():
                fault.began_at = fault.ended_at = monotonic()

        self.proxy.lose_next_reply_to(self.dice.choice(WORDS)).add_done_callback(strike)

    async def _renew_workers(self, fault: Fault) -> None:
        await self.crew.wait_whole()
        await self._family.renew()

    async def _kill_parent(self, fault: Fault) -> None:
        orphans = set(self.crew.ledger.pids)
        self.under_way += sum(self.crew.ledger.count_under_way(pid) for pid in orphans)
        await self._family.kill_parent()
        # They drain, and lose what they still begin to whoever takes their slots.
        runs = (run for runs in self.crew.ledger.starts.values() for run in runs)
        self.under_way += sum(run.pid in orphans and run.at > fault.began_at for run in runs)

    @property
    def _family(self) -> Family:
        assert isinstance(self.crew, Family)
        return self.crew
