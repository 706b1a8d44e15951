"""Several shards on one server: accounts spread, one set of slots, one view, and a number that cannot change unseen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from grimbots.queue.dispatcher import OtherShards, Queue
from grimbots.queue.inspector import Inspector
from grimbots.queue.job import Accepted, Close, Job, Pause
from grimbots.queue.operators import Operator
from grimbots.queue.sightings import Stop
from grimbots.tests.queue.desks import make_task, open_queue, run_worker, wait_until
from grimbots.tests.queue.servers import run_server

ACCOUNTS = range(12)


async def _note(context: list[int], *, n: int) -> None:
    context.append(n)
    await asyncio.sleep(0.001)


NOTE = make_task(_note)


def make_job(n: int) -> Job:
    account = n % len(ACCOUNTS)
    return NOTE.job(id=f"{n}", source=f"b{account}", account=f"{account}", group="55", n=n)


async def _enqueue(queue: Queue, jobs: int) -> None:
    for n in range(jobs):
        assert await queue.enqueue(make_job(n)) is Accepted.ACCEPTED


@pytest.mark.gen_test
async def test_works_on_every_shard(flushed_redis_url: str) -> None:
    ran: list[int] = []
    async with open_queue(f"{flushed_redis_url}&shards=3", slots={"tasks": 4}) as queue:
        await _enqueue(queue, 120)
        assert all([(await shard.count_jobs())["tasks"].enqueued > 0 for shard in queue.reads.shards])
        (tasks,) = await Inspector(queue).queues()
        assert tasks.pending == 120
        async with run_worker(queue, NOTE, context=ran) as worker:
            await wait_until(lambda: len(ran) == 120)
            await wait_until(worker.is_working)
            (consumer,) = await Inspector(queue).consumers()
            assert consumer.name == worker.consumer
    for account in ACCOUNTS:
        assert [n for n in ran if n % len(ACCOUNTS) == account] == list(range(account, 120, len(ACCOUNTS)))


@pytest.mark.gen_test
async def test_looks_see_every_shard(flushed_redis_url: str) -> None:
    async with open_queue(f"{flushed_redis_url}&shards=3", slots={"tasks": 4}) as queue:
        inspector = Inspector(queue)
        await _enqueue(queue, 24)
        await Operator(queue).pause("source", "b0")
        assert {(one.source, one.entries) for one in await inspector.ready()} == {(f"b{n}", 1) for n in ACCOUNTS}
        assert {one.id for one in await inspector.head("tasks")} == {f"{n}" for n in ACCOUNTS}
        assert len(await inspector.head("tasks", 5)) == 5
        for n in ACCOUNTS:
            assert [one.id for one in await inspector.chat(f"b{n}", "55")] == [f"{n}", f"{n + len(ACCOUNTS)}"]
            seen = await inspector.job(f"{n + len(ACCOUNTS)}")
            assert seen is not None
            assert seen.ahead == 1
        assert await inspector.chat("b0", "nobody") == []
        assert [(stop.kind, stop.name) for stop in await inspector.stops()] == [("source", "b0")]


@pytest.mark.gen_test
async def test_shows_what_is_stopped_on_one_shard_only(flushed_redis_url: str) -> None:
    """Redis went away while an operator stopped it."""
    async with open_queue(f"{flushed_redis_url}&shards=3") as queue:
        await queue.lines[0].send(Pause("queue", "tasks"))
        await queue.lines[2].send(Close("queue", "tasks"))
        assert await Inspector(queue).stops() == [Stop("queue", "tasks", paused=True, closed=True)]


@pytest.mark.gen_test
async def test_an_idle_worker_starts_what_any_shard_gets(flushed_redis_url: str) -> None:
    ran: list[int] = []
    url = f"{flushed_redis_url}&shards=3"
    async with (
        open_queue(url) as queue,
        run_worker(queue, NOTE, context=ran) as worker,
        open_queue(url, slot=1) as other,
    ):
        await wait_until(worker.is_working)
        for n in ACCOUNTS:
            await other.enqueue(make_job(n))
            await wait_until(lambda: ran[-1:] == [n], 0.8)  # noqa: B023


@pytest.mark.gen_test
async def test_a_saturated_shard_lets_the_others_work(flushed_redis_url: str) -> None:
    ran: list[int] = []
    async with open_queue(f"{flushed_redis_url}&shards=3", slots={"tasks": 2}) as queue:
        for n in range(0, 12 * 400, 12):  # all of account 0
            await queue.enqueue(make_job(n))
        async with run_worker(queue, NOTE, context=ran):
            await wait_until(lambda: len(ran) > 5)
            for account in ACCOUNTS[1:]:
                await queue.enqueue(make_job(account))
            await wait_until(lambda: {n for n in ran if 0 < n < 12} == set(ACCOUNTS[1:]))
            assert len(ran) < 400


@pytest.mark.gen_test
async def test_pages_through_the_dead_of_all_shards(flushed_redis_url: str) -> None:
    async with open_queue(f"{flushed_redis_url}&shards=3") as queue:
        await asyncio.gather(*(queue.bury(make_job(n), "unreadable") for n in range(60)))  # many in one millisecond
        inspector, operator = Inspector(queue), Operator(queue)
        seen: list[str] = []
        while page := await inspector.dead(after=seen[-1] if seen else "", limit=7):
            seen += [dead.job.id for dead in page]
        assert sorted(map(int, seen)) == list(range(60))
        assert [await operator.requeue("5"), await operator.requeue("nobody")] == ["OK", "GONE"]
        assert [await operator.discard("6"), await operator.discard("5")] == ["OK", "PENDING"]
        assert await queue.reads.count_dead() == 58


@pytest.mark.parametrize(("first", "then"), [(1, 3), (3, 1), (2, 3)])
@pytest.mark.gen_test
async def test_refuses_data_of_another_number(
    flushed_redis_url: str, expect_errors: list[str], first: int, then: int
) -> None:
    async with open_queue(f"{flushed_redis_url}&shards={first}"):
        pass
    with pytest.raises(OtherShards, match=f"shards={first} and REDIS_URL says {then}: start with the old number"):
        async with open_queue(f"{flushed_redis_url}&shards={then}"):
            pass
    assert "line broke" in expect_errors[0]


@pytest.mark.gen_test
async def test_takes_data_from_before_the_number_was_kept_for_one_shard(
    tmp_path: Path, expect_errors: list[str]
) -> None:
    async with run_server(tmp_path) as server:
        await server.ask("SET", "{q0}:version", 1)
        async with open_queue(server.url):
            pass
        with pytest.raises(OtherShards):
            async with open_queue(f"{server.url}&shards=2"):
                pass
    assert expect_errors
