"""The slots of this process: how many jobs of each queue it runs at once, whichever shard they come from.

A claim that is under way has its slots reserved. Where several shards want more than there is, they get it in turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

from grimbots.queue.job import Claimed, Share, Started


class Contender(Protocol):
    """A shard's worker, as it asks for slots."""

    def can_claim(self) -> bool:
        """Tell whether a claim could leave now, or as soon as the call under way is answered."""

    def poke(self) -> None:
        """Let a call leave, so that it may ask."""


class Slots:
    """Counts what runs, and shares what is free."""

    def __init__(self, slots: Mapping[str, int], account_share: float = 1.0, claim_share: int = 1) -> None:
        """`account_share`: the part of a queue's slots one account may hold. A claim takes 1/`claim_share` at most."""
        self._limits = {queue: -(-count // claim_share) for queue, count in slots.items()}
        self._free = dict(slots)
        self._most = {queue: max(1, int(count * account_share)) for queue, count in slots.items()}
        self._held: dict[str, Counter[str]] = {queue: Counter() for queue in slots}
        self._suspects = 0
        self._suspect_asker: Contender | None = None
        self._contenders: list[Contender] = []
        self._reserved: dict[Contender, Mapping[str, int]] = {}
        self._hungry: dict[str, list[Contender]] = {queue: [] for queue in slots}

    def join(self, contender: Contender) -> None:
        """Let a shard take part."""
        self._contenders.append(contender)

    @property
    def is_shared(self) -> bool:
        """Tell whether several shards take part."""
        return len(self._contenders) > 1

    def list_unfilled(self) -> dict[str, int]:
        """Return the slots in which nothing runs, of queues that have some; claims under way may have reserved them."""
        return {queue: free for queue, free in self._free.items() if free > 0}

    def list_free(self) -> dict[str, int]:
        """Return the free slots of queues that have some."""
        free = self.list_unfilled()
        return self._leave_reserved(free) if self._reserved else free

    def list_shares(self, free: Mapping[str, int]) -> dict[str, Share]:
        """Return how many of the free slots of each queue one account may take."""
        return {queue: Share(self._most[queue], self._list_rooms(queue, count)) for queue, count in free.items()}

    def _list_rooms(self, queue: str, free: int) -> dict[str, int]:
        rooms = ((account, self._most[queue] - held) for account, held in self._held[queue].items())
        return {account: room for account, room in rooms if room < free}

    def take(self, asker: Contender) -> tuple[dict[str, int], int]:
        """Reserve slots for a claim, until `settle` or the next one; and tell how many suspects (0, 1) it may bring."""
        self._reserved.pop(asker, None)
        free = {queue: min(count, self._limits[queue]) for queue, count in self.list_free().items()}
        if self.is_shared:
            self._note_hunger(asker)
            free = {queue: share for queue in free if (share := self._share(asker, queue, free[queue]))}
            if free:
                self._reserved[asker] = free
        suspects = int(bool(free) and not self._suspects and self._suspect_asker in (None, asker))
        if suspects:
            self._suspect_asker = asker
        return free, suspects

    def settle(self, asker: Contender, started: Iterable[Started]) -> None:
        """End a claim; what it brought is counted by `start`. Who got all it asked for is hungry still."""
        if self._suspect_asker is asker:
            self._suspect_asker = None
        reserved = self._reserved.pop(asker, None)
        if not reserved:
            return
        got = count_jobs(started)
        for queue, asked in reserved.items():
            hungry = self._hungry[queue]
            hungry.remove(asker)
            if got[queue] >= asked:
                hungry.append(asker)  # behind the others
            self._wake(queue, asker)

    def start(self, started: Iterable[Started]) -> None:
        """Count jobs that begin."""
        for part in started:
            self._free[part.queue] -= part.jobs
            self._held[part.queue][part.account] += part.jobs
            self._suspects += part.suspects

    def end(self, claimed: Claimed) -> None:
        """Count a job that has ended."""
        self._free[claimed.job.queue] += 1
        self._suspects -= claimed.suspect
        held, account = self._held[claimed.job.queue], claimed.job.account
        held[account] -= 1
        if not held[account]:
            del held[account]

    def _leave_reserved(self, free: Mapping[str, int]) -> dict[str, int]:
        """Leave out what claims under way may bring; not those that hang on a server that is away."""
        left = Counter(free)
        for contender, reserved in self._reserved.items():
            if contender.can_claim():
                left.subtract({queue: asked for queue, asked in reserved.items() if queue in left})
        return {queue: count for queue, count in left.items() if count > 0}

    def _note_hunger(self, asker: Contender) -> None:
        for hungry in self._hungry.values():
            if asker not in hungry:
                hungry.append(asker)

    def _share(self, asker: Contender, queue: str, free: int) -> int:
        """Share free slots among the shards that want some now: who waited longest gets one more."""
        rivals = [one for one in self._hungry[queue] if one is asker or self._competes(one)]
        each, over = divmod(free, len(rivals))
        if len(rivals) > 1:
            self._wake(queue, asker)
        return each + (rivals.index(asker) < over)

    def _wake(self, queue: str, but: Contender) -> None:
        for contender in self._hungry[queue]:
            if contender is not but and self._competes(contender):
                contender.poke()

    def _competes(self, contender: Contender) -> bool:
        return contender not in self._reserved and contender.can_claim()


def count_jobs(started: Iterable[Started]) -> Counter[str]:
    """Count the jobs of each queue that a claim brought."""
    jobs = Counter[str]()
    for part in started:
        jobs[part.queue] += part.jobs
    return jobs
