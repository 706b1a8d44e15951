"""The worker on a real Redis: what runs, in which order, and what becomes of a job that ends badly."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import redis.asyncio

from grimbots.queue import keys
from grimbots.queue.connections import RedisAway
from grimbots.queue.dispatcher import Queue
from grimbots.queue.job import Claim, ClaimReply, Mine, Register, Upkeep, Verdict
from grimbots.queue.operators import Operator
from grimbots.queue.sightings import DeadJob, State
from grimbots.queue.store import PREFIX, Store
from grimbots.queue.task import Again, Bury, Done, LeaseLost
from grimbots.queue.worker import Worker
from grimbots.tests.queue.desks import connect, make_job, make_task, open_queue, run_worker, wait_until


async def _find_dead(queue: Queue) -> list[DeadJob]:
    await wait_until(lambda: _has_dead(queue))
    return await queue.reads.list_dead()


async def _has_dead(queue: Queue) -> bool:
    return await queue.reads.count_dead() > 0


async def _is_settled(queue: Queue, jobs: int, name: str = "tasks") -> bool:
    counts = await queue.reads.count_jobs()
    return name in counts and counts[name].settled == jobs


async def _find_state(queue: Queue, id: str) -> State | None:  # noqa: A002
    seen = await queue.reads.find_job(id)
    return seen.state if seen else None


class Notes:
    """A context that remembers what ran."""

    def __init__(self) -> None:
        self.ran: list[int] = []
        self.now = 0
        self.most = 0
        self.go = asyncio.Event()


async def _note(context: Notes, *, n: int) -> None:
    context.ran.append(n)


async def _wait(context: Notes, *, n: int) -> None:
    context.ran.append(n)
    context.now += 1
    context.most = max(context.most, context.now)
    try:
        await context.go.wait()
    finally:
        context.now -= 1


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.mark.gen_test
async def test_leaves_slots_for_others_when_one_account_has_its_share(queue: Queue, notes: Notes) -> None:
    task = make_task(_wait)
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
    task = make_task(_wait)
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
    bulk, webhook = make_task(_wait, "test.bulk", queue="campaigns"), make_task(_note, "test.webhook", queue="webhook")
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
    note = make_task(_note, "test.note")

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
        await wait_until(lambda: _is_settled(queue, 1))
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
    unknown, known = make_task(_note, "test.unknown"), make_task(_note, "test.known")
    await queue.enqueue(make_job(unknown, "1", n=1))
    await queue.enqueue(make_job(known, "2", n=2))
    async with run_worker(queue, known, context=notes):
        await wait_until(lambda: _is_settled(queue, 1))
        await wait_until(lambda: _waits(queue, "1"))
    seen = await queue.reads.find_job("1")
    assert seen is not None
    assert (notes.ran, seen.header.get("attempts", 0)) == ([2], 0)


async def _waits(queue: Queue, id: str) -> bool:  # noqa: A002
    return await _find_state(queue, id) is State.WAITING


@pytest.mark.gen_test
async def test_fails_a_job_whose_payload_the_task_does_not_take(queue: Queue, expect_errors: list[str]) -> None:
    async def other(context: Any, *, other: int) -> None: ...

    await queue.enqueue(make_job(make_task(_note, attempts=1), "1", n=1))
    async with run_worker(queue, make_task(other, attempts=1)):
        (dead,) = await _find_dead(queue)
    assert dead.error.startswith("TypeError")


@pytest.mark.parametrize("answer", [7, Done([make_job(make_task(_note), "bad", n=object())])], ids=["7", "object"])
@pytest.mark.gen_test
async def test_fails_a_job_that_answers_what_no_task_may(queue: Queue, answer: Any, expect_errors: list[str]) -> None:
    async def answer_badly(context: Any) -> Any:
        return answer

    task = make_task(answer_badly, attempts=1)
    await queue.enqueue(make_job(task, "1"))
    async with run_worker(queue, task):
        (dead,) = await _find_dead(queue)
    assert dead.error.startswith("TypeError")


@pytest.mark.gen_test
async def test_waits_in_a_drain_for_what_runs(queue: Queue, notes: Notes) -> None:
    task = make_task(_wait)
    async with run_worker(queue, task, context=notes) as worker:
        await queue.enqueue(make_job(task, "1", n=1))
        await wait_until(lambda: notes.now == 1)
        draining = asyncio.create_task(worker.drain(10))
        await queue.enqueue(make_job(task, "2", n=2))
        notes.go.set()
        await draining
    assert notes.ran == [1]
    assert [await _find_state(queue, id) for id in "12"] == [State.DONE, State.PENDING]  # noqa: A001


@pytest.mark.gen_test
async def test_gives_back_in_a_drain_what_does_not_end_and_spends_nothing(queue: Queue, notes: Notes) -> None:
    task = make_task(_wait)
    for n in range(2):
        await queue.enqueue(make_job(task, f"{n}", chat="9", n=n))
    async with run_worker(queue, task, context=notes) as worker:
        await wait_until(lambda: notes.now == 1)
        await worker.drain(0.05)
    notes.go.set()
    async with run_worker(queue, task, context=notes):
        await wait_until(lambda: len(notes.ran) == 3)
        await wait_until(lambda: _is_settled(queue, 2))
    assert notes.ran == [0, 0, 1]
    assert await queue.reads.list_consumers() == []


@pytest.mark.gen_test
async def test_gives_back_what_a_claim_brought_after_the_drain_began(queue: Queue, notes: Notes) -> None:
    task = make_task(_note)
    worker = Worker(queue, notes, tasks={task.name: task})
    await queue.enqueue(make_job(task, "1", n=1))
    queue.lines[0].send(Register(worker.shards[0].membership.consumer))
    reply = await queue.lines[0].send(Claim(worker.shards[0].membership.consumer, 1, {"tasks": 1}))
    await worker.drain(1)
    worker.shards[0].take(reply)
    await wait_until(lambda: _is_pending(queue, "1"))
    assert notes.ran == []


async def _is_pending(queue: Queue, id: str) -> bool:  # noqa: A002
    return await _find_state(queue, id) is State.PENDING


@pytest.mark.gen_test
async def test_drain_ends_the_task_that_start_gave(queue: Queue) -> None:
    worker = Worker(queue, None, tasks={})
    working = worker.start()
    await wait_until(worker.is_working)
    await worker.drain(1)
    await working
    assert not worker.is_working()


@pytest.mark.alone
@pytest.mark.gen_test
async def test_finds_work_that_another_process_enqueued(queue: Queue, flushed_redis_url: str, notes: Notes) -> None:
    task = make_task(_note)
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
    task = make_task(_note)
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
    task, store = make_task(_note), queue.lines[0].store
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
        await wait_until(lambda: _is_settled(queue, 2))
    assert (notes.ran, lost) == ([0, 1], [loss])


@pytest.mark.gen_test
async def test_runs_what_a_late_claim_took_under_the_next_lease(
    queue: Queue, flushed_redis_url: str, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer was reaped, so Redis knows no number of it any more."""
    task, store, sent = make_task(_note), queue.lines[0].store, _note_moves(queue, monkeypatch)
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
        await wait_until(lambda: _is_settled(queue, 1))
    assert notes.ran == [1]


@pytest.mark.gen_test
async def test_starts_nothing_twice_when_a_call_was_answered_before_the_wait(
    queue: Queue, flushed_redis_url: str, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, store, held = make_task(_wait), queue.lines[0].store, list[Any]()
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
    task = make_task(_wait)
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


@pytest.mark.gen_test
async def test_passes_over_many_paused_sources_without_falling_idle(
    queue: Queue, flushed_redis_url: str, notes: Notes
) -> None:
    """A claim looks at 64 sources of a queue; the next one follows at once."""
    task = make_task(_note)
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


@pytest.mark.gen_test
async def test_runs_suspects_one_at_a_time(queue: Queue, flushed_redis_url: str, notes: Notes) -> None:
    task = make_task(_wait)
    for n in range(3):
        await queue.enqueue(make_job(task, f"{n}", n=n))
    for slot in (7, 8):
        await _crash(flushed_redis_url, slot)
    async with run_worker(queue, task, context=notes):
        await wait_until(lambda: notes.now == 1)
        await asyncio.sleep(0.3)  # long enough for a second to have been offered
        assert notes.now == 1
        notes.go.set()
        await wait_until(lambda: _is_settled(queue, 3))
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
