"""How many writing commands Redis runs for an ordered job of 500 B, by its own count: one at a time and in batches.

    python tests/bench/bench_queue_writes.py [jobs]

A job's way is enqueue, claim and ack. One at a time: enqueued alone, claimed alone, acknowledged with the next claim.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis

from grimbots.queue.job import Ack, Claim, Claimed, ClaimReply, Enqueue, Job, Register
from grimbots.queue.store import Store
from grimbots.tests.queue.desks import connect
from grimbots.tests.queue.servers import RedisServer, run_server

CONSUMER, SOURCES, CHATS, PADDING = "bench:0:1", 5, 200, "x" * 450
WRITES = (
    *("set", "del", "lpush", "rpush", "lpop", "rpop", "lmove", "linsert", "lrem", "brpop", "incrby"),
    *("hset", "hdel", "hincrby", "zadd", "zrem", "zpopmin", "sadd", "srem"),
)


def _make_job(n: int) -> Job:
    return Job(f"{n}", "bench.run", "tasks", f"b{n % SOURCES}", "1", f"{n % CHATS}", {"padding": PADDING})


async def _count_writes(redis: Redis) -> dict[str, int]:
    stats = await redis.info("commandstats")
    return {name: stats[f"cmdstat_{name}"]["calls"] for name in WRITES if f"cmdstat_{name}" in stats}


class Worker:
    """Does the moves of a worker with so many slots."""

    def __init__(self, store: Store, slots: int) -> None:
        self._store, self._slots, self._number = store, slots, 0
        self.running: Sequence[Claimed] = ()

    async def turn(self) -> None:
        """Acknowledge what runs and claim again."""
        self._number += 1
        acks = [Ack(CONSUMER, claimed.job.id, claimed.fence) for claimed in self.running]
        reply = (await self._store.run([*acks, Claim(CONSUMER, self._number, {"tasks": self._slots})])).drain[-1]
        if not isinstance(reply, ClaimReply):
            raise TypeError(reply)
        self.running = reply.claimed


async def _work(store: Store, jobs: int, batch: int, backlog: int) -> None:
    """Bring in and do `jobs` jobs, `batch` at a time, with so many others waiting."""
    worker = Worker(store, batch)
    for at in range(0, jobs + backlog, batch):
        await store.run([], [Enqueue(_make_job(n), 100_000) for n in range(at, at + batch)])
        if at >= backlog:
            await worker.turn()
    while worker.running:
        await worker.turn()


async def _measure(server: RedisServer, jobs: int, batch: int, backlog: int = 0) -> None:
    await server.ask("FLUSHALL")
    store, redis = Store(server.url), Redis.from_url(server.url, protocol=3)
    await connect(store)
    await store.run([Register(CONSUMER)])
    await redis.config_resetstat()
    await _work(store, jobs, batch, backlog)
    writes = await _count_writes(redis)
    done = jobs + backlog
    each = " ".join(f"{name} {calls / done:.2f}" for name, calls in sorted(writes.items()))
    print(f"{f'{batch} at a time, {backlog} waiting':34} {sum(writes.values()) / done:6.2f} writes a job   ({each})")
    await store.close()
    await redis.aclose()


async def main(jobs: int = 3200) -> None:
    """Measure each form."""
    with tempfile.TemporaryDirectory() as folder:
        async with run_server(Path(folder)) as server:
            for batch, backlog in ((1, 0), (1, 1000), (16, 0), (64, 0)):
                await _measure(server, jobs, batch, backlog)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
