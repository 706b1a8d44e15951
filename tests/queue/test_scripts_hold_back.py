"""The hold-back: what a sender numbered and brought swapped is started in its order, one case per sentence."""

from __future__ import annotations

import pytest

from grimbots.queue.job import Accepted, Deregister, Enqueue, Hold, Job, Register
from grimbots.queue.store import PREFIX
from grimbots.tests.queue.shards import CAP, ONE, TWO, Shard, ack, chat, retry

HOLD_MS = 40


async def put(shard: Shard, job: Job, rank: int, hold_ms: int = 0, cap: int = CAP) -> Accepted:
    """Enqueue a numbered job."""
    replies = await shard.store.run([], [Enqueue(job, cap, rank, hold_ms)])
    assert replies.intake is not None
    return replies.intake[0]


async def work_off(shard: Shard) -> list[str]:
    """Run everything there is, one claim after the other, until nothing is ready."""
    done = []
    while claimed := await shard.claim():
        done += [one.job.id for one in claimed]
        await shard.do(*(ack(one) for one in claimed))
    return done


async def read_overtakes(shard: Shard) -> int:
    return int(await shard.redis.hget(PREFIX + "counts", "tasks:overtakes") or 0)


@pytest.mark.gen_test
async def test_held_job_starts_when_its_time_is_over(shard: Shard) -> None:
    await put(shard, chat("tap"), 7, HOLD_MS)
    assert await shard.start() == []
    await shard.move(HOLD_MS - 1)
    assert await shard.start() == []
    await shard.move(1)
    assert await shard.start() == ["tap"]


@pytest.mark.gen_test
async def test_held_job_tells_when_to_come_back(shard: Shard) -> None:
    await put(shard, chat("tap"), 7, HOLD_MS)
    await shard.claim()
    assert await shard.redis.zscore(PREFIX + "due", "Gb1|55") == shard.now_ms + HOLD_MS


@pytest.mark.gen_test
@pytest.mark.parametrize("parked", [False, True])
async def test_lower_rank_passes_a_held_head_and_starts_at_once(shard: Shard, parked: bool) -> None:
    await put(shard, chat("tap"), 7, HOLD_MS)
    if parked:
        assert await shard.start() == []
    await put(shard, chat("message"), 6)
    assert await shard.start() == ["message"]
    assert await read_overtakes(shard) == 1


@pytest.mark.gen_test
async def test_passed_job_waits_for_its_time_and_runs_next(shard: Shard) -> None:
    await put(shard, chat("tap"), 7, HOLD_MS)
    await put(shard, chat("message"), 6)
    assert await work_off(shard) == ["message"]
    await shard.move(HOLD_MS)
    assert await work_off(shard) == ["tap"]


@pytest.mark.gen_test
async def test_follow_ups_of_the_lower_rank_come_before_the_passed_job(shard: Shard) -> None:
    await put(shard, chat("tap"), 7, HOLD_MS)
    await put(shard, chat("message"), 6)
    (message,) = await shard.claim()
    await shard.move(HOLD_MS)
    await shard.do(ack(message, chat("message#0"), chat("message#1")))
    assert await work_off(shard) == ["message#0", "message#1", "tap"]


@pytest.mark.gen_test
async def test_higher_rank_stays_behind_a_held_job(shard: Shard) -> None:
    await put(shard, chat("tap"), 7, HOLD_MS)
    await put(shard, chat("message"), 8)
    await shard.move(HOLD_MS)
    assert await work_off(shard) == ["tap", "message"]
    assert await read_overtakes(shard) == 0


@pytest.mark.gen_test
async def test_several_ranks_are_sorted(shard: Shard) -> None:
    for rank in (9, 7, 8, 6):
        await put(shard, chat(str(rank)), rank, HOLD_MS)
    await shard.move(HOLD_MS)
    assert await work_off(shard) == ["6", "7", "8", "9"]


