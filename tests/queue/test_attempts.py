"""Attempts after an interruption: this process and Redis agree again on what runs here."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from grimbots.queue.attempts import Attempts
from grimbots.queue.dispatcher import Queue
from grimbots.queue.heartbeat import DEFAULT_TIMING, Heartbeat
from grimbots.queue.job import Claim, ClaimReply, Mine, Register, Share, Verdict
from grimbots.queue.sightings import State
from grimbots.queue.slots import Slots
from grimbots.queue.store import BATCH_MOVES
from grimbots.tests.queue.desks import make_job, make_task, open_queue, wait_until
from grimbots.tests.queue.servers import run_server

CONSUMER = "test:0:1"


async def _hang(context: list[str]) -> None:
    context.append("started")
    try:
        await asyncio.Event().wait()
    finally:
        context.append("stopped")


HANG = make_task(_hang)


@pytest.fixture
def attempts(queue: Queue) -> Attempts:
    return Attempts(queue.lines[0], [], {HANG.name: HANG}, Slots({"tasks": 5}))


def _lease() -> Heartbeat:
    def ignore(*_: Any) -> None: ...

    return Heartbeat(CONSUMER, lambda _: Verdict.OK, on_lost=ignore, timing=DEFAULT_TIMING)


async def _claim(queue: Queue) -> ClaimReply:
    await queue.enqueue(make_job(HANG, "1"))
    return await _claim_all(queue)


async def _claim_all(queue: Queue) -> ClaimReply:
    queue.lines[0].send(Register(CONSUMER))
    return cast("ClaimReply", await queue.lines[0].send(Claim(CONSUMER, 1, {"tasks": 5})))


async def _is(queue: Queue, state: State) -> bool:
    seen = await queue.reads.find_job("1")
    return seen is not None and seen.state is state


@pytest.mark.gen_test
async def test_gives_back_what_redis_thinks_runs_here(queue: Queue, attempts: Attempts) -> None:
    await _claim(queue)
    attempts.reconcile(await queue.lines[0].send(Mine(CONSUMER)), CONSUMER)
    await wait_until(lambda: _is(queue, State.PENDING))


@pytest.mark.gen_test
async def test_says_that_redis_did_not_hear_of_what_was_given_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with run_server(tmp_path) as server, open_queue(server.url) as queue:
        attempts = Attempts(queue.lines[0], [], {}, Slots({"tasks": 5}))
        (claimed,) = (await _claim(queue)).claimed
        server.freeze()
        for _ in range(BATCH_MOVES):  # one call cannot carry all of them
            attempts.give_back(claimed, CONSUMER)
    assert "job 1 (test.run) ended, released, but Redis did not hear of it: this process is stopping" in caplog.text


@pytest.mark.gen_test
async def test_leaves_alone_what_both_think_runs_here(queue: Queue) -> None:
    context: list[str] = []
    attempts = Attempts(queue.lines[0], context, {HANG.name: HANG}, Slots({"tasks": 5}))
    attempts.take(await _claim(queue), _lease())
    attempts.start()
    attempts.reconcile(await queue.lines[0].send(Mine(CONSUMER)), CONSUMER)
    await queue.lines[0].send(Mine(CONSUMER))
    assert context == ["started"]
    assert await _is(queue, State.RUNNING)


@pytest.mark.gen_test
async def test_stops_what_redis_thinks_does_not_run_here(queue: Queue) -> None:
    context: list[str] = []
    attempts = Attempts(queue.lines[0], context, {HANG.name: HANG}, Slots({"tasks": 5}))
    attempts.take(await _claim(queue), _lease())
    attempts.start()
    await wait_until(lambda: context == ["started"])
    attempts.reconcile([], CONSUMER)
    await attempts.finish(5)
    assert context == ["started", "stopped"]


@pytest.mark.gen_test
async def test_frees_a_slot_when_the_job_ended(queue: Queue) -> None:
    slots = Slots({"tasks": 5})
    attempts = Attempts(queue.lines[0], [], {HANG.name: HANG}, slots)
    attempts.take(await _claim(queue), _lease())
    attempts.start()
    taken = slots.list_free()
    attempts.reconcile([], CONSUMER)
    await attempts.finish(5)
    assert (taken, slots.list_free()) == ({"tasks": 4}, {"tasks": 5})


@pytest.mark.gen_test
async def test_tells_how_many_slots_an_account_may_still_take(queue: Queue) -> None:
    slots = Slots({"tasks": 5, "gateway": 1}, account_share=0.75)
    attempts = Attempts(queue.lines[0], [], {HANG.name: HANG}, slots)
    reply = await _claim(queue)
    before = slots.list_shares(slots.list_free())
    attempts.take(reply, _lease())
    attempts.start()
    during = slots.list_shares(slots.list_free())
    attempts.reconcile([], CONSUMER)
    await attempts.finish(5)
    assert before == slots.list_shares(slots.list_free()) == {"tasks": Share(3), "gateway": Share(1)}
    assert during == {"tasks": Share(3, {"1": 2}), "gateway": Share(1)}


async def _hang_for(context: list[str], *, name: str) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.sleep(0)  # what is cancelled twice gets no further
        context.append(name)
        raise


@pytest.mark.gen_test
async def test_stops_each_job_once_at_its_own_limit(queue: Queue) -> None:
    limits = {"long": 30.0, "short": 0.1, "shorter": 0.05}  # a later one comes first, and two are left behind it
    tasks = {name: make_task(_hang_for, name, timeout_seconds=seconds) for name, seconds in limits.items()}
    context: list[str] = []
    attempts = Attempts(queue.lines[0], context, tasks, Slots({"tasks": 5}))
    for name, task in tasks.items():
        await queue.enqueue(make_job(task, name, name=name))
    attempts.take(await _claim_all(queue), _lease())
    attempts.start()
    await wait_until(lambda: len(context) == 2)
    assert sorted(context) == ["short", "shorter"]
    attempts.reconcile([], CONSUMER)
    await attempts.finish(5)


@pytest.mark.gen_test
async def test_ends_what_is_stopped_before_it_begins(queue: Queue) -> None:
    context: list[str] = []
    slots = Slots({"tasks": 5})
    attempts = Attempts(queue.lines[0], context, {HANG.name: HANG}, slots)
    attempts.take(await _claim(queue), _lease())
    assert slots.list_free() == {"tasks": 4}
    attempts.reconcile([], CONSUMER)
    await attempts.finish(5)
    assert (context, slots.list_free()) == ([], {"tasks": 5})
