"""What requeue and discard promise, one case per sentence, on the real scripts."""

from __future__ import annotations

import pytest

from grimbots.queue.job import Beat, BuryNew, Discard, Job, Requeue, Upkeep, Verdict
from grimbots.queue.store import PREFIX
from grimbots.tests.queue.shards import ONE, TWO, Shard, ack, chat, retry, single


async def bury(shard: Shard, job: Job) -> None:
    """Let a job die of its only attempt."""
    await shard.put(job)
    (claimed,) = await shard.claim()
    assert await shard.do(retry(claimed, bury=True)) is Verdict.DEAD


@pytest.mark.gen_test
async def test_requeue_puts_a_dead_job_at_the_tail(shard: Shard) -> None:
    await bury(shard, chat("1"))
    await shard.put(chat("2"))
    assert await shard.do(Requeue("1")) is Verdict.OK
    (claimed,) = await shard.claim()
    assert claimed.job.id == "2"
    await shard.do(ack(claimed))
    assert await shard.start() == ["1"]


@pytest.mark.gen_test
async def test_requeue_forgets_attempts_crashes_and_error(shard: Shard) -> None:
    await shard.put(chat("1", limit=2))
    for _ in range(2):
        await shard.start()
        await shard.crash(ONE)
    for _ in range(2):
        (claimed,) = await shard.claim()
        assert claimed.suspect
        await shard.do(retry(claimed))
    await shard.move(5_000)
    await shard.do(Beat(ONE), Beat(TWO), Upkeep(), Requeue("1"))
    packed = str(await shard.redis.get(PREFIX + "job:1"))
    assert not any(word in packed for word in ("error", "crashes", "attempts", "failing_ms", "dead", "reason"))
    (again,) = await shard.claim()
    assert (again.job, again.attempts, again.suspect) == (chat("1", limit=2), 0, False)
    assert again.enqueued_ms == shard.now_ms


@pytest.mark.gen_test
async def test_requeue_takes_a_job_that_was_buried_unseen(shard: Shard) -> None:
    await shard.store.run([], [BuryNew(single("1"), "junk")])
    assert await shard.do(Requeue("1")) is Verdict.OK
    assert await shard.start() == ["1"]
    counts = await shard.redis.hgetall(PREFIX + "counts")
    assert (counts["tasks:enqueued"], counts["tasks:dead"]) == ("1", "0")


@pytest.mark.gen_test
async def test_requeue_repeated_answers_the_same_and_changes_nothing(shard: Shard) -> None:
    await bury(shard, single("1"))
    assert [await shard.do(Requeue("1")), await shard.do(Requeue("1"))] == [Verdict.OK, Verdict.OK]
    assert await shard.start() == ["1"]


@pytest.mark.gen_test
async def test_requeue_of_a_running_job_answers_running(shard: Shard) -> None:
    await shard.put(chat("1"))
    (claimed,) = await shard.claim()
    assert await shard.do(Requeue("1")) is Verdict.RUNNING
    assert await shard.do(ack(claimed)) is Verdict.OK


@pytest.mark.gen_test
async def test_requeue_of_a_done_or_unknown_job_answers_gone(shard: Shard) -> None:
    await shard.put(chat("1"))
    (claimed,) = await shard.claim()
    await shard.do(ack(claimed))
    assert [await shard.do(Requeue("1")), await shard.do(Requeue("nobody"))] == [Verdict.GONE, Verdict.GONE]
    assert await shard.start() == []


@pytest.mark.gen_test
async def test_requeue_makes_an_old_owners_repeat_lost(shard: Shard) -> None:
    await shard.put(chat("1"))
    (claimed,) = await shard.claim()
    move = retry(claimed, bury=True)
    assert [await shard.do(move), await shard.do(move)] == [Verdict.DEAD, Verdict.DEAD]
    await shard.do(Requeue("1"))
    assert await shard.do(move) is Verdict.LOST


@pytest.mark.gen_test
async def test_requeue_wakes_a_blocked_process(shard: Shard) -> None:
    await bury(shard, single("1"))
    await shard.redis.delete(PREFIX + "wake:tasks")
    await shard.do(Requeue("1"))
    assert await shard.redis.llen(PREFIX + "wake:tasks") == 1


@pytest.mark.gen_test
async def test_discard_forgets_a_dead_job(shard: Shard) -> None:
    await bury(shard, chat("1"))
    assert [await shard.do(Discard("1")), await shard.do(Discard("1"))] == [Verdict.OK, Verdict.OK]
    assert await shard.redis.exists(PREFIX + "job:1", PREFIX + "dead") == 0
    assert (await shard.redis.hgetall(PREFIX + "counts"))["tasks:dead"] == "0"
    assert await shard.do(Requeue("1")) is Verdict.GONE


@pytest.mark.gen_test
async def test_discard_leaves_a_waiting_job(shard: Shard) -> None:
    await shard.put(chat("1"))
    assert await shard.do(Discard("1")) is Verdict.PENDING
    assert await shard.start() == ["1"]


@pytest.mark.gen_test
async def test_discard_leaves_a_running_job(shard: Shard) -> None:
    await shard.put(single("1"))
    (claimed,) = await shard.claim(TWO)
    assert await shard.do(Discard("1")) is Verdict.RUNNING
    assert await shard.do(ack(claimed, consumer=TWO)) is Verdict.OK


@pytest.mark.gen_test
async def test_discard_frees_the_id_for_new_work(shard: Shard) -> None:
    await bury(shard, chat("1"))
    await shard.do(Discard("1"))
    await shard.put(chat("1"))
    assert await shard.start() == ["1"]
