"""A process's place among the consumers: it takes the lease of its host and slot and notices when it is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from time import monotonic
from typing import cast

from grimbots.queue.heartbeat import Heartbeat, Timing
from grimbots.queue.job import Beat, Claimed, Deregister, Mine, Register, Verdict
from grimbots.queue.line import Line, QueueUnavailable
from grimbots.queue.store import BlockingBeat

log = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0  # after a check of the lease that got no answer
FAREWELL_SECONDS = 2.0


class Replaced(Exception):
    """A later process has taken this host and slot: this one must end."""


class Membership:
    """The lease of this process on a shard, under one name for life: `<host>:<slot>:<boot ns>`.

    The name stays after a loss: a later boot would outrank a process that a supervisor started here meanwhile.
    """

    def __init__(
        self,
        line: Line,
        consumer: str,
        *,
        on_loss: Callable[[], None],
        on_mine: Callable[[Sequence[Claimed]], None],
        timing: Timing,
    ) -> None:
        """Keep the parts. `on_mine` gets what Redis thinks runs here."""
        self.consumer = consumer
        self.is_sure = False
        self._lease: Heartbeat | None = None
        self._line = line
        self._beat = BlockingBeat(line.store.url, line.store.prefix)
        self._on_loss = on_loss
        self._on_mine = on_mine
        self._timing = timing
        self._leaving = False
        self._settling = asyncio.Lock()
        self._doubted = asyncio.Event()
        self._doubted.set()

    @property
    def lease(self) -> Heartbeat:
        """The lease, held or lost: there is one from the first claim on."""
        return cast("Heartbeat", self._lease)

    @property
    def holds(self) -> bool:
        """Tell whether the lease is surely ours."""
        return self._lease is not None and self._lease.holds

    async def run(self) -> None:
        """Join, and set right what is doubted, until cancelled. Nothing is claimed while `is_sure` is False.

        Raises:
            Replaced: this process must end.
        """
        while True:
            await self._doubted.wait()
            self._doubted.clear()
            try:
                async with self._settling:
                    await self._settle()
            except QueueUnavailable as error:
                log.warning("%s could not check its lease: %s", self.consumer, error)
                await asyncio.sleep(AGAIN_SECONDS)
                self.doubt()
            self.is_sure = not self._doubted.is_set()
            self._line.poke()

    def doubt(self) -> None:
        """Check the lease and what runs here before anything more is claimed."""
        self.is_sure = False
        if not self._leaving:
            self._doubted.set()

    def lose(self, lease: Heartbeat) -> None:
        """Note that a lease is lost: no effect starts under it, and the place is taken anew."""
        if lease is not self._lease:
            return
        log.warning("%s lost its lease: what ran here belongs to others now", self.consumer)
        lease.lose()
        self._on_loss()
        self.doubt()

    async def leave(self) -> None:
        """Give the lease back and end the heartbeat; a lease that is just being taken is waited for first."""
        self.is_sure, self._leaving = False, True
        try:
            async with asyncio.timeout(FAREWELL_SECONDS), self._settling:
                await self._give_back()
        except (TimeoutError, QueueUnavailable):
            log.warning(
                "%s could not give its lease back: it ends by itself, and what ran is taken back", self.consumer
            )
        if self._lease:
            await asyncio.to_thread(self._lease.join)
        self._beat.close()

    async def _give_back(self) -> None:
        if self._lease:
            self._lease.lose()
            await self._line.send(Deregister(self.consumer))

    async def _settle(self) -> None:
        if self._leaving:
            return
        if self._lease is None or self._lease.is_lost:
            self._lease = await self._join()
        else:
            await self._check(self._lease)

    async def _join(self) -> Heartbeat:
        sent_at = monotonic()
        if await self._line.send(Register(self.consumer)) is Verdict.REPLACED:
            raise Replaced(f"a later process has the place of {self.consumer}")
        loop = asyncio.get_running_loop()
        lease = Heartbeat(
            self.consumer,
            self._beat.beat,
            on_lost=lambda lost: loop.call_soon_threadsafe(self.lose, lost),
            timing=self._timing,
        )
        lease.start(sent_at)
        return lease

    async def _check(self, lease: Heartbeat) -> None:
        verdict, mine = await asyncio.gather(self._line.send(Beat(self.consumer)), self._line.send(Mine(self.consumer)))
        if verdict is Verdict.OK:
            self._on_mine(mine)
        else:
            self.lose(lease)
