"""The worker on a real Redis: how an idle one finds work, by a wait that claims."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import redis.asyncio

from grimbots.queue import keys
from grimbots.queue.connections import RedisAway
from grimbots.queue.dispatcher import Queue
from grimbots.queue.job import Claim, ClaimReply, Mine, Upkeep, Verdict
from grimbots.queue.store import PREFIX
from grimbots.tests.queue.desks import make_job, make_task, open_queue, run_worker, wait_until
from grimbots.tests.queue.notes import Notes, is_settled, note_run, wait_for_go


@pytest.mark.alone
@pytest.mark.gen_test
async def test_finds_work_that_another_process_enqueued(queue: Queue, flushed_redis_url: str, notes: Notes) -> None:
    task = make_task(note_run)
    async with open_queue(flushed_redis_url, slot=1) as other, run_worker(queue, task, context=notes) as worker:
        await wait_until(worker.is_working)
        for n in range(3):
            await asyncio.sleep(0.05)  # let it fall idle
            await other.enqueue(make_job(task, f"{n}", n=n))
            began = time.monotonic()
            await wait_until(lambda: n in notes.ran)  # noqa: B023
            assert time.monotonic() - began < 0.5


@pytest.mark.alone
@pytest.mark.gen_test
async def test_finds_work_whose_token_was_lost(queue: Queue, flushed_redis_url: str, notes: Notes) -> None:
    task = make_task(note_run)
    client: Any = redis.asyncio.from_url(flushed_redis_url)
    async with client, open_queue(flushed_redis_url, slot=1) as other:
        theft = asyncio.ensure_future(client.execute_command("BRPOP", "{q0}:wake:tasks", 5))
        await wait_until(lambda: _is_blocked(flushed_redis_url))  # who waits longest is served first
        async with run_worker(queue, task, context=notes) as worker:
            await wait_until(worker.is_working)
            await other.enqueue(make_job(task, "1", n=1))
            await theft
            await wait_until(lambda: notes.ran == [1], seconds=2)


@pytest.mark.gen_test
async def test_takes_what_another_process_enqueued_with_the_wait_itself(
    queue: Queue, flushed_redis_url: str, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle worker asks Redis nothing more between a token and the start."""
    sent = _note_moves(queue, monkeypatch)

    async def look(context: Notes) -> None:
        context.ran.append(sum(isinstance(move, Claim) for move in sent))

    task = make_task(look)
    async with open_queue(flushed_redis_url, slot=1) as other, run_worker(queue, task, context=notes):
        await wait_until(lambda: _is_blocked(flushed_redis_url))
        sent.clear()
        await other.enqueue(make_job(task, "1"))
        await wait_until(lambda: notes.ran == [0])


