"""The worker on a real Redis: what runs, in which order, in whose slots."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import redis.asyncio

from grimbots.queue.dispatcher import Queue
from grimbots.queue.job import Claim, Register
from grimbots.queue.operators import Operator
from grimbots.queue.store import Store
from grimbots.queue.task import Done
from grimbots.queue.worker import Worker
from grimbots.tests.queue.desks import connect, make_job, make_task, open_queue, run_worker, wait_until
from grimbots.tests.queue.notes import Notes, is_settled, note_run, wait_for_go


@pytest.mark.gen_test
async def test_leaves_slots_for_others_when_one_account_has_its_share(queue: Queue, notes: Notes) -> None:
    task = make_task(wait_for_go)
    queue.account_share = 0.75
    async with run_worker(queue, task, context=notes):
        await asyncio.gather(*(queue.enqueue(make_job(task, f"{n}", n=n)) for n in range(60)))
        await wait_until(lambda: notes.now == 37)
        await queue.enqueue(task.job(id="other", source="b2", account="2", n=99))
        await wait_until(lambda: 99 in notes.ran)
        assert notes.now == 38
        notes.go.set()
        await wait_until(lambda: len(notes.ran) == 61)


@pytest.mark.gen_test
async def test_runs_the_jobs_of_a_chat_in_order_one_at_a_time(queue: Queue, notes: Notes) -> None:
    async def pace(context: Notes, *, n: int) -> None:
        context.now += 1
        context.most = max(context.most, context.now)
        await asyncio.sleep(0)
        context.ran.append(n)
        context.now -= 1

    task = make_task(pace)
    async with run_worker(queue, task, context=notes):
        await asyncio.gather(*(queue.enqueue(make_job(task, f"{n}", chat="9", n=n)) for n in range(40)))
        await wait_until(lambda: len(notes.ran) == 40)
    assert notes.ran == list(range(40))
    assert notes.most == 1


@pytest.mark.gen_test
async def test_runs_no_more_than_its_slots(flushed_redis_url: str, notes: Notes) -> None:
    task = make_task(wait_for_go)
    async with open_queue(flushed_redis_url, slots={"tasks": 3}) as queue:
        for n in range(5):
            await queue.enqueue(make_job(task, f"{n}", n=n))
        async with run_worker(queue, task, context=notes):
            await wait_until(lambda: notes.now == 3)
            notes.go.set()
            await wait_until(lambda: len(notes.ran) == 5)
    assert notes.most == 3


@pytest.mark.gen_test
async def test_keeps_the_slots_of_a_queue_for_itself(flushed_redis_url: str, notes: Notes) -> None:
    bulk, webhook = (
        make_task(wait_for_go, "test.bulk", queue="campaigns"),
        make_task(note_run, "test.webhook", queue="webhook"),
    )
    async with (
        open_queue(flushed_redis_url, slots={"campaigns": 2, "webhook": 1}) as queue,
        run_worker(queue, bulk, webhook, context=notes),
    ):
        for n in range(4):
            await queue.enqueue(make_job(bulk, f"bulk{n}", n=n))
        await wait_until(lambda: notes.now == 2)
        await queue.enqueue(make_job(webhook, "webhook", n=99))
        await wait_until(lambda: 99 in notes.ran)
        notes.go.set()


@pytest.mark.gen_test
async def test_runs_the_follow_ups_before_the_next_of_the_chat(queue: Queue, notes: Notes) -> None:
    note = make_task(note_run, "test.note")

    async def lead(context: Notes, *, n: int) -> Done:
        context.ran.append(n)
        return Done([make_job(note, f"lead#{i}", chat="9", n=n + 1 + i) for i in range(2)])

    task = make_task(lead, "test.lead")
    await queue.enqueue(make_job(task, "lead", chat="9", n=10))
    await queue.enqueue(make_job(note, "next", chat="9", n=20))
    async with run_worker(queue, task, note, context=notes):
        await wait_until(lambda: len(notes.ran) == 4)
    assert notes.ran == [10, 11, 12, 20]


@pytest.mark.gen_test
async def test_rests_a_chat_that_is_paced(queue: Queue, notes: Notes) -> None:
    started: list[float] = []

    async def pace(context: Notes) -> Done:
        started.append(time.monotonic())
        return Done(pause_ms=200)

    task = make_task(pace)
    for n in range(2):
        await queue.enqueue(make_job(task, f"{n}", chat="9"))
    async with run_worker(queue, task):
        await wait_until(lambda: len(started) == 2)
    assert started[1] - started[0] >= 0.19


@pytest.mark.gen_test
async def test_runs_suspects_one_at_a_time(queue: Queue, flushed_redis_url: str, notes: Notes) -> None:
    task = make_task(wait_for_go)
    for n in range(3):
        await queue.enqueue(make_job(task, f"{n}", n=n))
    for slot in (7, 8):
        await _crash(flushed_redis_url, slot)
    async with run_worker(queue, task, context=notes):
        await wait_until(lambda: notes.now == 1)
        await asyncio.sleep(0.3)  # long enough for a second to have been offered
        assert notes.now == 1
        notes.go.set()
        await wait_until(lambda: is_settled(queue, 3))
    assert notes.most == 1


async def _crash(url: str, slot: int) -> None:
    """Claim everything as a process that dies, and have it reaped as its successor would."""
    store = Store(url)
    await connect(store)
    await store.run([Register(f"crash:{slot}:1"), Claim(f"crash:{slot}:1", 1, {"tasks": 10}, free_suspects=10)])
    await store.run([Register(f"crash:{slot}:2")])
    await store.close()


@pytest.mark.gen_test
async def test_claims_when_it_joins_without_waiting_for_a_token(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait_for_ever(self: Store, claim: Claim, timeout_seconds: float) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Store, "wait_and_claim", wait_for_ever)
    worker = Worker(queue, None, tasks={})
    working = worker.start()
    await worker.wait_claimed()
    await worker.drain(1)
    await working


@pytest.mark.gen_test
async def test_passes_over_many_paused_sources_without_falling_idle(
    queue: Queue, flushed_redis_url: str, notes: Notes
) -> None:
    """A claim looks at 64 sources of a queue; the next one follows at once."""
    task = make_task(note_run)
    await Operator(queue).pause("account", "1")
    await asyncio.gather(*(queue.enqueue(make_job(task, f"{n}", source=f"b{n}", n=n)) for n in range(600)))
    await queue.enqueue(task.job(id="last", source="other", account="2", n=-1))
    waits = await _count_waits(flushed_redis_url)
    async with run_worker(queue, task, context=notes):
        await wait_until(lambda: notes.ran == [-1])
        assert await _count_waits(flushed_redis_url) - waits <= 3


async def _count_waits(url: str) -> int:
    async with redis.asyncio.from_url(url, protocol=3) as client:
        stats: Any = await client.info("commandstats")
    return int(stats.get("cmdstat_brpop", {}).get("calls", 0))
