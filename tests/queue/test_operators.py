"""What a person does to jobs, queues, sources and accounts, over a started queue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.inspector import Inspector
from grimbots.queue.job import Accepted, StopKind, Verdict
from grimbots.queue.operators import Operator
from grimbots.queue.sightings import DeadJob, Stop, Waits
from grimbots.tests.queue.desks import make_job, make_task, open_queue, run_worker, wait_until
from grimbots.tests.queue.servers import RedisServer


async def _note(context: list[Any], *, place: int) -> None:
    context.append(place)


NOTE = make_task(_note)
KINDS: list[tuple[StopKind, str]] = [("queue", "tasks"), ("source", "b1"), ("account", "1")]


@pytest.mark.gen_test
async def test_requeue_lets_a_dead_job_run(queue: Queue) -> None:
    ran: list[int] = []
    await queue.bury(make_job(NOTE, "1", place=7), "junk")
    async with run_worker(queue, NOTE, context=ran):
        assert await Operator(queue).requeue("1") is Verdict.OK
        await wait_until(lambda: ran == [7])
    assert await Inspector(queue).dead() == []


@pytest.mark.gen_test
async def test_discard_forgets_a_dead_job(queue: Queue) -> None:
    await queue.bury(make_job(NOTE, "1", place=7), "junk")
    assert await Operator(queue).discard("1") is Verdict.OK
    assert await Inspector(queue).job("1") is None


@pytest.mark.gen_test
async def test_acts_on_nothing_unknown(queue: Queue) -> None:
    operator = Operator(queue)
    assert (await operator.requeue("nobody"), await operator.discard("nobody")) == (Verdict.GONE, Verdict.OK)


@pytest.mark.gen_test
async def test_requeues_all_that_died_of_one_reason_in_their_order(queue: Queue) -> None:
    ran: list[int] = []
    for place in range(130):
        await queue.bury(make_job(NOTE, f"{place:03}", chat="1", place=place), "odd" if place % 2 else "even")
    async with run_worker(queue, NOTE, context=ran):
        assert await Operator(queue).requeue_all("odd") == 65
        await wait_until(lambda: len(ran) == 65)
    assert ran == list(range(1, 130, 2))
    assert {dead.reason for dead in await Inspector(queue).dead(limit=200)} == {"even"}


@pytest.mark.gen_test
async def test_requeue_all_ends_although_dead_jobs_go_away(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    operator, list_dead = Operator(queue), queue.reads.list_dead
    for place in range(130):
        await queue.bury(make_job(NOTE, f"{place:03}", place=place), "junk")

    async def list_and_discard(after: str, limit: int) -> list[DeadJob]:
        page = await list_dead(after, limit)
        await operator.discard(page[-1].job.id)
        return page

    monkeypatch.setattr(queue.reads, "list_dead", list_and_discard)
    assert await operator.requeue_all("junk") == 130
    assert await queue.reads.count_dead() == 0


@pytest.mark.gen_test
async def test_buries_what_waits(queue: Queue) -> None:
    await queue.enqueue(make_job(NOTE, "1", place=7))
    assert await Operator(queue).bury("1", "unwanted") is Verdict.DEAD
    (dead,) = await Inspector(queue).dead()
    assert (dead.job.id, dead.reason) == ("1", "unwanted")


@pytest.mark.parametrize(("kind", "name"), KINDS)
@pytest.mark.gen_test
async def test_pause_outlives_a_restart_until_resume(queue: Queue, kind: StopKind, name: str) -> None:
    ran: list[int] = []
    operator = Operator(queue)
    await operator.pause(kind, name)
    async with run_worker(queue, NOTE, context=ran) as worker:
        await wait_until(worker.is_working)
        await queue.enqueue(make_job(NOTE, "1", place=7))
    async with run_worker(queue, NOTE, context=ran):
        await queue.enqueue(make_job(NOTE, "other", "1", source="b2", place=8))
        assert await queue.reads.list_stops() == [Stop(kind, name, paused=True, closed=False)]
        assert ran in ([], [8])
        await operator.resume(kind, name)
        await wait_until(lambda: sorted(ran) == [7, 8])
    assert await queue.reads.list_stops() == []


@pytest.mark.parametrize(("kind", "name"), KINDS)
@pytest.mark.gen_test
async def test_drain_refuses_new_work_and_does_the_rest(queue: Queue, kind: StopKind, name: str) -> None:
    ran: list[int] = []
    operator = Operator(queue)
    await queue.enqueue(make_job(NOTE, "1", place=7))
    await operator.drain(kind, name)
    assert await queue.enqueue(make_job(NOTE, "2", place=8)) is Accepted.CLOSED
    assert await queue.reads.list_stops() == [Stop(kind, name, paused=False, closed=True)]
    async with run_worker(queue, NOTE, context=ran):
        await wait_until(lambda: ran == [7])
        await operator.resume(kind, name)
        await queue.enqueue(make_job(NOTE, "2", place=8))
        await wait_until(lambda: ran == [7, 8])


@pytest.mark.gen_test
async def test_paused_source_waits_without_a_time(queue: Queue) -> None:
    async with run_worker(queue, NOTE, context=[]):
        await Operator(queue).pause("source", "b1")
        await queue.enqueue(make_job(NOTE, "1", place=7))
        await wait_until(lambda: _count_waiting(queue))
        (waiting,) = await Inspector(queue).waiting()
        assert (waiting.kind, waiting.name, waiting.in_ms) == (Waits.SOURCE, "tasks|b1", None)


async def _count_waiting(queue: Queue) -> bool:
    return await queue.reads.count_waiting() == 1


@pytest.mark.gen_test
async def test_says_when_redis_is_away_to_who_looks(tmp_path: Path) -> None:
    async with open_queue(RedisServer(tmp_path).url) as queue:
        with pytest.raises(QueueUnavailable):
            await Operator(queue).requeue_all("junk")


@pytest.mark.gen_test
async def test_says_when_redis_is_away(tmp_path: Path) -> None:
    async with open_queue(RedisServer(tmp_path).url) as queue:
        with pytest.raises(QueueUnavailable):
            await Operator(queue).requeue("1")
