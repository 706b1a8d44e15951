"""What pause, close, resume and bury promise, one case per sentence, on the real scripts."""

from __future__ import annotations

import pytest

from grimbots.queue.job import (
    Accepted,
    BuryNew,
    BuryWaiting,
    Claim,
    ClaimReply,
    Close,
    Discard,
    Hold,
    Pause,
    Requeue,
    Resume,
    StopKind,
    Upkeep,
    Verdict,
)
from grimbots.queue.store import PREFIX
from grimbots.tests.queue.shards import ONE, TWO, Shard, ack, chat, retry, single

STOPS: list[tuple[StopKind, str]] = [("queue", "tasks"), ("source", "b1"), ("account", "1")]
MANY = 250
each_kind = pytest.mark.parametrize(("kind", "name"), STOPS)


@each_kind
@pytest.mark.gen_test
async def test_pause_starts_nothing_until_resume(shard: Shard, kind: StopKind, name: str) -> None:
    await shard.put(chat("1"), single("2"))
    assert await shard.do(Pause(kind, name)) is Verdict.OK
    await shard.put(chat("3", group="56"))
    assert await shard.start() == []
    assert await shard.do(Resume(kind, name)) is Verdict.OK
    assert await shard.start() == ["1", "2", "3"]


@each_kind
@pytest.mark.gen_test
async def test_pause_lets_others_go_on(shard: Shard, kind: StopKind, name: str) -> None:
    await shard.do(Pause(kind, name))
    await shard.put(single("1"))
    other = chat("2", source="b2", queue="gateway")
    await shard.put(other if kind != "account" else single("2", "b2", "2"))
    assert await shard.start() == ["2"]


@each_kind
@pytest.mark.gen_test
async def test_pause_lets_finish_what_runs(shard: Shard, kind: StopKind, name: str) -> None:
    await shard.put(chat("1"), chat("2"))
    (claimed,) = await shard.claim()
    await shard.do(Pause(kind, name))
    assert await shard.do(ack(claimed, chat("1#0"))) is Verdict.OK
    assert await shard.start() == []
    await shard.do(Resume(kind, name))
    assert await shard.start() == ["1#0"]


@each_kind
@pytest.mark.gen_test
async def test_paused_work_wakes_nobody_and_has_no_time(shard: Shard, kind: StopKind, name: str) -> None:
    await shard.do(Pause(kind, name))
    await shard.put(chat("1"))
    reply: ClaimReply = await shard.do(Claim(ONE, 1, {"tasks": 1}))
    assert (reply.claimed, reply.next_due_ms) == ([], None)
    await shard.redis.delete(PREFIX + "wake:tasks")
    await shard.put(chat("2"), single("3"))
    assert (await shard.do(Upkeep())).promoted == 0
    assert await shard.redis.exists(PREFIX + "wake:tasks") == 0


@each_kind
@pytest.mark.gen_test
async def test_resume_wakes_a_blocked_process(shard: Shard, kind: StopKind, name: str) -> None:
    await shard.do(Pause(kind, name))
    await shard.put(chat("1"))
    await shard.start()
    await shard.redis.delete(PREFIX + "wake:tasks")
    await shard.do(Resume(kind, name))
    assert await shard.redis.llen(PREFIX + "wake:tasks") == 1


@pytest.mark.gen_test
async def test_resume_brings_many_sources_back_in_bounded_steps(shard: Shard) -> None:
    for at in range(0, MANY, 50):
        await shard.put(*(single(f"{n}", f"b{n}") for n in range(at, at + 50)))
    await shard.do(Pause("account", "1"))
    while await shard.redis.exists(PREFIX + "ring:tasks"):
        assert await shard.start() == []
    await shard.do(Resume("account", "1"))
    assert await shard.redis.llen(PREFIX + "ring:tasks") == 100
    reply: ClaimReply = await shard.do(Claim(TWO, 1, {"tasks": 0}))
    assert (await shard.redis.llen(PREFIX + "ring:tasks"), reply.next_due_ms) == (200, 0)
    started = [job_id for _ in range(5) for job_id in await shard.start(slots=64)]
    assert len(started) == MANY
    assert await shard.redis.exists(PREFIX + "stops", PREFIX + "due", PREFIX + "parked:a1") == 0


@pytest.mark.gen_test
async def test_pause_while_resuming_parks_again(shard: Shard) -> None:
    for at in range(0, MANY, 50):
        await shard.put(*(single(f"{n}", f"b{n}") for n in range(at, at + 50)))
    await shard.do(Pause("account", "1"))
    while await shard.redis.exists(PREFIX + "ring:tasks"):
        await shard.start()
    await shard.do(Resume("account", "1"), Pause("account", "1"))
    assert await shard.start() == await shard.start() == []
    assert await shard.redis.zcard(PREFIX + "parked:a1") == MANY


@pytest.mark.gen_test
async def test_two_pauses_hold_until_both_are_over(shard: Shard) -> None:
    await shard.put(chat("1"))
    await shard.do(Pause("source", "b1"), Pause("account", "1"))
    assert await shard.start() == []
    await shard.do(Resume("source", "b1"))
    assert await shard.start() == []
    await shard.do(Resume("account", "1"))
    assert await shard.start() == ["1"]


