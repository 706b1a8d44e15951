"""What a claim may start, and whether its answer counts what it brought."""

from __future__ import annotations

from collections import Counter

from grimbots.queue.job import Claim, Claimed, ClaimReply, Job, Share
from grimbots.tests.queue.model import expect


def check_tally(reply: ClaimReply) -> None:
    """What a process counts before it has read the jobs is what they turn out to be."""
    jobs, suspects = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for one in reply.claimed:
        jobs[one.job.queue, one.job.account] += 1
        suspects[one.job.queue, one.job.account] += one.suspect
    counted = {(part.queue, part.account): (part.jobs, part.suspects) for part in reply.started}
    expect(counted == {name: (jobs[name], suspects[name]) for name in jobs}, f"{reply} counts wrongly")


class Budget:
    """What a claim may still start."""

    def __init__(self, move: Claim) -> None:
        self.slots = dict(move.free)
        self.suspects = move.free_suspects
        self._shares = {queue: move.shares.get(queue) or Share(free) for queue, free in move.free.items()}
        self._taken: Counter[tuple[str, str]] = Counter()

    def room(self, job: Job) -> int:
        """Tell how many more of this job's account may start in its queue."""
        share = self._shares[job.queue]
        return share.rooms.get(job.account, share.room) - self._taken[job.queue, job.account]

    def spend(self, one: Claimed) -> None:
        """Count a start, which must have been allowed."""
        expect(self.slots.get(one.job.queue, 0) > 0, f"no slot is free for {one}")
        expect(self.room(one.job) > 0, f"the account of {one} has no room")
        expect(self.suspects > 0 or not one.suspect, f"{one} is one suspect too many")
        self.slots[one.job.queue] -= 1
        self.suspects -= one.suspect
        self._taken[one.job.queue, one.job.account] += 1
