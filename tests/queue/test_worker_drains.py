"""The worker on a real Redis: how it ends."""

from __future__ import annotations

import asyncio

import pytest

from grimbots.queue.dispatcher import Queue
from grimbots.queue.job import Claim, Register
from grimbots.queue.sightings import State
from grimbots.queue.worker import Worker
from grimbots.tests.queue.desks import make_job, make_task, run_worker, wait_until
from grimbots.tests.queue.notes import Notes, find_state, is_settled, note_run, wait_for_go


@pytest.mark.gen_test
async def test_waits_in_a_drain_for_what_runs(queue: Queue, notes: Notes) -> None:
    task = make_task(wait_for_go)
    async with run_worker(queue, task, context=notes) as worker:
        await queue.enqueue(make_job(task, "1", n=1))
        await wait_until(lambda: notes.now == 1)
        draining = asyncio.create_task(worker.drain(10))
        await queue.enqueue(make_job(task, "2", n=2))
        notes.go.set()
        await draining
    assert notes.ran == [1]
    assert [await find_state(queue, id) for id in "12"] == [State.DONE, State.PENDING]  # noqa: A001


@pytest.mark.gen_test
async def test_gives_back_in_a_drain_what_does_not_end_and_spends_nothing(queue: Queue, notes: Notes) -> None:
    task = make_task(wait_for_go)
    for n in range(2):
        await queue.enqueue(make_job(task, f"{n}", chat="9", n=n))
    async with run_worker(queue, task, context=notes) as worker:
        await wait_until(lambda: notes.now == 1)
        await worker.drain(0.05)
    notes.go.set()
    async with run_worker(queue, task, context=notes):
        await wait_until(lambda: len(notes.ran) == 3)
        await wait_until(lambda: is_settled(queue, 2))
    assert notes.ran == [0, 0, 1]
    assert await queue.reads.list_consumers() == []


@pytest.mark.gen_test
async def test_gives_back_what_a_claim_brought_after_the_drain_began(queue: Queue, notes: Notes) -> None:
    task = make_task(note_run)
    worker = Worker(queue, notes, tasks={task.name: task})
    await queue.enqueue(make_job(task, "1", n=1))
    queue.lines[0].send(Register(worker.shards[0].membership.consumer))
    reply = await queue.lines[0].send(Claim(worker.shards[0].membership.consumer, 1, {"tasks": 1}))
    await worker.drain(1)
    worker.shards[0].take(reply)
    await wait_until(lambda: _is_pending(queue, "1"))
    assert notes.ran == []


async def _is_pending(queue: Queue, id: str) -> bool:  # noqa: A002
    return await find_state(queue, id) is State.PENDING


@pytest.mark.gen_test
async def test_drain_ends_the_task_that_start_gave(queue: Queue) -> None:
    worker = Worker(queue, None, tasks={})
    working = worker.start()
    await wait_until(worker.is_working)
    await worker.drain(1)
    await working
    assert not worker.is_working()
