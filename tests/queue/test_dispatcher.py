"""Taking jobs in: what shares a round trip, and what a caller hears when Redis is away or loses its answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import redis.asyncio

from grimbots.queue import dispatcher
from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.job import Accepted, Beat, Claim, ClaimReply, Drain, Enqueue, Job
from grimbots.queue.line import LEAST_INTAKE
from grimbots.queue.store import BATCH_MOVES, NewerProtocol, Store
from grimbots.queue.worker import ShardWorker
from grimbots.tests.queue.desks import make_job, make_task, open_queue, run_worker, wait_until
from grimbots.tests.queue.proxy import run_proxy
from grimbots.tests.queue.servers import RedisServer, run_server


async def _nothing(context: Any, *, n: int = 0) -> None: ...


TASK = make_task(_nothing)


async def _count(url: str, section: str, name: str) -> int:
    async with redis.asyncio.from_url(url, protocol=3) as client:
        info = await client.info(section)
        return int(info.get(name, {}).get("calls", 0)) if section == "commandstats" else int(info[name])


async def _refusal_seconds(enqueue: Callable[[], Awaitable[Accepted]]) -> float:
    began = monotonic()
    with pytest.raises(QueueUnavailable):
        await enqueue()
    return monotonic() - began


async def _enqueue_when_back(queue: Queue, job: Job) -> None:
    async def accepted() -> bool:
        try:
            return await queue.enqueue(job) is Accepted.ACCEPTED
        except QueueUnavailable:
            return False

    await wait_until(accepted)


@pytest.mark.gen_test
async def test_shares_a_round_trip_within_a_tick(queue: Queue, flushed_redis_url: str) -> None:
    before = await _count(flushed_redis_url, "commandstats", "cmdstat_evalsha")
    await asyncio.gather(*(queue.enqueue(make_job(TASK, f"{n}")) for n in range(LEAST_INTAKE)))
    assert await _count(flushed_redis_url, "commandstats", "cmdstat_evalsha") - before == 1


@pytest.mark.gen_test
async def test_stores_half_of_what_waits_while_the_other_half_is_still_coming(
    queue: Queue, flushed_redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, run = [], Store.run

    async def note(store: Store, drain: Any, intake: Any = (), *rest: Any) -> Any:
        sizes.append(len(intake))
        return await run(store, drain, intake, *rest)

    monkeypatch.setattr(Store, "run", note)
    await asyncio.gather(*(queue.enqueue(make_job(TASK, f"{n}")) for n in range(200)))
    assert sizes == [BATCH_MOVES - 1, BATCH_MOVES - 1, 37, 19, 16, 2]


@pytest.mark.gen_test
async def test_gathers_under_load_while_a_call_is_out(queue: Queue, flushed_redis_url: str) -> None:
    async def enqueue_later(n: int) -> None:
        for _ in range(n % 7):
            await asyncio.sleep(0)
        await queue.enqueue(make_job(TASK, f"{n}"))

    before = await _count(flushed_redis_url, "commandstats", "cmdstat_evalsha")
    await asyncio.gather(*(enqueue_later(n) for n in range(630)))
    assert await _count(flushed_redis_url, "commandstats", "cmdstat_evalsha") - before <= 16


@pytest.mark.gen_test
async def test_starts_a_job_in_the_round_trip_that_stored_it(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """The claim that starts it comes with it, or was in Redis before it with the wait for work."""
    started = asyncio.Event()

    async def note(context: Any) -> None:
        started.set()

    def claim_beside(worker: ShardWorker, beside: Sequence[Drain]) -> Claim | None:
        return next_claim(worker, beside) if beside else None  # none leaves by itself from now on

    task, next_claim = make_task(note), ShardWorker.next_claim
    async with run_worker(queue, task) as worker:
        await wait_until(worker.is_working)
        monkeypatch.setattr(ShardWorker, "next_claim", claim_beside)
        await queue.enqueue(make_job(task, "1"))
        await started.wait()


class Claimer:
    """Notes what the line asks of it."""

    def __init__(self, on_take: Callable[[], None] = lambda: None) -> None:
        self.notes: list[str] = []
        self._on_take = on_take

    def next_claim(self, beside: Sequence[Drain]) -> Claim:
        """Claim for a consumer without a lease."""
        self.notes.append("claim")
        return Claim("nobody:0:1", len(self.notes), {"tasks": 1})

    def take(self, reply: ClaimReply) -> None:
        """Note what Redis answered."""
        self.notes.append(reply.verdict)
        self._on_take()

    def start(self) -> None:
        """Note that what was taken begins."""
        self.notes.append("start")

    def recover(self, *, forgetful: bool) -> None: ...

    def is_working(self) -> bool:
        """Say nothing of note."""
        return True


@pytest.mark.gen_test
async def test_starts_what_landed_when_the_next_call_has_left(queue: Queue) -> None:
    line, claimer = queue.lines[0], Claimer()
    line.claimer = claimer
    first = line.send(Beat("nobody:0:1"))
    await line.wait_moving()
    await asyncio.sleep(0)  # it has left
    second = line.send(Beat("nobody:0:1"))
    await asyncio.gather(first, second)
    await line.wait_settled()
    line.claimer = None
    assert claimer.notes == ["claim", "UNREGISTERED", "claim", "start", "UNREGISTERED", "start"]


@pytest.mark.gen_test
async def test_answers_what_landed_though_the_next_call_cannot_leave(tmp_path: Path) -> None:
    async with run_server(tmp_path) as server, open_queue(server.url) as queue:
        line = queue.lines[0]
        line.claimer = Claimer(on_take=server.freeze)
        first = line.send(Beat("nobody:0:1"))
        await line.wait_moving()
        await asyncio.sleep(0)  # it has left
        jobs = [make_job(TASK, f"{n}", n="x" * 30_000) for n in range(60)]  # more than a socket takes
        behind = [line.submit(Enqueue(job, 1000)) for job in jobs]
        await first
        line.claimer = None
        server.thaw()
        await asyncio.gather(*behind)


@pytest.mark.gen_test
async def test_refuses_what_json_cannot_hold_and_stores_its_neighbours(queue: Queue) -> None:
    jobs = [make_job(TASK, "1", n=1), make_job(TASK, "2", n=object()), make_job(TASK, "3", n=3)]
    answers = await asyncio.gather(*(queue.enqueue(job) for job in jobs), return_exceptions=True)
    assert (answers[0], type(answers[1]), answers[2]) == (Accepted.ACCEPTED, TypeError, Accepted.ACCEPTED)


@pytest.mark.gen_test
async def test_says_full_when_a_chat_is_at_its_cap(flushed_redis_url: str) -> None:
    async with open_queue(flushed_redis_url, group_cap=2) as queue:
        answers = [await queue.enqueue(make_job(TASK, f"{n}", chat="9")) for n in range(3)]
    assert answers == [Accepted.ACCEPTED, Accepted.ACCEPTED, Accepted.FULL]


@pytest.mark.gen_test
async def test_buries_a_job_at_once(queue: Queue) -> None:
    assert await queue.bury(make_job(TASK, "1"), "unreadable") is Accepted.DEAD
    assert [dead.reason for dead in await queue.reads.list_dead()] == ["unreadable"]


@pytest.mark.gen_test
async def test_holds_a_source(queue: Queue) -> None:
    ran: list[int] = []

    async def note(context: Any, *, n: int) -> None:
        ran.append(n)

    task = make_task(note)
    await queue.hold_source("b1", 0.3)
    async with run_worker(queue, task):
        await queue.enqueue(make_job(task, "1", source="b1", n=1))
        await queue.enqueue(make_job(task, "2", source="b2", n=2))
        await wait_until(lambda: len(ran) == 2)
    assert ran == [2, 1]


@pytest.mark.alone
@pytest.mark.gen_test
async def test_refuses_at_once_while_redis_is_away(tmp_path: Path) -> None:
    async with run_server(tmp_path) as server, open_queue(server.url) as queue:
        await server.kill()
        assert await _refusal_seconds(lambda: queue.enqueue(make_job(TASK, "1"))) < 1.6
        assert await _refusal_seconds(lambda: queue.enqueue(make_job(TASK, "2"))) < 0.1


@pytest.mark.alone
@pytest.mark.gen_test
async def test_accepts_again_soon_after_redis_is_back(tmp_path: Path) -> None:
    async with run_server(tmp_path) as server, open_queue(server.url) as queue:
        await server.kill()
        await _refusal_seconds(lambda: queue.enqueue(make_job(TASK, "1")))
        await server.start()
        began = monotonic()
        await _enqueue_when_back(queue, make_job(TASK, "2"))
        assert monotonic() - began < 1.0


@pytest.mark.alone
@pytest.mark.gen_test
async def test_refuses_in_time_while_redis_is_silent(tmp_path: Path) -> None:
    async with run_server(tmp_path) as server, open_queue(server.url) as queue:
        await server.ask("CLIENT", "PAUSE", 3000, "ALL")
        assert 1.0 < await _refusal_seconds(lambda: queue.enqueue(make_job(TASK, "1"))) < 1.7
        assert await _refusal_seconds(lambda: queue.enqueue(make_job(TASK, "2"))) < 0.1
        await _enqueue_when_back(queue, make_job(TASK, "1"))
        assert (await queue.reads.count_jobs())["tasks"].enqueued == 1


@pytest.mark.alone
@pytest.mark.gen_test
async def test_starts_without_redis_and_refuses(tmp_path: Path) -> None:
    async with open_queue(RedisServer(tmp_path).url) as queue:
        assert await _refusal_seconds(lambda: queue.enqueue(make_job(TASK, "1"))) < 1.6


@pytest.mark.gen_test
async def test_asks_a_server_that_cannot_now_a_few_times_a_second(tmp_path: Path) -> None:
    async with run_server(tmp_path) as server, open_queue(server.url) as queue:
        await server.ask("CONFIG", "SET", "min-replicas-to-write", 1)
        before = await _count(server.url, "commandstats", "cmdstat_evalsha")
        with pytest.raises(QueueUnavailable):
            await queue.enqueue(make_job(TASK, "1"))  # 1.5 s, 50 ms between two tries at least
        assert await _count(server.url, "commandstats", "cmdstat_evalsha") - before <= 31
        await server.ask("CONFIG", "SET", "min-replicas-to-write", 0)
        await _enqueue_when_back(queue, make_job(TASK, "1"))
        assert (await queue.reads.count_jobs())["tasks"].enqueued == 1


@pytest.mark.gen_test
async def test_refuses_what_too_few_replicas_have(tmp_path: Path) -> None:
    async with run_server(tmp_path) as server, open_queue(server.url, replicas=1) as queue:
        with pytest.raises(QueueUnavailable, match="too few replicas have it yet"):
            await queue.enqueue(make_job(TASK, "1"))


@pytest.mark.gen_test
async def test_stores_one_job_when_the_reply_is_lost(tmp_path: Path) -> None:
    async with run_proxy(tmp_path) as (_, proxy), open_queue(proxy.url) as queue:
        proxy.lose_next_reply_to(b"enqueue")
        assert await queue.enqueue(make_job(TASK, "1", chat="9")) is Accepted.ACCEPTED
        assert proxy.lost == 1
        assert (await queue.reads.count_jobs())["tasks"].enqueued == 1


@pytest.mark.gen_test
async def test_refuses_new_work_when_memory_is_full_and_still_drains(tmp_path: Path) -> None:
    async with run_server(tmp_path) as server, open_queue(server.url) as queue:
        await queue.enqueue(make_job(TASK, "1"))
        await server.ask("CONFIG", "SET", "maxmemory", 1)
        with pytest.raises(QueueUnavailable, match="memory"):
            await queue.enqueue(make_job(TASK, "2"))
        async with run_worker(queue, TASK):
            await wait_until(lambda: _settled(queue, 1))


async def _settled(queue: Queue, jobs: int) -> bool:
    counts = await queue.reads.count_jobs()
    return counts["tasks"].settled == jobs


@pytest.mark.gen_test
async def test_goes_on_after_the_fault_of_a_script(
    queue: Queue, flushed_redis_url: str, expect_errors: list[str]
) -> None:
    async with redis.asyncio.from_url(flushed_redis_url) as client, run_worker(queue, TASK) as worker:
        await wait_until(worker.is_working)
        await client.set("{q0}:ring:tasks", "not a list")
        with pytest.raises(QueueUnavailable, match="script"):
            await queue.enqueue(make_job(TASK, "1"))
        await client.delete("{q0}:ring:tasks")
        await _enqueue_when_back(queue, make_job(TASK, "2", source="b2"))
        await wait_until(lambda: _settled(queue, 1))
    assert "a script of the queue failed" in expect_errors[0]


@pytest.mark.gen_test
async def test_refuses_data_of_a_newer_protocol(flushed_redis_url: str, expect_errors: list[str]) -> None:
    async with redis.asyncio.from_url(flushed_redis_url) as client:
        await client.set("{q0}:version", 99)
    with pytest.raises(NewerProtocol):
        async with open_queue(flushed_redis_url):
            pass
    assert "line broke" in expect_errors[0]


@pytest.mark.alone
@pytest.mark.gen_test
async def test_stops_what_was_not_started(flushed_redis_url: str) -> None:
    queue = Queue(flushed_redis_url, consumer_host="test", slot=0, queue_slots={})
    async with asyncio.timeout(1.5):
        await queue.stop()


@pytest.mark.gen_test
async def test_takes_an_answer_that_came_in_time_although_the_loop_was_held_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "ANSWER_SECONDS", 0.02)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Accepted] = loop.create_future()
    waiting = asyncio.create_task(dispatcher.Patience().wait(answer))
    await asyncio.sleep(0)  # it waits
    loop.call_later(0, answer.set_result, Accepted.ACCEPTED)
    held_up_until = monotonic() + 0.05
    while monotonic() < held_up_until:
        pass
    assert await waiting is Accepted.ACCEPTED


@pytest.mark.gen_test
async def test_guards_nothing_outside_of_a_job(queue: Queue) -> None:
    queue.guard()


@pytest.mark.alone
@pytest.mark.gen_test
async def test_gives_up_an_enqueue_that_was_cancelled(tmp_path: Path) -> None:
    async with run_server(tmp_path) as server, open_queue(server.url) as queue:
        await server.ask("CLIENT", "PAUSE", 300, "ALL")
        first = asyncio.create_task(queue.enqueue(make_job(TASK, "1")))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(queue.enqueue(make_job(TASK, "2")))  # waits behind the call that is out
        await asyncio.sleep(0)
        second.cancel()
        assert await first is Accepted.ACCEPTED
        await queue.enqueue(make_job(TASK, "3"))
        assert (await queue.reads.count_jobs())["tasks"].enqueued == 2


@pytest.mark.gen_test
async def test_goes_on_when_who_enqueued_is_cancelled_before_the_answer(tmp_path: Path) -> None:
    async with run_server(tmp_path) as server, open_queue(server.url) as queue:
        await server.ask("CLIENT", "PAUSE", 30_000, "WRITE")
        first = asyncio.create_task(queue.enqueue(make_job(TASK, "1")))
        await wait_until(lambda: _is_sent(server))
        first.cancel()
        await server.ask("CLIENT", "UNPAUSE")
        await _enqueue_when_back(queue, make_job(TASK, "2"))
        assert (await queue.reads.count_jobs())["tasks"].enqueued == 2  # it had been sent


async def _is_sent(server: RedisServer) -> bool:
    return "cmd=evalsha" in str(await server.ask("CLIENT", "LIST"))


@pytest.mark.alone
@pytest.mark.gen_test
async def test_takes_its_own_standstill_for_no_silence_of_redis(tmp_path: Path) -> None:
    async with run_server(tmp_path) as server, open_queue(server.url) as queue:
        await server.ask("CLIENT", "PAUSE", 300, "ALL")
        first = asyncio.ensure_future(queue.enqueue(make_job(TASK, "1")))
        for _ in range(20):
            await asyncio.sleep(0)  # its call leaves
        threading.Event().wait(0.7)  # the standstill, in which the answer came
        assert await queue.enqueue(make_job(TASK, "2")) is Accepted.ACCEPTED
        assert await first is Accepted.ACCEPTED
