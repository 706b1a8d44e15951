"""A Cluster of six with several shards: work under a slot's migration and a master's death."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from redis.crc import key_slot

from grimbots.queue import keys
from grimbots.queue.connections import RedisMoving
from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.inspector import Inspector
from grimbots.queue.job import Accepted, Beat, Verdict
from grimbots.queue.operators import Operator
from grimbots.queue.store import Store
from grimbots.tests.queue.deployments import Cluster, migrate_slot, needs_sentinel, run_cluster
from grimbots.tests.queue.desks import connect, make_task, open_queue, run_worker, wait_until

pytestmark = needs_sentinel
ACCOUNTS, SHARDS = 12, 3
SLOT = key_slot(keys.prefix(0).encode())


async def _note(context: list[int], *, n: int) -> None:
    context.append(n)
    await asyncio.sleep(0.002)


NOTE = make_task(_note)


class Senders:
    """A chat of each account, enqueued until told to stop."""

    def __init__(self, queue: Queue, name: str) -> None:
        self.name = name
        self.accepted: list[int] = []
        self._queue = queue
        self._stop = asyncio.Event()
        self._tasks = [asyncio.create_task(self._send(account)) for account in range(ACCOUNTS)]

    async def stop(self) -> None:
        """Let each finish the job it sends."""
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def _send(self, account: int) -> None:
        n = account
        while not self._stop.is_set():
            job = NOTE.job(id=f"{self.name}{n}", source=f"b{account}", account=f"{account}", group="55", n=n)
            try:
                assert await self._queue.enqueue(job) is Accepted.ACCEPTED
                self.accepted.append(n)
                n += ACCOUNTS
            except QueueUnavailable:
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.003)


def _check_order(ran: list[int]) -> None:
    firsts = list(dict.fromkeys(ran))
    for account in range(ACCOUNTS):
        mine = [n for n in firsts if n % ACCOUNTS == account]
        assert mine == sorted(mine)


def _grows(senders: Senders, by: int) -> Callable[[], bool]:
    goal = len(senders.accepted) + by
    return lambda: len(senders.accepted) >= goal


@pytest.mark.slow
@pytest.mark.gen_test(timeout=120)
async def test_a_cluster_works_through_a_migration_and_a_death(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with run_cluster(tmp_path) as cluster:
        url = cluster.make_url(SHARDS)
        async with open_queue(url, replicas=1) as queue:
            await _spread(queue)
            await _migrate_under_load(cluster, queue, caplog)
            await _kill_under_load(cluster, queue)


async def _spread(queue: Queue) -> None:
    """Every shard holds jobs; page, command and operators see them as one."""
    for account in range(ACCOUNTS):
        await queue.bury(NOTE.job(id=f"dead{account}", source="b", account=f"{account}", n=account), "unreadable")
    assert all([await shard.count_dead() for shard in queue.reads.shards])
    inspector, operator = Inspector(queue), Operator(queue)
    pages = [dead.job.id for dead in await inspector.dead(limit=5)]
    while page := await inspector.dead(after=pages[-1], limit=5):
        pages += [dead.job.id for dead in page]
    assert sorted(pages) == sorted(f"dead{account}" for account in range(ACCOUNTS))
    for dead in pages:
        assert await operator.discard(dead) == "OK"
        assert await operator.requeue(dead) == "GONE"
    assert await inspector.dead() == []


async def _migrate_under_load(cluster: Cluster, queue: Queue, caplog: pytest.LogCaptureFixture) -> None:
    ran: list[int] = []
    async with run_worker(queue, NOTE, context=ran) as worker:
        await wait_until(worker.is_working)
        senders = Senders(queue, "migrated")
        await wait_until(_grows(senders, 300))
        source = await cluster.find_owner(SLOT)
        target = next(node for node in cluster.nodes[:3] if node is not source)
        # The slot stays half moved until the queue has run into it.
        halfway = partial(wait_until, lambda: "AskError" in caplog.text)
        resting = Store(cluster.make_url(SHARDS), keys.prefix(0))  # has nothing to say meanwhile
        await connect(resting)
        assert await migrate_slot(SLOT, source, target, halfway) > 10
        await _follow(resting)
        await wait_until(_grows(senders, 300), 20)
        await senders.stop()
        await wait_until(lambda: len(ran) >= len(senders.accepted), 20)
    assert sorted(ran) == sorted(senders.accepted)  # none lost, none twice
    _check_order(ran)


async def _follow(store: Store) -> None:
    """A connection to the old owner hears MOVED; the next one goes to the new owner."""
    with pytest.raises(RedisMoving, match="MovedError"):
        await store.run([Beat("nobody:0:1")])
    await connect(store)
    assert list((await store.run([Beat("nobody:0:1")])).drain) == [Verdict.LOST]
    await store.close()


async def _kill_under_load(cluster: Cluster, queue: Queue) -> None:
    ran: list[int] = []
    async with run_worker(queue, NOTE, context=ran) as worker:
        await wait_until(worker.is_working)
        senders = Senders(queue, "failed")
        await wait_until(_grows(senders, 300))
        first = await cluster.find_owner(SLOT)
        await first.kill()

        async def promoted() -> bool:
            return await cluster.find_owner(SLOT) is not first

        await wait_until(promoted, 30)
        await wait_until(_grows(senders, 300), 30)
        await senders.stop()
        await wait_until(lambda: set(senders.accepted) <= set(ran), 30)
    _check_order(ran)
