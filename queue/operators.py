"""What a person does to dead jobs: put one back, or forget it. The Inspector shows them."""

from __future__ import annotations

from grimbots.queue.dispatcher import Queue, wait_answer
from grimbots.queue.job import Discard, Requeue, Verdict


class Operator:
    """Acts on single jobs. An action raises QueueUnavailable where Redis is away: it may have happened, ask again."""

    def __init__(self, queue: Queue) -> None:
        self._line = queue.line

    async def requeue(self, id: str) -> Verdict:  # noqa: A002
        """Let a dead job run again, behind what came meanwhile. OK: it waits; RUNNING; GONE: nothing of it is kept."""
        verdict: Verdict = await wait_answer(self._line.send(Requeue(id)))
        return verdict

    async def discard(self, id: str) -> Verdict:  # noqa: A002
        """Forget a dead job for good. OK: nothing of it is left to do; RUNNING or PENDING: it is not dead."""
        verdict: Verdict = await wait_answer(self._line.send(Discard(id)))
        return verdict
