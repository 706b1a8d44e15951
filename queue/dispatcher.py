"""Queue: the face of the queue towards services and handlers."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from zlib import crc32

from grimbots.queue import keys
from grimbots.queue.addresses import parse_address
from grimbots.queue.attempts import CURRENT
from grimbots.queue.job import Accepted, BuryNew, Drain, Enqueue, Hold, Intake, Job
from grimbots.queue.line import Line, QueueUnavailable
from grimbots.queue.memory import URGENT_QUEUES, MemoryLevel, MemoryWatch
from grimbots.queue.rates import Rates
from grimbots.queue.reads import Reads
from grimbots.queue.reports import Death, count_deaths
from grimbots.queue.store import NewerProtocol, OtherShards, Store
from grimbots.queue.totals import Totals

__all__ = ["NewerProtocol", "OtherShards", "Queue", "QueueUnavailable"]

log = logging.getLogger(__name__)

ANSWER_SECONDS = 1.5  # a webhook's sender waits no longer: it gets a 503 and tries again
START_SECONDS = 1.0
FLUSH_SECONDS = 2.0


class Patience:
    """Ends the wait for answers that do not come. All may take equally long: one timer serves them in their order."""

    def __init__(self) -> None:
        self._awaited: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._is_ticking = False

    async def wait(self, answer: asyncio.Future[Any]) -> Any:
        """Wait for an answer as long as a sender may. Raise QueueUnavailable when it does not come."""
        self._forget_answered()
        self._awaited.append((asyncio.get_running_loop().time() + ANSWER_SECONDS, answer))
        if not self._is_ticking:
            self._expire()
        return await answer

    def _expire(self) -> None:
        """Give up the answers that are late, and come again when the next could be."""
        loop = asyncio.get_running_loop()
        self._forget_answered()
        while self._awaited and self._awaited[0][0] <= loop.time():
            self._awaited[0][1].set_exception(QueueUnavailable("redis did not answer in time"))
            self._forget_answered()
        self._is_ticking = bool(self._awaited)
        if self._awaited:
            loop.call_at(self._awaited[0][0], self._expire)

    def _forget_answered(self) -> None:
        while self._awaited and self._awaited[0][1].done():
            self._awaited.popleft()


class Queue:
    """Takes jobs in and holds sources back. Work begins with a `Worker`; without one this process only enqueues."""

    def __init__(
        self,
        url: str,
        *,
        consumer_host: str,
        slot: int,
        queue_slots: Mapping[str, int],
        group_cap: int = 1000,
        replicas: int = 0,
        account_share: float = 1.0,
    ) -> None:
        """Keep the settings: `slot` tells apart the processes of a host, `queue_slots` bounds the jobs run at once.

        `replicas`: how many of Redis's must have a job before `enqueue` returns. `account_share`: the part of a queue's
        slots that one account may hold in this process.

        Raises:
            SettingsError: the address can mean nothing.
        """
        self.url = url
        self.consumer_host = consumer_host
        self.slot = slot
        self.rates = Rates()
        self.queue_slots = queue_slots
        self.account_share = account_share
        prefixes = [keys.prefix(shard) for shard in range(parse_address(url).shards)]
        self.lines = [Line(Store(url, prefix, replicas=replicas)) for prefix in prefixes]
        self.reads = Totals([Reads(url, prefix) for prefix in prefixes])
        self._group_cap = group_cap
        self._memory = MemoryWatch(self.reads)
        self._patience = Patience()
        self._carriers: list[asyncio.Task[None]] = []
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to carry moves. Where Redis is away it goes on trying, and enqueue raises.

        Raises:
            NewerProtocol, OtherShards: this process must not touch the data.
        """
        self._carriers = [asyncio.create_task(line.run()) for line in self.lines]
        for line, carrier in zip(self.lines, self._carriers, strict=True):
            carrier.add_done_callback(partial(_note_end, line))
        self._watch = asyncio.create_task(self._memory.run())
        await self._wait_settled(self.lines, START_SECONDS)
        broken = [carrier for carrier in self._carriers if carrier.done()]
        if broken:
            await self.stop()
            broken[0].result()

    async def stop(self) -> None:
        """Let what is under way arrive, for a moment, and close the connections."""
        if not self._watch:
            return
        await self._wait_settled([line for line in self.lines if not line.is_away], FLUSH_SECONDS)
        for task in (self._watch, *self._carriers):
            task.cancel()
        await asyncio.wait([self._watch, *self._carriers])
        await asyncio.gather(*(line.store.close() for line in self.lines), self.reads.close())

    async def enqueue(self, job: Job, *, rank: int | None = None, hold_ms: int = 0) -> Accepted:
        """Store a job durably; the jobs of one loop tick share a round trip. A known id is ACCEPTED, DEAD if it died.

        `rank` and `hold_ms` put right what a sender's own numbers say arrived swapped (job.Enqueue).

        Raises:
            QueueUnavailable: Redis is away or full, or the replicas asked for do not have the job yet (within 1.5 s; at
                once while it is known to be away).
            TypeError, ValueError: the payload is nothing JSON can hold.
        """
        return await self._submit(Enqueue(job, self._group_cap, rank, hold_ms))

    async def bury(self, job: Job, reason: str) -> Accepted:
        """Store a job as dead at once: work that nobody could do, kept for a person. Raises as `enqueue` does."""
        buried = await self._submit(BuryNew(job, reason))
        if buried is Accepted.DEAD:
            count_deaths(Death.REFUSED)
        return buried

    async def hold_source(self, source: str, seconds: float) -> None:
        """Start nothing of a source for a while; a longer hold stays."""
        await self.send_all(Hold("source", source, round(seconds * 1000)))

    def guard(self) -> None:
        """Raise LeaseLost unless the running job is surely still ours. To be called right before an effect outside."""
        attempt = CURRENT.get()
        if attempt:
            attempt.guard()

    async def send_all(self, move: Drain) -> list[Any]:
        """Make a move on every shard, where it is not known which one it concerns, and give the answers.

        Raises:
            QueueUnavailable: it is not known whether it happened.
        """
        return await asyncio.gather(*[self._patience.wait(line.send(move)) for line in self.lines])

    @property
    def memory_level(self) -> MemoryLevel:
        """How full the memory of Redis is: a second old at most while it answers."""
        return self._memory.level

    async def _submit(self, move: Intake) -> Accepted:
        if self.memory_level >= MemoryLevel.TIGHT and move.job.queue not in URGENT_QUEUES:
            raise QueueUnavailable(f"the memory of redis is nearly full: queue {move.job.queue} takes nothing new yet")
        line = self._find_line(move.job.account)
        if not line.admits():
            raise QueueUnavailable("redis is away")
        accepted: Accepted = await self._patience.wait(line.submit(move))
        return accepted

    def _find_line(self, account: str) -> Line:
        """Find the line of an account's shard; the same in every process, for ever."""
        if len(self.lines) == 1:
            return self.lines[0]
        return self.lines[crc32(account.encode("utf-8", "surrogatepass")) % len(self.lines)]

    async def follow(self) -> None:
        """Wait until a line ends or breaks."""
        done, _ = await asyncio.wait(self._carriers, return_when=asyncio.FIRST_COMPLETED)
        done.pop().result()

    async def _wait_settled(self, lines: Sequence[Line], seconds: float) -> None:
        """Wait until nothing is under way on some lines, a line has ended, or the time is up."""
        settled = asyncio.create_task(_wait_each(lines))
        await asyncio.wait([settled, *self._carriers], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        settled.cancel()


async def _wait_each(lines: Sequence[Line]) -> None:
    for line in lines:
        await line.wait_settled()


def _note_end(line: Line, carrier: asyncio.Task[None]) -> None:
    if carrier.cancelled():
        line.refuse_all("this process is stopping")
    else:
        error = carrier.exception()
        log.critical("the queue's line broke: this process can neither enqueue nor work", exc_info=error)
        line.refuse_all("the queue's line broke: see the log")
