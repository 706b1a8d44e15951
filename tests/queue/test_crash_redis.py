"""Redis that dies, falls silent or loses its answers: nothing accepted is lost, and each job runs once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.job import Accepted, Job
from grimbots.queue.task import Again, Task
from grimbots.queue.worker import Worker
from grimbots.tests.queue.desks import make_job, make_task, open_queue, run_worker, wait_until
from grimbots.tests.queue.proxy import run_proxy
from grimbots.tests.queue.servers import RedisServer, run_server

CHATS, JOBS = 5, 200


async def _note(context: list[int], *, n: int) -> None:
    context.append(n)
    await asyncio.sleep(0.002)


NOTE = make_task(_note)


async def _enqueue_stubbornly(queue: Queue, job: Job) -> None:
    """Enqueue as a webhook's sender does: the same id again until it is accepted."""
    while True:
        try:
            assert await queue.enqueue(job) is Accepted.ACCEPTED
            return
        except QueueUnavailable:
            await asyncio.sleep(0.05)


async def _enqueue_chat(queue: Queue, chat: int) -> None:
    for n in range(chat, JOBS, CHATS):
        await _enqueue_stubbornly(queue, make_job(NOTE, f"{n}", chat=f"{chat}", n=n))


def _check_ran(ran: list[int]) -> None:
    assert Counter(ran) == Counter(range(JOBS))
    for chat in range(CHATS):
        assert [n for n in ran if n % CHATS == chat] == list(range(chat, JOBS, CHATS))


@pytest.mark.gen_test
async def test_loses_and_repeats_nothing_when_redis_is_killed_under_load(tmp_path: Path) -> None:
    ran: list[int] = []
    async with run_server(tmp_path) as server, open_queue(server.url) as queue, run_worker(queue, NOTE, context=ran):
        senders = [asyncio.create_task(_enqueue_chat(queue, chat)) for chat in range(CHATS)]
        for share in (4, 2):
            await wait_until(lambda: len(ran) > JOBS / share)  # noqa: B023
            await server.kill()
            await server.start()
        await asyncio.gather(*senders)
        await wait_until(lambda: len(ran) >= JOBS)
    _check_ran(ran)


@pytest.mark.gen_test
async def test_goes_on_after_redis_was_silent_under_load(tmp_path: Path) -> None:
    ran: list[int] = []
    async with run_server(tmp_path) as server, open_queue(server.url) as queue, run_worker(queue, NOTE, context=ran):
        senders = [asyncio.create_task(_enqueue_chat(queue, chat)) for chat in range(CHATS)]
        await wait_until(lambda: len(ran) > JOBS / 4)
        await server.ask("CLIENT", "PAUSE", 2500, "ALL")
        await asyncio.gather(*senders)
        await wait_until(lambda: len(ran) >= JOBS)
    _check_ran(ran)


@pytest.mark.parametrize("move", [b"enqueue", b"claim", b"ack", b"retry", b"upkeep", b"beat", b"register"])
@pytest.mark.gen_test
async def test_runs_each_job_once_when_a_reply_is_lost(tmp_path: Path, move: bytes) -> None:
    ran: list[int] = []

    async def note_second_time(context: list[int], *, n: int) -> None:
        if n not in context:
            context.append(n)
            raise Again(0.01, "once more", spend=False)
        context.append(n)

    task: Task[Any] = make_task(note_second_time)
    async with run_proxy(tmp_path) as (_, proxy), open_queue(proxy.url) as queue:
        proxy.lose_next_reply_to(move)
        async with run_worker(queue, task, context=ran):
            for n in range(3):
                await queue.enqueue(make_job(task, f"{n}", chat="9", n=n))
            await wait_until(lambda: proxy.lost == 1)
            await wait_until(lambda: _is_settled(queue, 3))
    assert ran == [0, 0, 1, 1, 2, 2]


async def _is_settled(queue: Queue, jobs: int) -> bool:
    counts = await queue.reads.count_jobs()
    return "tasks" in counts and counts["tasks"].settled == jobs


