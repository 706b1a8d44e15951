"""The worker on a real Redis: what becomes of a job that fails, asks for more, or takes too long."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from grimbots.queue.dispatcher import Queue
from grimbots.queue.sightings import DeadJob, State
from grimbots.queue.task import Again, Bury, Done, LeaseLost
from grimbots.tests.queue.desks import make_job, make_task, run_worker, wait_until
from grimbots.tests.queue.notes import Notes, find_state, is_settled, note_run


async def _find_dead(queue: Queue) -> list[DeadJob]:
    await wait_until(lambda: _has_dead(queue))
    return await queue.reads.list_dead()


async def _has_dead(queue: Queue) -> bool:
    return await queue.reads.count_dead() > 0


@pytest.mark.alone
@pytest.mark.gen_test
async def test_repeats_when_a_task_asks_and_its_chat_waits(queue: Queue, notes: Notes) -> None:
    async def ask(context: Notes, *, n: int) -> None:
        context.ran.append(n)
        if context.ran.count(0) < 3:
            raise Again(0.02, "flood", spend=False)

    task = make_task(ask, attempts=1)
    for n in range(2):
        await queue.enqueue(make_job(task, f"{n}", chat="9", n=n))
    async with run_worker(queue, task, context=notes):
        began = time.monotonic()
        await wait_until(lambda: len(notes.ran) == 4)
        assert time.monotonic() - began < 0.8  # woken when it was due, not by the idle wait of a second
    assert notes.ran == [0, 0, 0, 1]


@pytest.mark.gen_test
async def test_repeats_a_failure_later_and_warns(queue: Queue, notes: Notes, caplog: pytest.LogCaptureFixture) -> None:
    async def fail_once(context: Notes, *, n: int) -> None:
        context.ran.append(n)
        if len(context.ran) == 1:
            raise ValueError("not for the log")

    task = make_task(fail_once)
    await queue.enqueue(make_job(task, "1", n=1))
    async with run_worker(queue, task, context=notes):
        await wait_until(lambda: len(notes.ran) == 2)
    assert "job 1 (test.run) failed and will be tried again: ValueError" in caplog.messages
    assert "not for the log" not in caplog.text


@pytest.mark.gen_test
async def test_buries_a_job_whose_attempts_are_spent_with_one_error(queue: Queue, expect_errors: list[str]) -> None:
    async def fail(context: Any) -> None:
        raise ValueError("broken")

    task = make_task(fail, attempts=1)
    await queue.enqueue(make_job(task, "1"))
    async with run_worker(queue, task):
        (dead,) = await _find_dead(queue)
        await wait_until(lambda: bool(expect_errors))
    assert (dead.reason, dead.error.splitlines()[0]) == ("attempts", "ValueError: broken")
    assert len(expect_errors) == 1
    assert "Traceback" in expect_errors[0]


@pytest.mark.gen_test
async def test_buries_when_a_task_asks_without_an_error(queue: Queue) -> None:
    async def refuse(context: Any) -> None:
        raise Bury("nobody can do this")

    task = make_task(refuse)
    await queue.enqueue(make_job(task, "1"))
    async with run_worker(queue, task):
        (dead,) = await _find_dead(queue)
    assert (dead.reason, dead.error) == ("buried", "nobody can do this")


@pytest.mark.gen_test
async def test_cancels_a_job_over_its_time(queue: Queue, expect_errors: list[str]) -> None:
    async def hang(context: Any) -> None:
        await asyncio.Event().wait()

    task = make_task(hang, timeout_seconds=0.05, attempts=1)
    await queue.enqueue(make_job(task, "1"))
    async with run_worker(queue, task):
        (dead,) = await _find_dead(queue)
    assert dead.error.startswith("TimedOut: ran longer than 0.05 s")


@pytest.mark.gen_test
async def test_keeps_what_a_job_over_its_time_still_returned(queue: Queue) -> None:
    async def finish_anyway(context: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    task = make_task(finish_anyway, timeout_seconds=0.05, attempts=1)
    await queue.enqueue(make_job(task, "1"))
    async with run_worker(queue, task):
        await wait_until(lambda: is_settled(queue, 1))
    assert await queue.reads.count_dead() == 0


@pytest.mark.gen_test
async def test_keeps_how_a_job_ended_that_is_stopped_in_the_same_moment(queue: Queue) -> None:
    async def refuse_as_the_lease_goes(context: Any) -> None:
        membership = worker.shards[0].membership
        asyncio.get_running_loop().call_soon(membership.lose, membership.lease)
        raise Bury("nobody can do this")

    task = make_task(refuse_as_the_lease_goes)
    await queue.enqueue(make_job(task, "1"))
    async with run_worker(queue, task) as worker:
        (dead,) = await _find_dead(queue)
    assert (dead.reason, dead.error) == ("buried", "nobody can do this")


@pytest.mark.gen_test
async def test_lets_no_effect_start_in_a_job_over_its_time(queue: Queue, notes: Notes) -> None:
    async def go_on_anyway(context: Notes) -> None:
        try:
            await context.go.wait()
        except asyncio.CancelledError:
            with pytest.raises(LeaseLost):
                queue.guard()
            context.ran.append(1)

    task = make_task(go_on_anyway, timeout_seconds=0.05)
    await queue.enqueue(make_job(task, "1"))
    async with run_worker(queue, task, context=notes):
        await wait_until(lambda: notes.ran == [1])


@pytest.mark.gen_test
async def test_keeps_a_job_of_a_task_it_does_not_know(queue: Queue, notes: Notes) -> None:
    unknown, known = make_task(note_run, "test.unknown"), make_task(note_run, "test.known")
    await queue.enqueue(make_job(unknown, "1", n=1))
    await queue.enqueue(make_job(known, "2", n=2))
    async with run_worker(queue, known, context=notes):
        await wait_until(lambda: is_settled(queue, 1))
        await wait_until(lambda: _waits(queue, "1"))
    seen = await queue.reads.find_job("1")
    assert seen is not None
    assert (notes.ran, seen.header.get("attempts", 0)) == ([2], 0)


async def _waits(queue: Queue, id: str) -> bool:  # noqa: A002
    return await find_state(queue, id) is State.WAITING


@pytest.mark.gen_test
async def test_fails_a_job_whose_payload_the_task_does_not_take(queue: Queue, expect_errors: list[str]) -> None:
    async def other(context: Any, *, other: int) -> None: ...

    await queue.enqueue(make_job(make_task(note_run, attempts=1), "1", n=1))
    async with run_worker(queue, make_task(other, attempts=1)):
        (dead,) = await _find_dead(queue)
    assert dead.error.startswith("TypeError")


@pytest.mark.parametrize("answer", [7, Done([make_job(make_task(note_run), "bad", n=object())])], ids=["7", "object"])
@pytest.mark.gen_test
async def test_fails_a_job_that_answers_what_no_task_may(queue: Queue, answer: Any, expect_errors: list[str]) -> None:
    async def answer_badly(context: Any) -> Any:
        return answer

    task = make_task(answer_badly, attempts=1)
    await queue.enqueue(make_job(task, "1"))
    async with run_worker(queue, task):
        (dead,) = await _find_dead(queue)
    assert dead.error.startswith("TypeError")
