"""What the Inspector's reads see of a shard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis.asyncio
import tornado.ioloop

from grimbots.queue.connections import RedisAway
from grimbots.queue.job import Ack, BuryNew, Claim, Claimed, ClaimReply, Enqueue, Hold, Job, Register, Retry
from grimbots.queue.reads import Reads
from grimbots.queue.sightings import Counts, State, Waits
from grimbots.queue.store import Store
from grimbots.tests.queue.desks import connect

CONSUMER = "host:0:1"


@pytest.fixture
def store(io_loop: tornado.ioloop.IOLoop, flushed_redis_url: str) -> Iterator[Store]:
    """Give a connected store with a registered consumer."""

    async def make() -> Store:
        made = Store(flushed_redis_url)
        await connect(made)
        await made.run([Register(CONSUMER)])
        return made

    made = io_loop.run_sync(make)
    yield made
    io_loop.run_sync(made.close)


@pytest.fixture
def reads(io_loop: tornado.ioloop.IOLoop, flushed_redis_url: str) -> Iterator[Reads]:
    """Give reads on the same shard."""
    made = Reads(flushed_redis_url)
    yield made
    io_loop.run_sync(made.close)


def make_job(job_id: str, group: str = "", queue: str = "tasks") -> Job:
    return Job(job_id, "a.b", queue, "b1", "1", group, {"n": 1})


async def put(store: Store, *jobs: Job) -> None:
    await store.run([], [Enqueue(job, 1000) for job in jobs])


async def claim(store: Store, slots: int) -> list[Claimed]:
    (reply,) = (await store.run([Claim(CONSUMER, 1, {"tasks": slots})])).drain
    assert isinstance(reply, ClaimReply)
    return list(reply.claimed)


@pytest.mark.gen_test
async def test_count_jobs(store: Store, reads: Reads) -> None:
    await put(store, make_job("1"), make_job("2"), make_job("3", queue="gateway"))
    first, second = await claim(store, 2)
    ends: list[Any] = [Ack(CONSUMER, "1", first.fence), Retry(CONSUMER, "2", second.fence, 0, "no", bury=True)]
    await store.run(ends)
    assert await reads.count_jobs() == {"tasks": Counts(2, 2, 1), "gateway": Counts(1, 0, 0)}


@pytest.mark.gen_test
async def test_list_consumers_with_what_they_run(store: Store, reads: Reads) -> None:
    await put(store, make_job("1", "55"))
    (claimed,) = await claim(store, 5)
    (consumer,) = await reads.list_consumers()
    (flight,) = consumer.flights
    assert (consumer.name, 9_000 < consumer.lease_ms <= 10_000) == (CONSUMER, True)
    assert (flight.id, flight.fence, flight.group, flight.account) == ("1", claimed.fence, "55", "1")


@pytest.mark.gen_test
async def test_list_waiting_next_first(store: Store, reads: Reads) -> None:
    await put(store, make_job("1", "55"), make_job("2"))
    claimed = await claim(store, 5)
    retries = [Retry(CONSUMER, one.job.id, one.fence, 5_000 + place, "no") for place, one in enumerate(claimed)]
    await store.run([*retries, Hold("source", "b7", 1_000)])
    waiting = await reads.list_waiting()
    assert await reads.count_waiting() == 3
    assert [(one.kind, one.name) for one in waiting] == [
        (Waits.SOURCE_HOLD, "b7"),
        (Waits.GROUP, "b1|55"),
        (Waits.JOB, "2"),
    ]


@pytest.mark.gen_test
async def test_list_dead_page_by_page(store: Store, reads: Reads) -> None:
    for number in range(3):
        await store.run([], [BuryNew(make_job(str(number)), "chat_full")])
    page = await reads.list_dead(limit=2)
    rest = await reads.list_dead(after=page[-1].job.id)
    assert (await reads.count_dead(), [one.job.id for one in page + rest]) == (3, ["2", "1", "0"])
    assert page[0].reason == "chat_full"


@pytest.mark.gen_test
async def test_list_dead_passes_over_what_was_put_back_meanwhile(
    store: Store, reads: Reads, flushed_redis_url: str
) -> None:
    """Ids and jobs are read one after the other: in between a job may wait again, and be done."""
    await store.run([], [BuryNew(make_job("dead"), "junk")])
    await put(store, make_job("done"), make_job("waits"))
    (claimed,) = await claim(store, 1)
    await store.run([Ack(CONSUMER, "done", claimed.fence)])
    async with redis.asyncio.from_url(flushed_redis_url) as client:
        await client.zadd("{q0}:dead", {"done": 1, "waits": 2, "gone": 3})
    assert [one.job.id for one in await reads.list_dead()] == ["dead"]


@pytest.mark.gen_test
async def test_find_oldest_age(store: Store, reads: Reads) -> None:
    assert await reads.find_oldest_ms("tasks") is None
    await put(store, make_job("1", "55"), make_job("2"))
    age_ms = await reads.find_oldest_ms("tasks")
    assert age_ms is not None
    assert 0 <= age_ms < 5_000


@pytest.mark.gen_test
async def test_find_job_in_every_state(store: Store, reads: Reads) -> None:
    await put(store, *(make_job(str(number)) for number in range(4)))
    first, second, _ = await claim(store, 3)
    await store.run([Ack(CONSUMER, "0", first.fence), Retry(CONSUMER, "1", second.fence, 9_000, "no")])
    await store.run([], [BuryNew(make_job("dead"), "junk")])
    states = [sighting.state for job_id in ("0", "1", "2", "3", "dead") if (sighting := await reads.find_job(job_id))]
    assert states == [State.DONE, State.WAITING, State.RUNNING, State.PENDING, State.DEAD]
    assert await reads.find_job("unknown") is None


@pytest.mark.gen_test
async def test_look_without_redis() -> None:
    reads = Reads("unix:///nowhere/redis.sock")
    with pytest.raises(RedisAway):
        await reads.count_dead()
    await reads.close()
