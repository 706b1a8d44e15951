"""The read model's places: what runs, is ready, comes due and is stopped; the jobs of a chat and of a queue's head."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from grimbots.queue.dispatcher import Queue
from grimbots.queue.inspector import PEEK_LIMIT, Inspector
from grimbots.queue.operators import Operator
from grimbots.queue.overviews import Due, Load, Ready
from grimbots.queue.sightings import State, Stop, Waits
from grimbots.queue.task import Again
from grimbots.tests.queue.desks import make_job, make_task, run_worker, wait_until


async def _wait(context: asyncio.Event, **payload: Any) -> None:
    await context.wait()


async def _later(context: Any, seconds: float) -> None:
    raise Again(seconds, "not yet", spend=False)


WAIT, LATER = make_task(_wait), make_task(_later, "test.later")


async def _runs(inspector: Inspector, jobs: int) -> bool:
    return sum(load.jobs for load in await inspector.running()) == jobs


@pytest.mark.gen_test
async def test_counts_what_runs_by_source(queue: Queue) -> None:
    inspector, go = Inspector(queue), asyncio.Event()
    for job_id, source in (("1", "b1"), ("2", "b2"), ("3", "b2")):
        await queue.enqueue(make_job(WAIT, job_id, source=source))
    async with run_worker(queue, WAIT, context=go):
        await wait_until(lambda: _runs(inspector, 3))
        assert await inspector.running() == [Load("tasks", "1", "b2", 2), Load("tasks", "1", "b1", 1)]
        go.set()


@pytest.mark.gen_test
async def test_counts_what_is_ready_by_source(queue: Queue) -> None:
    for job_id, chat, source in (("1", "7", "b1"), ("2", "7", "b1"), ("3", "", "b2"), ("4", "8", "b2")):
        await queue.enqueue(make_job(WAIT, job_id, chat, source))
    assert await Inspector(queue).ready() == [Ready("tasks", "b2", 2), Ready("tasks", "b1", 1)]


@pytest.mark.gen_test
async def test_head_is_the_order_in_which_a_worker_starts(queue: Queue) -> None:
    started: list[str] = []

    async def note(context: Any, place: str) -> None:
        started.append(place)

    task = make_task(note)
    for job_id, chat, source in (
        ("1", "7", "b1"),
        ("2", "7", "b1"),
        ("3", "", "b1"),
        ("4", "8", "b2"),
        ("5", "", "b1"),
    ):
        await queue.enqueue(make_job(task, job_id, chat, source, place=job_id))
    head = await Inspector(queue).head("tasks")
    assert [(one.id, one.state) for one in head] == [(job_id, State.PENDING) for job_id in "1435"]
    assert [one.id for one in await Inspector(queue).head("tasks", 2)] == ["1", "4"]
    async with run_worker(queue, task):
        await wait_until(lambda: len(started) == 5)
    assert [place for place in started if place != "2"] == list("1435")


@pytest.mark.gen_test
async def test_head_is_bounded(queue: Queue) -> None:
    await asyncio.gather(*(queue.enqueue(make_job(WAIT, f"{n:03}")) for n in range(PEEK_LIMIT + 5)))
    assert [one.id for one in await Inspector(queue).head("tasks", 1000)] == [f"{n:03}" for n in range(PEEK_LIMIT)]
    assert await Inspector(queue).head("gateway") == []


@pytest.mark.gen_test
async def test_chat_in_order_with_its_running_head(queue: Queue) -> None:
    inspector, go = Inspector(queue), asyncio.Event()
    for n in range(4):
        await queue.enqueue(make_job(WAIT, f"{n}", "7"))
    async with run_worker(queue, WAIT, context=go):
        await wait_until(lambda: _runs(inspector, 1))
        chat = await inspector.chat("b1", "7", 3)
        assert [(one.id, one.state) for one in chat] == [
            ("0", State.RUNNING),
            ("1", State.PENDING),
            ("2", State.PENDING),
        ]
        assert chat[0].header["task"] == "test.run"
        go.set()
    assert await inspector.chat("b1", "nobody") == []


@pytest.mark.gen_test
async def test_chat_that_waits_for_its_head(queue: Queue) -> None:
    for n in range(2):
        await queue.enqueue(make_job(LATER, f"{n}", "7", seconds=30))
    async with run_worker(queue, LATER):
        await wait_until(lambda: _counts_due(queue, 1))
        states = [one.state for one in await Inspector(queue).chat("b1", "7")]
        seen = await Inspector(queue).job("1")
    assert states == [State.WAITING, State.PENDING]
    assert seen is not None
    assert [(one.kind, one.name) for one in seen.waits] == [(Waits.GROUP, "b1|7")]
    assert seen.ahead == 1


async def _counts_due(queue: Queue, entries: int) -> bool:
    return await queue.reads.count_waiting() == entries


@pytest.mark.gen_test
async def test_job_says_who_runs_it(queue: Queue) -> None:
    inspector, go = Inspector(queue), asyncio.Event()
    await queue.enqueue(make_job(WAIT, "1", "7"))
    async with run_worker(queue, WAIT, context=go):
        await wait_until(lambda: _runs(inspector, 1))
        seen = await inspector.job("1")
        go.set()
    assert seen is not None
    assert seen.flight is not None
    assert (seen.state, seen.flight.id, seen.consumer.startswith("test:0:")) == (State.RUNNING, "1", True)


@pytest.mark.gen_test
async def test_job_says_what_holds_it(queue: Queue) -> None:
    await queue.enqueue(make_job(WAIT, "1"))
    await queue.hold_source("b1", 30)
    seen = await Inspector(queue).job("1")
    assert seen is not None
    (hold,) = seen.waits
    assert (hold.kind, hold.name, 29_000 < (hold.in_ms or 0) <= 30_000) == (Waits.SOURCE_HOLD, "b1", True)
    assert (seen.state, seen.ahead) == (State.PENDING, 0)


@pytest.mark.gen_test
async def test_due_by_time_and_kind(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, (chat, seconds) in enumerate([("", 0.9), ("7", 9), ("8", 9), ("", 50), ("", 500)]):
        await queue.enqueue(make_job(LATER, f"{place}", chat, seconds=seconds))
    await queue.hold_source("b9", 5)
    async with run_worker(queue, LATER):
        await wait_until(lambda: _counts_due(queue, 6))
    assert await Inspector(queue).due() == [
        Due("1 s", jobs=1),
        Due("10 s", chats=2, holds=1),
        Due("60 s", jobs=1),
        Due("later", jobs=1),
    ]
    monkeypatch.setattr("grimbots.queue.inspector.LOOK_LIMIT", 2)
    assert (await Inspector(queue).due())[-1] == Due("unseen", unseen=4)


@pytest.mark.gen_test
async def test_what_a_pause_parked_waits_for_a_resume(queue: Queue) -> None:
    await Operator(queue).pause("source", "b1")
    async with run_worker(queue, WAIT, context=asyncio.Event()):
        await queue.enqueue(make_job(WAIT, "1"))
        await wait_until(lambda: _counts_due(queue, 1))
    assert await Inspector(queue).due() == [Due("resume", sources=1)]
    seen = await Inspector(queue).job("1")
    assert seen is not None
    assert [(one.kind, one.in_ms) for one in seen.waits] == [(Waits.SOURCE, None)]


@pytest.mark.gen_test
async def test_queue_says_that_it_is_paused_and_drains(queue: Queue) -> None:
    await Operator(queue).pause("queue", "tasks")
    await Operator(queue).drain("queue", "elsewhere")
    await Operator(queue).pause("account", "gateway")  # an account of a queue's name is no queue
    depths = {depth.queue: (depth.paused, depth.draining) for depth in await Inspector(queue).queues()}
    assert (depths["tasks"], depths["elsewhere"], depths["gateway"]) == ((True, False), (False, True), (False, False))
    assert await Inspector(queue).stops() == [
        Stop("account", "gateway", paused=True, closed=False),
        Stop("queue", "elsewhere", paused=False, closed=True),
        Stop("queue", "tasks", paused=True, closed=False),
    ]


@pytest.mark.gen_test
async def test_rates_from_the_second_look_on(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("grimbots.queue.inspector.monotonic", lambda: now)
    await queue.enqueue(make_job(WAIT, "0"))
    assert (await _tasks(queue)).over_seconds is None
    for n in range(4):
        await queue.enqueue(make_job(WAIT, f"{n}"))
    now = 102.0
    tasks = await _tasks(queue)
    assert (tasks.enqueued_per_second, tasks.settled_per_second, tasks.over_seconds) == (1.5, 0, 2)
    assert (tasks.enqueued, tasks.settled) == (4, 0)


async def _tasks(queue: Queue) -> Any:
    return next(depth for depth in await Inspector(queue).queues() if depth.queue == "tasks")
