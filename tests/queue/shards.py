"""A shard to drive move by move, with two consumers and a clock that tests move; and short names for jobs and moves."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from grimbots.queue.job import (
    Accepted,
    Ack,
    Beat,
    Claim,
    Claimed,
    ClaimReply,
    Drain,
    Enqueue,
    Job,
    Register,
    Retry,
    Upkeep,
    UpkeepReply,
)
from grimbots.queue.store import PREFIX, Store
from grimbots.tests.queue.desks import connect
from grimbots.tests.queue.fuzz_scripts import CLOCK, load_clocked

ONE, TWO = "host:0:1000000000000000000", "host:1:1000000000000000000"
CAP = 1000


class Shard:
    """A store on an emptied Redis whose clock stands until `move`."""

    def __init__(self, url: str) -> None:
        self.redis = Redis.from_url(url, protocol=3, decode_responses=True)
        self.store = Store(url, PREFIX, load_clocked())
        self.now_ms = 1_790_000_000_000
        self.numbers: dict[str, int] = {}

    async def open(self) -> None:
        await self.redis.flushall()
        await connect(self.store)
        await self.move(0)
        await self.do(Register(ONE), Register(TWO))

    async def close(self) -> None:
        await self.store.close()
        await self.redis.aclose()

    async def move(self, ms: int) -> None:
        """Let time pass."""
        self.now_ms += ms
        seconds, ms = divmod(self.now_ms, 1000)
        await self.redis.hset(PREFIX + CLOCK, mapping={"seconds": seconds, "micros": ms * 1000})

    async def do(self, *moves: Drain) -> Any:
        """Run moves; give the last one's reply."""
        return (await self.store.run(moves)).drain[-1]

    async def put(self, *jobs: Job, cap: int = CAP) -> list[Accepted]:
        """Enqueue jobs."""
        replies = await self.store.run([], [Enqueue(job, cap) for job in jobs])
        assert replies.intake is not None
        return list(replies.intake)

    async def claim(self, consumer: str = ONE, slots: int = 10, **options: Any) -> list[Claimed]:
        """Claim with free slots in every queue."""
        self.numbers[consumer] = self.numbers.get(consumer, 0) + 1
        free = {"tasks": slots, "webhook": slots, "gateway": slots}
        reply: ClaimReply = await self.do(Claim(consumer, self.numbers[consumer], free, **options))
        return list(reply.claimed)

    async def start(self, consumer: str = ONE, **options: Any) -> list[str]:
        """Claim and give the ids."""
        return [claimed.job.id for claimed in await self.claim(consumer, **options)]

    async def crash(self, consumer: str) -> UpkeepReply:
        """Let a consumer's lease run out while the others beat, until it is reaped; then it registers again."""
        others = [Beat(other) for other in (ONE, TWO) if other != consumer]
        reply = UpkeepReply(0, [], 0, 0, 0)
        while not reply.reaped_consumers:
            await self.move(2_000)
            reply = await self.do(*others, Upkeep())
        await self.do(Register(consumer))
        return reply


def chat(job_id: str, group: str = "55", source: str = "b1", queue: str = "tasks", limit: int = 8) -> Job:
    """Make a job of a chat."""
    return Job(job_id, "a.b", queue, source, "1", group, {"n": 1}, limit)


def single(job_id: str, source: str = "b1", account: str = "1") -> Job:
    """Make an unordered job."""
    return Job(job_id, "a.b", "tasks", source, account)


def ack(claimed: Claimed, *follow_ups: Job, consumer: str = ONE, pause_ms: int = 0) -> Ack:
    """End what was claimed."""
    return Ack(consumer, claimed.job.id, claimed.fence, follow_ups, pause_ms)


def retry(claimed: Claimed, after_ms: int = 0, **options: Any) -> Retry:
    """Put what was claimed back."""
    return Retry(ONE, claimed.job.id, claimed.fence, after_ms, "failed", **options)
