"""What a person does to dead jobs: put one back, or forget it. The Inspector shows them."""

from __future__ import annotations

from grimbots.queue.dispatcher import Queue
from grimbots.queue.job import Discard, Requeue, Verdict


class Operator:
    """Acts on single jobs. An action raises QueueUnavailable where Redis is away: it may have happened, ask again."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    async def requeue(self, id: str) -> Verdict:  # noqa: A002
        """Let a dead job run again, behind what came meanwhile. OK: it waits; RUNNING; GONE: nothing of it is kept."""
        return await self._send(Requeue(id), Verdict.GONE)

    async def discard(self, id: str) -> Verdict:  # noqa: A002
        """Forget a dead job for good. OK: nothing of it is left to do; RUNNING or PENDING: it is not dead."""
        return await self._send(Discard(id), Verdict.OK)

    async def _send(self, move: Requeue | Discard, unknown: Verdict) -> Verdict:
        """Ask every shard; `unknown` is what those answer that never heard of the job."""
        verdicts = await self._queue.send_all(move)
        return next((verdict for verdict in verdicts if verdict is not unknown), unknown)
