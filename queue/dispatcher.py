"""Queue: the face of the queue towards services and handlers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from grimbots.queue.attempts import CURRENT
from grimbots.queue.job import Accepted, BuryNew, Enqueue, Hold, Intake, Job
from grimbots.queue.line import Line, QueueUnavailable
from grimbots.queue.rates import Rates
from grimbots.queue.reads import Reads
from grimbots.queue.reports import Death, count_deaths
from grimbots.queue.store import Store

__all__ = ["Queue", "QueueUnavailable"]

log = logging.getLogger(__name__)

ANSWER_SECONDS = 1.5  # a webhook's sender waits no longer: it gets a 503 and tries again
START_SECONDS = 1.0
FLUSH_SECONDS = 2.0


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
        account_share: float = 1.0,
    ) -> None:
        """Keep the settings: `slot` tells apart the processes of a host, `queue_slots` bounds the jobs run at once.

        `account_share`: the part of a queue's slots that one account may hold in this process.
        """
        self.url = url
        self.consumer_host = consumer_host
        self.slot = slot
        self.rates = Rates()
        self.queue_slots = queue_slots
        self.account_share = account_share
        self.line = Line(Store(url))
        self.reads = Reads(url)
        self._group_cap = group_cap
        self.carrier: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to carry moves. Where Redis is away it goes on trying, and enqueue raises.

        Raises:
            NewerProtocol: this process must not touch the data.
        """
        self.carrier = asyncio.create_task(self.line.run())
        self.carrier.add_done_callback(self._note_end)
        await self._wait_settled(START_SECONDS)
        if self.carrier.done():
            self.carrier.result()

    async def stop(self) -> None:
        """Let what is under way arrive, for a moment, and close the connections."""
        if self.carrier is None:
            return
        if not self.line.is_away:
            await self._wait_settled(FLUSH_SECONDS)
        self.carrier.cancel()
        await asyncio.wait({self.carrier})
        await self.line.store.close()
        await self.reads.close()

    async def enqueue(self, job: Job, *, rank: int | None = None, hold_ms: int = 0) -> Accepted:
        """Store a job durably; the jobs of one loop tick share a round trip. A known id is ACCEPTED, DEAD if it died.

        `rank` and `hold_ms` put right what a sender's own numbers say arrived swapped (job.Enqueue).

        Raises:
            QueueUnavailable: Redis is away or full (within 1.5 s; at once while it is known to be away).
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
        await wait_answer(self.line.send(Hold("source", source, round(seconds * 1000))))

    def guard(self) -> None:
        """Raise LeaseLost unless the running job is surely still ours. To be called right before an effect outside."""
        attempt = CURRENT.get()
        if attempt:
            attempt.guard()

    async def _submit(self, move: Intake) -> Accepted:
        if not self.line.admits():
            raise QueueUnavailable("redis is away")
        accepted: Accepted = await wait_answer(self.line.submit(move))
        return accepted

    async def follow(self) -> None:
        """Wait until the line ends or breaks."""
        if self.carrier:
            await asyncio.shield(self.carrier)

    async def _wait_settled(self, seconds: float) -> None:
        """Wait until nothing is under way, the line has ended, or the time is up."""
        settled = asyncio.create_task(self.line.wait_settled())
        watched = {settled, self.carrier} if self.carrier else {settled}
        await asyncio.wait(watched, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        settled.cancel()

    def _note_end(self, carrier: asyncio.Task[None]) -> None:
        if carrier.cancelled():
            self.line.refuse_all("this process is stopping")
        elif error := carrier.exception():
            log.critical("the queue's line broke: this process can neither enqueue nor work", exc_info=error)
            self.line.refuse_all("the queue's line broke: see the log")


async def wait_answer(answer: asyncio.Future[Any]) -> Any:
    """Wait for an answer as long as a sender may. Raise QueueUnavailable when it does not come."""
    late = asyncio.get_running_loop().call_later(ANSWER_SECONDS, _expire, answer)
    try:
        return await answer
    finally:
        late.cancel()


def _expire(answer: asyncio.Future[Any]) -> None:
    if not answer.done():
        answer.set_exception(QueueUnavailable("redis did not answer in time"))