@pytest.mark.gen_test
async def test_resume_leaves_a_hold_in_force(shard: Shard) -> None:
    await shard.put(chat("1"))
    await shard.do(Pause("source", "b1"))
    await shard.start()
    await shard.do(Hold("source", "b1", 500), Resume("source", "b1"))
    assert await shard.start() == []
    await shard.move(500)
    assert await shard.start() == ["1"]


@pytest.mark.gen_test
async def test_resume_of_what_is_not_paused(shard: Shard) -> None:
    assert await shard.do(Resume("account", "1")) is Verdict.OK
    assert await shard.redis.exists(PREFIX + "stops") == 0


@each_kind
@pytest.mark.gen_test
async def test_close_refuses_new_work_and_works_off_the_rest(shard: Shard, kind: StopKind, name: str) -> None:
    await shard.put(chat("1"))
    assert await shard.do(Close(kind, name)) is Verdict.OK
    assert await shard.put(chat("1"), chat("2")) == [Accepted.ACCEPTED, Accepted.CLOSED]
    (claimed,) = await shard.claim()
    await shard.do(ack(claimed, chat("1#0"), single("1#1")))
    assert sorted(await shard.start()) == ["1#0", "1#1"]
    await shard.do(Resume(kind, name))
    assert await shard.put(chat("2")) == [Accepted.ACCEPTED]


@each_kind
@pytest.mark.gen_test
async def test_close_leaves_others_open(shard: Shard, kind: StopKind, name: str) -> None:
    await shard.do(Close(kind, name))
    other = chat("2", source="b2", queue="gateway")
    assert await shard.put(other if kind != "account" else single("2", "b2", "2")) == [Accepted.ACCEPTED]


@pytest.mark.gen_test
async def test_bury_takes_a_job_out_of_the_middle_of_its_chat(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2"), chat("3"))
    assert [await shard.do(BuryWaiting("2", "no")), await shard.do(BuryWaiting("2", "no"))] == [Verdict.DEAD] * 2
    (first,) = await shard.claim()
    await shard.do(ack(first))
    assert await shard.start() == ["3"]
    assert await shard.redis.zrange(PREFIX + "dead", 0, -1) == ["2"]


@pytest.mark.gen_test
async def test_bury_lets_a_chat_go_on_whose_head_waits_to_be_retried(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2", queue="gateway"))
    (claimed,) = await shard.claim()
    await shard.do(retry(claimed, 30_000))
    await shard.do(BuryWaiting("1", "no"))
    assert await shard.start() == ["2"]


@pytest.mark.gen_test
async def test_bury_of_a_head_leaves_its_chat_paced(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2"), chat("3"))
    (claimed,) = await shard.claim()
    await shard.do(ack(claimed, pause_ms=700), BuryWaiting("2", "no"))
    assert await shard.start() == []
    await shard.move(700)
    assert await shard.start() == ["3"]


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.gen_test
async def test_bury_of_the_last_job_leaves_nothing_of_its_source(shard: Shard, paused: bool) -> None:
    await shard.put(single("1"))
    if paused:
        await shard.do(Pause("source", "b1"))
        await shard.start()
        await shard.do(BuryWaiting("1", "no"), Resume("source", "b1"))
    else:
        await shard.do(BuryWaiting("1", "no"))
    names = [f"{PREFIX}{name}" for name in ("ready:tasks:b1", "ring:tasks", "due", "stops", "parked:sb1")]
    assert await shard.redis.exists(*names) == 0
    await shard.put(single("2"))
    assert await shard.start() == ["2"]


@pytest.mark.gen_test
async def test_bury_of_an_unordered_job_that_waits_for_its_time(shard: Shard) -> None:
    await shard.put(single("1"))
    (claimed,) = await shard.claim()
    await shard.do(retry(claimed, 30_000))
    assert await shard.do(BuryWaiting("1", "no")) is Verdict.DEAD
    assert await shard.redis.exists(PREFIX + "due") == 0


@pytest.mark.gen_test
async def test_bury_leaves_what_runs_or_is_done(shard: Shard) -> None:
    await shard.put(chat("1"))
    (claimed,) = await shard.claim()
    assert await shard.do(BuryWaiting("1", "no")) is Verdict.RUNNING
    await shard.do(ack(claimed))
    assert [await shard.do(BuryWaiting("1", "no")), await shard.do(BuryWaiting("x", "no"))] == [Verdict.GONE] * 2


@pytest.mark.gen_test
async def test_buried_job_may_be_requeued_or_discarded(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2", group="56"))
    await shard.do(BuryWaiting("1", "no"), BuryWaiting("2", "no"), Requeue("1"), Discard("2"))
    assert await shard.start() == ["1"]
    counts = await shard.redis.hgetall(PREFIX + "counts")
    assert (counts["tasks:enqueued"], counts["tasks:settled"], counts["tasks:dead"]) == ("3", "2", "0")


@pytest.mark.gen_test
async def test_bury_new_is_kept_while_closed(shard: Shard) -> None:
    await shard.do(Close("account", "1"))
    replies = await shard.store.run([], [BuryNew(chat("1"), "junk")])
    assert replies.intake == [Accepted.DEAD]