def _note_moves(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Give the list that every move on the line is added to."""
    sent: list[Any] = []
    run = queue.lines[0].store.run

    async def note(drain: Any, *rest: Any) -> Any:
        sent.extend(drain)
        return await run(drain, *rest)

    monkeypatch.setattr(queue.lines[0].store, "run", note)
    return sent


@pytest.mark.alone  # a stall of a second would be a lost wait, which is asked for again
@pytest.mark.gen_test
async def test_asks_nothing_more_while_it_is_idle(
    queue: Queue, flushed_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_worker(queue):
        await wait_until(lambda: _is_blocked(flushed_redis_url))
        sent = _note_moves(queue, monkeypatch)
        await wait_until(lambda: len(sent) == 2)
        assert [type(move) for move in sent] == [Upkeep, Upkeep]


@pytest.mark.parametrize("loss", ["connection", "lease", "both"])
@pytest.mark.gen_test
async def test_runs_once_what_a_wait_brought_and_nobody_heard(
    queue: Queue, flushed_redis_url: str, notes: Notes, monkeypatch: pytest.MonkeyPatch, loss: str
) -> None:
    """The claim is asked for again under its number, or what runs here is looked up."""
    task, store = make_task(note_run), queue.lines[0].store
    wait, lost = store.wait_and_claim, list[str]()

    async def lose(claim: Claim, seconds: float) -> Any:
        reply = await wait(claim, seconds)
        if not reply or not reply.claimed or lost:
            return reply
        lost.append(loss)
        if loss != "connection":
            membership = worker.shards[0].membership
            membership.lose(membership.lease)
        if loss != "lease":
            raise RedisAway("cut")
        return reply

    monkeypatch.setattr(store, "wait_and_claim", lose)
    async with open_queue(flushed_redis_url, slot=1) as other, run_worker(queue, task, context=notes) as worker:
        await wait_until(lambda: _is_blocked(flushed_redis_url))
        for n in range(2):
            await other.enqueue(make_job(task, f"{n}", chat="9", n=n))
        await wait_until(lambda: is_settled(queue, 2))
    assert (notes.ran, lost) == ([0, 1], [loss])


@pytest.mark.gen_test
async def test_runs_what_a_late_claim_took_under_the_next_lease(
    queue: Queue, flushed_redis_url: str, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer was reaped, so Redis knows no number of it any more."""
    task, store, sent = make_task(note_run), queue.lines[0].store, _note_moves(queue, monkeypatch)
    wait, late = store.wait_and_claim, list[int]()

    async def come_late(claim: Claim, seconds: float) -> Any:
        if not late:
            late.append(claim.number)
            membership = worker.shards[0].membership
            membership.lose(membership.lease)
            await wait_until(lambda: any(isinstance(move, Claim) and move.number == claim.number for move in sent))
            await queue.lines[0].wait_settled()
            await client.delete(keys.flight(PREFIX, membership.consumer))
            await other.enqueue(make_job(task, "1", n=1))
        return await wait(claim, seconds)

    monkeypatch.setattr(store, "wait_and_claim", come_late)
    client: Any = redis.asyncio.from_url(flushed_redis_url)
    async with client, open_queue(flushed_redis_url, slot=1) as other, run_worker(queue, task, context=notes) as worker:
        await wait_until(lambda: is_settled(queue, 1))
    assert notes.ran == [1]


@pytest.mark.gen_test
async def test_starts_nothing_twice_when_a_call_was_answered_before_the_wait(
    queue: Queue, flushed_redis_url: str, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, store, held = make_task(wait_for_go), queue.lines[0].store, list[Any]()
    wait = store.wait_and_claim

    async def be_second(claim: Claim, seconds: float) -> Any:
        reply = await wait(claim, seconds)
        if reply and reply.claimed and not held:
            held.extend(reply.claimed)
            worker.shards[0].poke()
            await wait_until(lambda: notes.now == 1)
        return reply

    monkeypatch.setattr(store, "wait_and_claim", be_second)
    async with open_queue(flushed_redis_url, slot=1) as other, run_worker(queue, task, context=notes) as worker:
        await wait_until(lambda: _is_blocked(flushed_redis_url))
        for n in range(2):
            await other.enqueue(make_job(task, f"{n}", n=n))
        await wait_until(lambda: 1 in notes.ran)
        notes.go.set()
    assert (notes.ran, len(held)) == ([0, 1], 1)


@pytest.mark.gen_test
async def test_hears_only_the_first_answer_to_a_number_and_looks_again(
    queue: Queue, flushed_redis_url: str, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task(wait_for_go)
    sent = _note_moves(queue, monkeypatch)
    async with run_worker(queue, task, context=notes) as worker:
        await wait_until(lambda: _is_blocked(flushed_redis_url))
        await queue.enqueue(make_job(task, "1", n=1))
        await wait_until(lambda: notes.now == 1)
        await wait_until(lambda: _is_blocked(flushed_redis_url))
        sent.clear()
        again = await queue.lines[0].send(Mine(worker.shards[0].membership.consumer))
        worker.shards[0].take(ClaimReply(Verdict.OK, read=lambda: again))
        await wait_until(lambda: any(isinstance(move, Claim) for move in sent))
        assert notes.ran == [1]
        notes.go.set()


async def _is_blocked(url: str) -> bool:
    async with redis.asyncio.from_url(url) as client:
        info = await client.info("clients")
        return bool(info["blocked_clients"])