@pytest.mark.gen_test
async def test_late_tap_passes_what_waits_behind_the_head(shard: Shard) -> None:
    await put(shard, chat("1"), 1)
    await put(shard, chat("3"), 3)
    await put(shard, chat("2"), 2, HOLD_MS)
    assert await work_off(shard) == ["1"]
    await shard.move(HOLD_MS)
    assert await work_off(shard) == ["2", "3"]


@pytest.mark.gen_test
@pytest.mark.parametrize("running", [False, True])
async def test_nothing_passes_a_head_that_may_run(shard: Shard, running: bool) -> None:
    await put(shard, chat("2"), 2)
    claimed = await shard.claim() if running else []
    await put(shard, chat("1"), 1, HOLD_MS)
    await shard.do(*(ack(one) for one in claimed), Hold("group", "b1|none", 1))
    await shard.move(HOLD_MS)
    assert await work_off(shard) == (["1"] if running else ["2", "1"])
    assert await read_overtakes(shard) == 0


@pytest.mark.gen_test
async def test_nothing_passes_a_held_job_that_was_started(shard: Shard) -> None:
    await put(shard, chat("tap"), 7, HOLD_MS)
    await shard.move(HOLD_MS)
    (tap,) = await shard.claim()
    await put(shard, chat("message"), 6)
    await shard.do(retry(tap, 0, spend=False))
    assert await work_off(shard) == ["tap", "message"]


@pytest.mark.gen_test
async def test_late_tap_keeps_the_order_of_arrival_after_the_hold_back(shard: Shard) -> None:
    await put(shard, chat("1"), 1)
    await put(shard, chat("3"), 3)
    await shard.move(HOLD_MS + 1)
    await put(shard, chat("2"), 2, HOLD_MS)
    await shard.move(HOLD_MS)
    assert await work_off(shard) == ["1", "3", "2"]


@pytest.mark.gen_test
async def test_repeated_enqueue_neither_moves_nor_counts(shard: Shard) -> None:
    await put(shard, chat("tap"), 7, HOLD_MS)
    answers = [await put(shard, chat("message"), 6) for _ in range(2)]
    assert answers == [Accepted.ACCEPTED] * 2
    assert await read_overtakes(shard) == 1
    await shard.move(HOLD_MS)
    assert await work_off(shard) == ["message", "tap"]


@pytest.mark.gen_test
async def test_chats_queues_and_unnumbered_jobs_are_left_alone(shard: Shard) -> None:
    await put(shard, chat("tap"), 7, HOLD_MS)
    await put(shard, chat("other chat", group="56"), 6)
    await put(shard, chat("other queue", queue="gateway"), 6)
    await shard.put(chat("unnumbered"))
    assert await work_off(shard) == ["other chat"]
    await shard.move(HOLD_MS)
    assert await work_off(shard) == ["tap", "other queue", "unnumbered"]


@pytest.mark.gen_test
async def test_passed_chat_still_rests_where_it_is_paced(shard: Shard) -> None:
    await put(shard, chat("tap"), 7, HOLD_MS)
    await shard.do(Hold("group", "b1|55", 1_000))
    await put(shard, chat("message"), 6)
    assert await work_off(shard) == []
    await shard.move(1_000)
    assert await work_off(shard) == ["message", "tap"]


@pytest.mark.gen_test
async def test_held_job_outlives_its_consumer(shard: Shard) -> None:
    await put(shard, chat("tap"), 7, HOLD_MS)
    assert await shard.start(ONE) == []
    await shard.do(Deregister(ONE), Register(ONE))
    await shard.move(HOLD_MS)
    assert await shard.start(TWO) == ["tap"]


@pytest.mark.gen_test
async def test_full_chat_refuses_a_numbered_job_too(shard: Shard) -> None:
    await put(shard, chat("tap"), 7, HOLD_MS)
    assert await put(shard, chat("message"), 6, cap=1) is Accepted.FULL


@pytest.mark.gen_test
async def test_number_of_no_bound_is_taken(shard: Shard) -> None:
    await put(shard, chat("tap"), 2**63 - 1, HOLD_MS)
    await put(shard, chat("message"), 5)
    assert await shard.start() == ["message"]
