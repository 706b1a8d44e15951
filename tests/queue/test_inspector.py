"""The read model: what a person, /health and the metrics see of the queue."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.inspector import Inspector, QueueDepth
from grimbots.queue.sightings import State
from grimbots.tests.queue.desks import SLOTS, make_job, make_task, open_queue, run_worker, wait_until
from grimbots.tests.queue.servers import RedisServer


async def _wait(context: asyncio.Event, **payload: Any) -> None:
    await context.wait()


WAIT = make_task(_wait)


async def _depth(inspector: Inspector, name: str = "tasks") -> QueueDepth:
    return {depth.queue: depth for depth in await inspector.queues()}[name]


@pytest.mark.gen_test
async def test_shows_every_served_queue_when_nothing_ever_happened(queue: Queue) -> None:
    depths = await Inspector(queue).queues()
    assert depths == [QueueDepth(name, 0, 0, 0, 0.0) for name in sorted(SLOTS)]


@pytest.mark.gen_test
async def test_answers_all_who_look_at_once(queue: Queue) -> None:
    looks = await asyncio.gather(*(Inspector(queue).queues() for _ in range(20)))
    assert [len(depths) for depths in looks] == [len(SLOTS)] * 20


@pytest.mark.gen_test
async def test_counts_waiting_running_and_dead(queue: Queue) -> None:
    inspector, go = Inspector(queue), asyncio.Event()
    for n in range(3):
        await queue.enqueue(make_job(WAIT, f"{n}", chat="9"))
    await queue.bury(make_job(WAIT, "junk"), "unreadable")
    async with run_worker(queue, WAIT, context=go) as worker:
        await wait_until(worker.is_working)
        await wait_until(lambda: _runs(inspector, 1))
        depth = await _depth(inspector)
        (consumer,) = await inspector.consumers()
        go.set()
        await wait_until(lambda: _runs(inspector, 0))
    assert (depth.pending, depth.in_flight, depth.dead) == (2, 1, 1)
    assert (consumer.in_flight, consumer.name.startswith("test:0:")) == (1, True)
    assert 7 < consumer.lease_seconds <= 10


async def _runs(inspector: Inspector, jobs: int) -> bool:
    return (await _depth(inspector)).in_flight == jobs


@pytest.mark.gen_test
async def test_tells_the_age_of_the_oldest(queue: Queue) -> None:
    await queue.enqueue(make_job(WAIT, "1"))
    await asyncio.sleep(0.05)  # time itself is what is looked at
    assert 0.04 < (await _depth(Inspector(queue))).oldest_age_seconds < 2


@pytest.mark.gen_test
async def test_masks_the_texts_of_dead_jobs(queue: Queue) -> None:
    update = {"message": {"text": "my secret", "chat": {"id": 5}}, "tags": ["a", 1]}
    await queue.bury(make_job(WAIT, "1", update=update), "unreadable")
    (dead,) = await Inspector(queue).dead()
    assert dead.reason == "unreadable"
    assert dead.job.payload == {
        "update": {"message": {"text": "<9 characters>", "chat": {"id": 5}}, "tags": ["<1 characters>", 1]}
    }


@pytest.mark.gen_test
async def test_pages_through_the_dead(queue: Queue) -> None:
    inspector = Inspector(queue)
    for n in range(5):
        await queue.bury(make_job(WAIT, f"{n}"), "unreadable")
    first = await inspector.dead(limit=3)
    rest = await inspector.dead(after=first[-1].job.id, limit=3)
    assert sorted(dead.job.id for dead in [*first, *rest]) == list("01234")


@pytest.mark.gen_test
async def test_finds_a_job_with_its_texts_masked(queue: Queue) -> None:
    await queue.enqueue(make_job(WAIT, "1", name="Ana"))
    seen = await Inspector(queue).job("1")
    assert seen is not None
    assert seen.job is not None
    assert (seen.state, seen.job.payload) == (State.PENDING, {"name": "<3 characters>"})


@pytest.mark.gen_test
async def test_finds_nothing_of_an_unknown_job(queue: Queue) -> None:
    assert await Inspector(queue).job("nobody") is None


@pytest.mark.gen_test
async def test_lists_what_waits(queue: Queue) -> None:
    await queue.hold_source("b7", 30)
    (waiting,) = await Inspector(queue).waiting()
    assert (waiting.name, 29_000 < (waiting.in_ms or 0) <= 30_000) == ("b7", True)


@pytest.mark.gen_test
async def test_describes_the_server(queue: Queue) -> None:
    server = await Inspector(queue).redis()
    assert server["redis_version"]
    assert server["used_memory"] > 0


@pytest.mark.gen_test
async def test_shows_the_connections_it_keeps(queue: Queue) -> None:
    inspector = Inspector(queue)
    assert inspector.connections() == ["commands"]
    async with run_worker(queue):
        await wait_until(lambda: inspector.connections() == ["blocking", "commands"])
    await queue.lines[0].store.close()
    assert inspector.connections() == []


@pytest.mark.gen_test
async def test_claims_while_a_worker_works(queue: Queue) -> None:
    inspector = Inspector(queue)
    assert not inspector.claims()
    async with run_worker(queue):
        await wait_until(inspector.claims)
    assert not inspector.claims()


@pytest.mark.gen_test
async def test_claims_with_every_slot_taken(flushed_redis_url: str) -> None:
    go = asyncio.Event()
    async with open_queue(flushed_redis_url, slots={"tasks": 1}) as queue, run_worker(queue, WAIT, context=go):
        inspector = Inspector(queue)
        await queue.enqueue(make_job(WAIT, "1"))
        await wait_until(lambda: _runs(inspector, 1))
        assert inspector.claims()
        go.set()


@pytest.mark.gen_test
async def test_says_when_redis_is_away(tmp_path: Path) -> None:
    async with open_queue(RedisServer(tmp_path).url) as queue:
        with pytest.raises(QueueUnavailable):
            await Inspector(queue).queues()
