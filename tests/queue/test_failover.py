"""Redis with Sentinel: a master that dies or freezes under load, and what WAIT is worth."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from time import monotonic

import pytest

from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.job import Accepted
from grimbots.tests.queue.deployments import Failover, Node, needs_sentinel, run_failover
from grimbots.tests.queue.desks import make_job, make_task, open_queue, run_worker, wait_until

pytestmark = needs_sentinel
CHATS = 10


async def _note(context: list[int], *, n: int) -> None:
    context.append(n)
    await asyncio.sleep(0.002)


NOTE = make_task(_note)


class Senders:
    """Enqueue in every chat until told to stop; remember what was answered ACCEPTED, in order."""

    def __init__(self, queue: Queue) -> None:
        self.accepted: list[int] = []
        self.refused = 0
        self._queue = queue
        self._stop = asyncio.Event()
        self._tasks = [asyncio.create_task(self._send(chat)) for chat in range(CHATS)]

    async def stop(self) -> None:
        """Let each finish the job it sends."""
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def _send(self, chat: int) -> None:
        n = chat
        while not self._stop.is_set():
            try:
                assert await self._queue.enqueue(make_job(NOTE, f"{n}", chat=f"{chat}", n=n)) is Accepted.ACCEPTED
                self.accepted.append(n)
                n += CHATS
            except QueueUnavailable:
                self.refused += 1
            await asyncio.sleep(0.005)


@pytest.mark.slow
@pytest.mark.gen_test
async def test_loses_nothing_it_accepted_when_the_master_dies(tmp_path: Path) -> None:
    ran: list[int] = []
    async with (
        run_failover(tmp_path) as redis,
        open_queue(redis.url, replicas=1) as queue,
        run_worker(queue, NOTE, context=ran),
    ):
        senders = Senders(queue)
        await wait_until(lambda: len(ran) > 200)
        first = await redis.find_master()
        await first.kill()
        await _wait_promoted(redis, first.port)
        before = len(senders.accepted)
        await wait_until(lambda: len(senders.accepted) > before + 200, 20)
        await senders.stop()
        await wait_until(lambda: set(senders.accepted) <= set(ran), 20)
    _check(ran)


async def _wait_promoted(redis: Failover, port: int) -> None:
    async def promoted() -> bool:
        return (await redis.find_master()).port != port

    await wait_until(promoted, 20)


def _check(ran: list[int]) -> None:
    """What ran first ran in the order of its chat; few ran again, those whose ack the new master never got."""
    firsts = list(dict.fromkeys(ran))
    for chat in range(CHATS):
        mine = [n for n in firsts if n % CHATS == chat]
        assert mine == sorted(mine)
    again = sum(Counter(ran).values()) - len(firsts)
    assert again < len(ran) / 10


@pytest.mark.gen_test
async def test_answers_only_what_a_replica_has(tmp_path: Path) -> None:
    async with run_failover(tmp_path) as redis, open_queue(redis.url, replicas=1) as queue:
        assert await queue.enqueue(make_job(NOTE, "1", n=1)) is Accepted.ACCEPTED
        for replica in redis.servers[1:]:
            replica.freeze()
        with pytest.raises(QueueUnavailable, match="replicas"):
            await queue.enqueue(make_job(NOTE, "2", n=2))
        for replica in redis.servers[1:]:
            replica.thaw()
        await wait_until(lambda: _tries(queue, "2"), 20)
        assert (await queue.reads.count_jobs())[
            "tasks"
        ].enqueued == 2  # it was there: the same id again is no second job


@pytest.mark.slow
@pytest.mark.gen_test
async def test_a_partition_loses_what_no_replica_had(tmp_path: Path) -> None:
    """Who still reaches a master that was cut off is answered by it; WAIT tells the difference."""
    async with run_failover(tmp_path) as redis:
        first = redis.servers[0]
        direct = redis.make_direct_url(first)
        async with open_queue(direct) as bold, open_queue(direct, slot=1, replicas=1) as careful:
            await careful.enqueue(make_job(NOTE, "before", n=0))
            await first.cut_off(direct)
            accepted: list[str] = []
            began = monotonic()
            while (await redis.find_master()).port == first.port:
                accepted.append(f"bold{len(accepted)}")
                await _enqueue(bold, accepted[-1])
                assert not await _tries(careful, f"careful{len(accepted)}")
            seconds = monotonic() - began
            await first.rejoin(direct)
            await wait_until(lambda: _follows(first), 20)
        async with open_queue(redis.url, slot=2) as queue:
            assert await queue.reads.find_job("before")
            lost = [job_id for job_id in accepted if not await queue.reads.find_job(job_id)]
    print(
        f"{seconds:.1f} s cut off: without WAIT {len(accepted)} accepted and {len(lost)} lost, with WAIT none accepted"
    )
    assert lost == accepted


async def _tries(queue: Queue, job_id: str) -> bool:
    try:
        return await queue.enqueue(make_job(NOTE, job_id, n=0)) is Accepted.ACCEPTED
    except QueueUnavailable:
        return False


async def _enqueue(queue: Queue, job_id: str) -> None:
    """Enqueue, again where the cut met this connection too."""
    while not await _tries(queue, job_id):
        await asyncio.sleep(0.05)


async def _follows(node: Node) -> bool:
    return bool((await node.info("replication"))["role"] == "slave")