@pytest.mark.alone
@pytest.mark.parametrize("word", [b"BRPOP", b"EVALSHA"])
@pytest.mark.gen_test
async def test_comes_back_from_a_half_open_connection(tmp_path: Path, word: bytes) -> None:
    ran: list[int] = []
    async with (
        run_proxy(tmp_path) as (server, proxy),
        open_queue(proxy.url) as queue,
        run_worker(queue, NOTE, context=ran) as worker,
        open_queue(server.url, slot=1) as other,
    ):
        await wait_until(worker.is_working)
        proxy.swallow(word)
        await wait_until(lambda: proxy.deaf >= 1)
        proxy.swallow(None)  # that connection stays deaf; new ones are sound
        began = monotonic()
        await other.enqueue(make_job(NOTE, "1", n=1))
        await wait_until(lambda: ran == [1])
        assert monotonic() - began < 5


@pytest.mark.alone
@pytest.mark.gen_test
async def test_says_that_it_does_not_claim_while_redis_is_silent(tmp_path: Path) -> None:
    async with run_server(tmp_path) as server, open_queue(server.url) as queue, run_worker(queue, NOTE) as worker:
        await wait_until(worker.is_working)
        server.freeze()
        await wait_until(lambda: not worker.is_working(), seconds=6)
        server.thaw()
        await wait_until(worker.is_working)


@pytest.mark.gen_test
async def test_starts_working_when_redis_comes_late(tmp_path: Path) -> None:
    ran: list[int] = []
    server = RedisServer(tmp_path)
    async with open_queue(server.url) as queue, run_worker(queue, NOTE, context=ran), run_server(tmp_path):
        await _enqueue_stubbornly(queue, make_job(NOTE, "1", n=1))
        await wait_until(lambda: ran == [1])
        await wait_until(lambda: _is_settled(queue, 1))


@pytest.mark.gen_test
async def test_says_that_it_works_from_its_first_claim_on(tmp_path: Path) -> None:
    ran: list[int] = []
    server = RedisServer(tmp_path)
    async with open_queue(server.url) as queue, run_worker(queue, NOTE, context=ran) as worker:
        claimed = asyncio.create_task(worker.wait_claimed())
        await asyncio.sleep(0.1)  # time enough for what must not happen
        assert not claimed.done()
        async with run_server(tmp_path):
            await asyncio.wait_for(claimed, 30)
            assert worker.is_working()


@pytest.mark.gen_test
async def test_claims_nothing_at_first_when_redis_was_started_anew(tmp_path: Path) -> None:
    ran: list[int] = []
    async with (
        run_server(tmp_path) as server,
        open_queue(server.url) as queue,
        run_worker(queue, NOTE, context=ran) as worker,
    ):
        await wait_until(worker.is_working)
        await server.kill()
        await server.start()
        began = monotonic()
        await _enqueue_stubbornly(queue, make_job(NOTE, "1", n=1))
        await wait_until(lambda: ran == [1])
        assert monotonic() - began > 1.5  # every process finds out first what it still runs


@pytest.mark.alone
@pytest.mark.gen_test
async def test_drains_in_time_while_redis_is_away(tmp_path: Path) -> None:
    async with run_server(tmp_path) as server, open_queue(server.url) as queue:
        worker = Worker(queue, [], tasks={NOTE.name: NOTE})
        working = worker.start()
        await wait_until(worker.is_working)
        await server.kill()
        began = monotonic()
        await worker.drain(0.1)
        await working
        assert monotonic() - began < 6


@pytest.mark.slow
@pytest.mark.gen_test
async def test_keeps_its_lease_through_an_outage_longer_than_it(tmp_path: Path) -> None:
    ran: list[int] = []

    async def wait_for_word(context: list[int], *, n: int) -> None:
        await go.wait()
        context.append(n)

    go = asyncio.Event()
    task = make_task(wait_for_word)
    async with (
        run_server(tmp_path) as server,
        open_queue(server.url) as queue,
        run_worker(queue, task, context=ran) as worker,
    ):
        await queue.enqueue(make_job(task, "1", n=1))
        await wait_until(lambda: _is_running(queue))
        await server.kill()
        await asyncio.sleep(12)  # the lease has 10 s; only a real outage can show what follows it
        await server.start()
        await wait_until(worker.is_working)
        go.set()
        await wait_until(lambda: _is_settled(queue, 1))
    assert ran == [1]


async def _is_running(queue: Queue) -> bool:
    return any(consumer.flights for consumer in await queue.reads.list_consumers())
