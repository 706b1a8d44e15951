"""What a person does: to single jobs, to the dead of one reason, and to whole queues, sources and accounts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from grimbots.queue.connections import RedisAway
from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.job import BuryWaiting, Close, Discard, Pause, Requeue, Resume, StopKind, Verdict
from grimbots.queue.sightings import DeadJob

PAGE_JOBS = 100  # looked at in one go
BATCH_JOBS = 50  # put back in one go


class Operator:
    """Acts on a queue. An action raises QueueUnavailable where Redis is away: it may have happened, ask again."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._reads = queue.reads

    async def requeue(self, id: str) -> Verdict:  # noqa: A002
        """Let a dead job run again, behind what came meanwhile. OK: it waits; RUNNING; GONE: nothing of it is kept."""
        return await self._send(Requeue(id), Verdict.GONE)

    async def requeue_all(self, reason: str, limit: int | None = None) -> int:
        """Let every job that is dead for a reason run again, or the `limit` that are for longest. Returns how many."""
        ids = (await self._find_dead(reason))[:limit]
        for at in range(0, len(ids), BATCH_JOBS):
            await asyncio.gather(*map(self.requeue, ids[at : at + BATCH_JOBS]))
        return len(ids)

    async def discard(self, id: str) -> Verdict:  # noqa: A002
        """Forget a dead job for good. OK: nothing of it is left to do; RUNNING or PENDING: it is not dead."""
        return await self._send(Discard(id), Verdict.OK)

    async def bury(self, id: str, reason: str) -> Verdict:  # noqa: A002
        """Take a waiting job out of its queue: it is dead, to be put back or discarded. DEAD; RUNNING; GONE."""
        return await self._send(BuryWaiting(id, reason), Verdict.GONE)

    async def discard_chat(self, source: str, chat: str) -> int:
        """Forget every dead job of a chat, and what it says. Returns how many."""
        found = [dead.job.id async for dead in self._walk_dead() if (dead.job.source, dead.job.group) == (source, chat)]
        for id in found:  # noqa: A001
            await self.discard(id)
        return len(found)

    async def empty_chat(self, source: str, chat: str, reason: str) -> int:
        """Take what waits in a chat out of its queues and forget it, with what is dead. For while nobody works."""
        try:
            while waiting := await self._reads.list_chat(source, chat, PAGE_JOBS):
                for glimpse in waiting:
                    await self.bury(glimpse.id, reason)
        except RedisAway as error:
            raise QueueUnavailable(str(error)) from error
        return await self.discard_chat(source, chat)

    async def pause(self, kind: StopKind, name: str) -> None:
        """Start nothing of a queue, a source or an account until `resume`; what runs goes on, new work waits."""
        await self._queue.send_all(Pause(kind, name))

    async def drain(self, kind: StopKind, name: str) -> None:
        """Refuse new work of a queue, a source or an account until `resume`; work off what is there."""
        await self._queue.send_all(Close(kind, name))

    async def resume(self, kind: StopKind, name: str) -> None:
        """End a pause and a drain."""
        await self._queue.send_all(Resume(kind, name))

    async def _find_dead(self, reason: str) -> list[str]:
        """Find the ids of what died for a reason, the longest dead first."""
        found = [dead.job.id async for dead in self._walk_dead() if dead.reason == reason]
        return found[::-1]

    async def _walk_dead(self) -> AsyncIterator[DeadJob]:
        """Give every dead job once, the newest first."""
        seen: set[str] = set()
        after = ""
        try:
            while page := await self._reads.list_dead(after, PAGE_JOBS):
                after = page[-1].job.id
                if after in seen:  # the one behind which to look went away meanwhile, and the look began anew
                    break
                fresh = [dead for dead in page if dead.job.id not in seen]
                seen |= {dead.job.id for dead in fresh}
                for dead in fresh:
                    yield dead
        except RedisAway as error:
            raise QueueUnavailable(str(error)) from error

    async def _send(self, move: Requeue | Discard | BuryWaiting, unknown: Verdict) -> Verdict:
        """Ask every shard; `unknown` is what those answer that never heard of the job."""
        verdicts = await self._queue.send_all(move)
        return next((verdict for verdict in verdicts if verdict is not unknown), unknown)
