"""Faults: scripts that stop in the middle, data that nobody may touch. What goes on, what ends, and what is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis.asyncio

from grimbots.queue.dispatcher import NewerProtocol, Queue, QueueUnavailable
from grimbots.queue.job import Accepted, Claim
from grimbots.queue.sightings import State
from grimbots.queue.store import Store
from grimbots.queue.worker import Worker
from grimbots.tests.queue.desks import connect, make_job, make_task, run_worker, wait_until

PATIENCE_SECONDS = 30


class Notes:
    """A context that remembers what ran, and lets it end when told."""

    def __init__(self) -> None:
        self.ran: list[int] = []
        self.go = asyncio.Event()


async def _wait(context: Notes, *, n: int) -> None:
    context.ran.append(n)
    await context.go.wait()


WAIT = make_task(_wait)


@asynccontextmanager
async def _broken(url: str, key: str) -> AsyncIterator[None]:
    """Put something of the wrong kind in a key's place: every script that uses it stops there."""
    async with redis.asyncio.from_url(url) as client:
        if was_there := await client.exists(key):
            await client.rename(key, "kept")
        await client.rpush(key, "not what it should be")
        yield
        await client.delete(key)
        if was_there:
            await client.rename("kept", key)


async def _is(queue: Queue, state: State) -> bool:
    seen = await queue.reads.find_job("1")
    return seen is not None and seen.state is state


@pytest.mark.gen_test
async def test_enqueues_again_after_a_fault_where_nobody_works(
    queue: Queue, flushed_redis_url: str, expect_errors: list[str]
) -> None:
    async with _broken(flushed_redis_url, "{q0}:counts"):
        with pytest.raises(QueueUnavailable, match="script failed"):
            await queue.enqueue(make_job(WAIT, "1", n=1))

    async def accepted() -> bool:
        try:
            return await queue.enqueue(make_job(WAIT, "2", n=2)) is Accepted.ACCEPTED
        except QueueUnavailable:  # the pause after a fault, on a slow machine
            return False

    await wait_until(accepted, PATIENCE_SECONDS)
    assert "a script of the queue failed" in expect_errors[0]


@pytest.mark.gen_test
async def test_runs_again_what_redis_did_not_hear_the_end_of(
    queue: Queue, flushed_redis_url: str, expect_errors: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    notes = Notes()
    await queue.enqueue(make_job(WAIT, "1", chat="9", n=1))
    async with run_worker(queue, WAIT, context=notes) as worker:
        await wait_until(lambda: notes.ran == [1], PATIENCE_SECONDS)
        async with _broken(flushed_redis_url, f"{{q0}}:flight:{worker.consumer}"):
            notes.go.set()
            await wait_until(lambda: "(test.run) ended, done, but Redis did not hear of it" in caplog.text)
            await wait_until(lambda: "could not check its lease" in caplog.text)
        await wait_until(lambda: _is(queue, State.DONE), PATIENCE_SECONDS)
    assert notes.ran == [1, 1]
    assert expect_errors


@pytest.mark.gen_test
async def test_keeps_up_after_an_upkeep_that_failed(
    queue: Queue, flushed_redis_url: str, expect_errors: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with run_worker(queue, WAIT, context=Notes()) as worker, redis.asyncio.from_url(flushed_redis_url) as client:
        await wait_until(worker.is_working, PATIENCE_SECONDS)
        await client.zadd("{q0}:consumers", {"dead:0:1": 1})
        async with _broken(flushed_redis_url, "{q0}:upkeep"):
            await wait_until(lambda: "upkeep was not done" in caplog.text)
        await wait_until(lambda: "took 0 jobs back from dead:0:1" in caplog.text)
    assert expect_errors


@pytest.mark.gen_test
async def test_ends_when_the_data_became_newer_than_the_program(
    queue: Queue, flushed_redis_url: str, expect_errors: list[str]
) -> None:
    async with _ending(queue) as raised, redis.asyncio.from_url(flushed_redis_url) as client:
        await client.set("{q0}:version", 99)
        await client.client_kill_filter(_type="normal", skipme=True)
    assert raised.group_contains(NewerProtocol, match="run the newer version")
    assert "the queue's line broke" in expect_errors[0]
    with pytest.raises(QueueUnavailable, match="line broke"):
        await queue.enqueue(make_job(WAIT, "1", n=1))


@pytest.mark.gen_test
async def test_ends_when_the_data_contradicts_itself(
    queue: Queue, flushed_redis_url: str, expect_errors: list[str]
) -> None:
    await queue.enqueue(make_job(make_task(_wait, queue="elsewhere"), "1", n=1))
    async with _ending(queue) as raised, redis.asyncio.from_url(flushed_redis_url) as client:
        (consumer,) = await queue.reads.list_consumers()
        await _claim(flushed_redis_url, consumer.name)
        await client.set("{q0}:job:1", '{"done":"1"}\n')
        await client.client_kill_filter(_type="normal", skipme=True)  # so that it asks what runs here
    assert raised.group_contains(ValueError, match="in flight and done at once")
    assert "the queue's line broke" in expect_errors[0]


@asynccontextmanager
async def _ending(queue: Queue) -> AsyncIterator[Any]:
    """Run a worker whose end the block brings about; gives what it raised."""
    worker = Worker(queue, Notes(), tasks={WAIT.name: WAIT})
    working = worker.start()
    await wait_until(worker.is_working, PATIENCE_SECONDS)
    with pytest.raises(ExceptionGroup) as raised:
        yield raised
        await asyncio.wait_for(working, PATIENCE_SECONDS)
    await worker.drain(0)


async def _claim(url: str, consumer: str) -> None:
    """Claim under a worker's name."""
    store = Store(url)
    await connect(store)
    await store.run([Claim(consumer, 1_000_000, {"elsewhere": 1})])
    await store.close()
