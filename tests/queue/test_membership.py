"""A process's place among the consumers: lost, taken by a later process, or disagreed upon."""

from __future__ import annotations

import asyncio
import threading

import pytest
import redis.asyncio

from grimbots.queue.dispatcher import Queue
from grimbots.queue.heartbeat import Timing
from grimbots.queue.inspector import Inspector
from grimbots.queue.job import Claim
from grimbots.queue.membership import Replaced
from grimbots.queue.sightings import State
from grimbots.queue.store import Store
from grimbots.queue.task import LeaseLost
from grimbots.queue.worker import Worker
from grimbots.tests.queue.desks import connect, make_job, make_task, open_queue, run_worker, wait_until

NEVER_BEATS = Timing(beat_seconds=3600)


class Effects:
    """What tasks of this page did."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.started = 0
        self.refused = 0
        self.done: list[int] = []
        self.go = asyncio.Event()


async def _wait(effects: Effects, *, n: int) -> None:
    """Do an effect when told, even if it was cancelled meanwhile: the guard alone may stop it."""
    effects.started += 1
    try:
        await effects.go.wait()
    except asyncio.CancelledError:
        await effects.go.wait()
    try:
        effects.queue.guard()
    except LeaseLost:
        effects.refused += 1
        raise
    effects.done.append(n)


WAIT = make_task(_wait)


@pytest.mark.alone
@pytest.mark.gen_test
async def test_starts_no_effect_while_the_lease_is_not_sure(queue: Queue) -> None:
    effects = Effects(queue)
    brief = Timing(lease_seconds=3.2, margin_seconds=3, beat_seconds=3600)
    async with run_worker(queue, WAIT, context=effects, timing=brief) as worker:
        await queue.enqueue(make_job(WAIT, "1", n=1))
        await wait_until(lambda: effects.started == 1)
        await wait_until(lambda: not worker.shards[0].membership.holds)
        effects.go.set()
        await wait_until(lambda: effects.refused == 1)
        seen = await queue.reads.find_job("1")
        assert seen is not None
        assert (effects.done, seen.header.get("attempts", 0)) == ([], 0)


async def _forget_consumer(url: str, consumer: str) -> None:
    async with redis.asyncio.from_url(url) as client:
        await client.zadd("{q0}:consumers", {consumer: 1})  # its lease ended long ago: the next upkeep reaps it


@pytest.mark.gen_test
async def test_starts_no_effect_after_the_lease_was_lost(queue: Queue, flushed_redis_url: str) -> None:
    effects = Effects(queue)
    async with run_worker(queue, WAIT, context=effects, timing=NEVER_BEATS) as worker:
        await queue.enqueue(make_job(WAIT, "1", chat="9", n=1))
        await wait_until(lambda: effects.started == 1)
        await _forget_consumer(flushed_redis_url, worker.shards[0].membership.consumer)
        await wait_until(lambda: effects.started == 2)  # reaped, joined again under the same name, claimed again
        effects.go.set()
        await wait_until(lambda: effects.refused == 1 and effects.done == [1])


@pytest.mark.gen_test
async def test_notices_a_lost_lease_by_its_beat(queue: Queue, flushed_redis_url: str) -> None:
    effects = Effects(queue)
    async with run_worker(queue, WAIT, context=effects, timing=Timing(beat_seconds=0.02)) as worker:
        await wait_until(worker.is_working)
        first = worker.shards[0].membership.lease
        async with redis.asyncio.from_url(flushed_redis_url) as client:
            await client.zrem("{q0}:consumers", worker.shards[0].membership.consumer)
        await wait_until(lambda: worker.shards[0].membership.lease is not first)
        await wait_until(worker.is_working)
        worker.shards[0].membership.lose(first)  # news of the old one that comes late
        assert worker.is_working()


@pytest.mark.gen_test
async def test_notices_a_lost_lease_when_redis_is_back(flushed_redis_url: str) -> None:
    """With every slot taken no claim tells of it."""
    async with open_queue(flushed_redis_url, slots={"tasks": 1}) as queue:
        effects = Effects(queue)
        async with run_worker(queue, WAIT, context=effects, timing=NEVER_BEATS) as worker:
            await queue.enqueue(make_job(WAIT, "1", chat="9", n=1))
            await wait_until(lambda: effects.started == 1)
            first = worker.shards[0].membership.lease
            async with redis.asyncio.from_url(flushed_redis_url) as client, client.pipeline() as outage:
                outage.zrem("{q0}:consumers", worker.consumer)
                outage.client_kill_filter(_type="normal", skipme=True)
                await outage.execute()
            await wait_until(lambda: worker.shards[0].membership.lease is not first, 30)
            effects.go.set()
            await wait_until(lambda: effects.done == [1], 30)
        assert (effects.started, effects.refused) == (2, 1)


@pytest.mark.gen_test
async def test_ends_when_a_later_process_took_its_slot(queue: Queue, flushed_redis_url: str) -> None:
    worker = Worker(queue, Effects(queue), tasks={})
    working = worker.start()
    await wait_until(worker.is_working)
    async with open_queue(flushed_redis_url) as later, run_worker(later) as successor:
        await wait_until(successor.is_working)
        with pytest.raises(ExceptionGroup) as raised:
            await working
        assert raised.group_contains(Replaced)
        assert successor.is_working()
    await worker.drain(1)


@pytest.mark.gen_test
async def test_gives_back_after_an_interruption_what_it_does_not_run(queue: Queue, flushed_redis_url: str) -> None:
    other = make_task(_wait, queue="elsewhere")  # this worker has no slots for it
    async with run_worker(queue, other, context=Effects(queue)) as worker:
        await wait_until(worker.is_working)
        await queue.enqueue(make_job(other, "1", n=1))
        await _claim_behind_its_back(flushed_redis_url, worker.shards[0].membership.consumer)
        async with redis.asyncio.from_url(flushed_redis_url) as client:
            await client.client_kill_filter(_type="normal", skipme=True)
        await wait_until(lambda: _is_pending(queue, "1"))


async def _claim_behind_its_back(url: str, consumer: str) -> None:
    """Claim under the worker's name, as a call of its own that came late over a connection given up since."""
    store = Store(url)
    await connect(store)
    await store.run([Claim(consumer, 1_000_000, {"elsewhere": 1})])
    await store.close()


async def _is_pending(queue: Queue, id: str) -> bool:  # noqa: A002
    seen = await queue.reads.find_job(id)
    return seen is not None and seen.state is State.PENDING


@pytest.mark.gen_test
async def test_leaves_nothing_behind_when_it_drains_while_it_joins(queue: Queue) -> None:
    worker = Worker(queue, None)
    working = worker.start()
    await asyncio.sleep(0)  # it has asked for its lease and has no answer yet
    await worker.drain()
    await working
    assert await Inspector(queue).consumers() == []
    assert not any(thread.name == "queue-heartbeat" for thread in threading.enumerate())
