"""What ack, retry, release and hold promise, one case per sentence, on the real scripts."""

from __future__ import annotations

import pytest

from grimbots.queue.job import (
    Accepted,
    Ack,
    Hold,
    Release,
    Retry,
    Verdict,
)
from grimbots.queue.store import PREFIX
from grimbots.tests.queue.shards import ONE, TWO, Shard, ack, chat, retry, single


@pytest.mark.gen_test
async def test_ack_repeated(shard: Shard) -> None:
    await shard.put(chat("1"))
    (claimed,) = await shard.claim()
    move = ack(claimed, chat("1#0"))
    assert [await shard.do(move), await shard.do(move)] == [Verdict.OK, Verdict.OK]
    assert await shard.start() == ["1#0"]


@pytest.mark.gen_test
async def test_ack_twice_in_one_batch(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2"))
    (claimed,) = await shard.claim()
    replies = await shard.store.run([ack(claimed), ack(claimed)])
    assert replies.drain == [Verdict.OK, Verdict.OK]
    assert await shard.start() == ["2"]


@pytest.mark.gen_test
async def test_acks_of_two_processes_in_one_batch(shard: Shard) -> None:
    await shard.put(single("1"), single("2"), single("3"))
    (first, second), (third,) = await shard.claim(ONE, slots=2), await shard.claim(TWO)
    strange = Ack(TWO, second.job.id, second.fence)
    replies = await shard.store.run([ack(first), strange, Ack(TWO, third.job.id, third.fence), ack(second)])
    assert replies.drain == [Verdict.OK, Verdict.LOST, Verdict.OK, Verdict.OK]


@pytest.mark.gen_test
async def test_ack_drops_the_payload_and_forgets_in_a_minute(shard: Shard) -> None:
    await shard.put(chat("1"))
    (claimed,) = await shard.claim()
    await shard.do(ack(claimed))
    assert await shard.redis.get(PREFIX + "job:1") == '{"done":"1"}\n'
    assert 55 < await shard.redis.ttl(PREFIX + "job:1") <= 60


@pytest.mark.gen_test
async def test_ack_after_reap_is_lost_and_does_nothing(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2"))
    (claimed,) = await shard.claim(ONE)
    await shard.crash(ONE)
    assert await shard.do(ack(claimed, chat("1#0"), single("other"))) is Verdict.LOST
    assert await shard.start(TWO) == ["1"]


@pytest.mark.gen_test
async def test_ack_puts_follow_ups_of_the_group_at_its_head_in_order(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2"))
    (claimed,) = await shard.claim()
    await shard.do(ack(claimed, chat("1#0"), chat("1#1", queue="gateway"), chat("1#2")))
    served = []
    for _ in range(4):
        (claimed,) = await shard.claim()
        served.append(claimed.job.id)
        await shard.do(ack(claimed))
    assert served == ["1#0", "1#1", "1#2", "2"]


@pytest.mark.gen_test
async def test_ack_moves_a_waiting_follow_up_to_the_head(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2"), chat("1#0"))
    (claimed,) = await shard.claim()
    await shard.do(ack(claimed, chat("1#0")))
    assert await shard.start() == ["1#0"]


@pytest.mark.gen_test
async def test_ack_enqueues_follow_ups_of_others(shard: Shard) -> None:
    await shard.put(chat("1"))
    (claimed,) = await shard.claim()
    await shard.do(ack(claimed, chat("1#0", group="77"), single("1#1", source="b9")))
    assert sorted(await shard.start()) == ["1#0", "1#1"]


@pytest.mark.gen_test
async def test_ack_with_follow_ups_ignores_the_cap(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2"), cap=2)
    (claimed,) = await shard.claim()
    await shard.do(ack(claimed, chat("1#0"), chat("1#1"), chat("1#2")))
    assert await shard.redis.llen(PREFIX + "group:b1|55") == 4


@pytest.mark.gen_test
async def test_ack_with_pause_paces_the_chat(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2"))
    (claimed,) = await shard.claim()
    await shard.do(ack(claimed, pause_ms=1_000))
    await shard.move(999)
    assert await shard.start() == []
    await shard.move(1)
    assert await shard.start() == ["2"]


@pytest.mark.gen_test
async def test_ack_with_pause_paces_what_comes_later(shard: Shard) -> None:
    await shard.put(chat("1"))
    (claimed,) = await shard.claim()
    await shard.do(ack(claimed, pause_ms=1_000))
    await shard.put(chat("2"))
    assert await shard.start() == []
    await shard.move(1_000)
    assert await shard.start() == ["2"]


@pytest.mark.gen_test
async def test_retry_keeps_the_head_and_its_group_waits(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2"), chat("other", group="66"))
    claimed, other = await shard.claim()
    await shard.do(retry(claimed, 5_000), ack(other))
    assert await shard.start() == []
    await shard.move(5_000)
    (again,) = await shard.claim()
    assert (again.job.id, again.attempts, int(again.fence) > int(claimed.fence)) == ("1", 1, True)


@pytest.mark.gen_test
async def test_retry_repeated_answers_the_same(shard: Shard) -> None:
    await shard.put(chat("1"))
    (claimed,) = await shard.claim()
    assert await shard.do(retry(claimed), retry(claimed)) is Verdict.OK
    (again,) = await shard.claim()
    assert again.attempts == 1


@pytest.mark.gen_test
async def test_retry_repeated_after_another_claim_is_lost(shard: Shard) -> None:
    await shard.put(chat("1"))
    (claimed,) = await shard.claim(ONE)
    await shard.do(retry(claimed))
    await shard.claim(TWO)
    assert await shard.do(retry(claimed)) is Verdict.LOST


@pytest.mark.gen_test
async def test_retry_with_attempts_spent_is_dead_and_the_chat_goes_on(shard: Shard) -> None:
    await shard.put(chat("1", limit=2), chat("2"))
    for verdict in (Verdict.OK, Verdict.DEAD):
        (claimed,) = await shard.claim()
        assert await shard.do(retry(claimed)) is verdict
    assert await shard.do(retry(claimed)) is Verdict.DEAD
    assert await shard.start() == ["2"]


@pytest.mark.gen_test
async def test_retry_that_spends_nothing_never_dies(shard: Shard) -> None:
    await shard.put(chat("1", limit=1))
    for _ in range(5):
        (claimed,) = await shard.claim()
        assert await shard.do(retry(claimed, 30_000, spend=False)) is Verdict.OK
        await shard.move(30_000)
    (claimed,) = await shard.claim()
    assert (claimed.attempts, claimed.claimed_ms - claimed.retrying_since_ms) == (0, 150_000)


@pytest.mark.gen_test
async def test_retry_buried_by_its_task(shard: Shard) -> None:
    await shard.put(chat("1"))
    (claimed,) = await shard.claim()
    assert await shard.do(retry(claimed, bury=True)) is Verdict.DEAD
    assert await shard.put(chat("1")) == [Accepted.DEAD]


@pytest.mark.gen_test
async def test_retry_of_a_head_ends_after_a_minute(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2"))
    (claimed,) = await shard.claim()
    await shard.do(retry(claimed, 50_000))
    await shard.move(50_000)
    (claimed,) = await shard.claim()
    await shard.do(retry(claimed, 50_000))
    await shard.move(10_000)
    (claimed,) = await shard.claim()
    assert await shard.do(retry(claimed)) is Verdict.DEAD
    assert await shard.start() == ["2"]


@pytest.mark.gen_test
async def test_retry_of_a_head_counts_how_long_its_failing_attempts_ran(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2"))
    for verdict in (Verdict.OK, Verdict.OK, Verdict.DEAD):  # timeouts; the first is no failing yet
        (claimed,) = await shard.claim()
        await shard.move(30_000)
        assert await shard.do(retry(claimed, 1_000)) is verdict
        await shard.move(1_000)
    assert await shard.start() == ["2"]


@pytest.mark.gen_test
async def test_retry_of_a_head_counts_an_attempt_for_no_more_than_30_s(shard: Shard) -> None:
    await shard.put(chat("1"))
    for ran_ms in (600_000, 600_000, 20_000):  # ten minutes: Redis was away
        (claimed,) = await shard.claim()
        await shard.move(ran_ms)
        assert await shard.do(retry(claimed)) is Verdict.OK
    (claimed,) = await shard.claim()
    await shard.move(10_000)
    assert await shard.do(retry(claimed)) is Verdict.DEAD


@pytest.mark.gen_test
async def test_retry_that_spends_nothing_uses_up_nothing_of_the_minute(shard: Shard) -> None:
    await shard.put(chat("1", limit=99), chat("2"))
    (claimed,) = await shard.claim()
    await shard.do(retry(claimed))
    for _ in range(6):  # each round takes 10 s of the minute: a timeout of 6 s, a wait of 4 s
        (claimed,) = await shard.claim()
        await shard.move(6_000)
        assert await shard.do(retry(claimed, 4_000)) is Verdict.OK
        await shard.move(4_000)
        (claimed,) = await shard.claim()
        await shard.move(5_000)
        assert await shard.do(retry(claimed, 300_000, spend=False)) is Verdict.OK  # a 429
        await shard.move(299_999)
        assert await shard.start() == []  # it waits as told, however little is left
        await shard.move(1)
    (claimed,) = await shard.claim()
    assert await shard.do(retry(claimed)) is Verdict.DEAD
    assert await shard.start() == ["2"]


@pytest.mark.gen_test
async def test_hold_uses_up_nothing_of_the_minute_of_a_head(shard: Shard) -> None:
    await shard.put(chat("1"))
    (claimed,) = await shard.claim()
    await shard.do(retry(claimed, 1_000), Hold("source", "b1", 600_000))
    await shard.move(600_000)
    (claimed,) = await shard.claim()
    assert await shard.do(retry(claimed, 100_000)) is Verdict.OK
    await shard.move(59_000)  # what is left of it
    (claimed,) = await shard.claim()
    assert await shard.do(retry(claimed)) is Verdict.DEAD


@pytest.mark.gen_test
async def test_retry_of_an_unordered_job_may_take_longer(shard: Shard) -> None:
    await shard.put(single("1"))
    for _ in range(3):
        (claimed,) = await shard.claim()
        assert await shard.do(retry(claimed, 50_000)) is Verdict.OK
        await shard.move(50_000)
    assert await shard.start() == ["1"]


@pytest.mark.gen_test
async def test_release_returns_the_job_at_once_and_spends_nothing(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2"), single("3"))
    claimed = await shard.claim(ONE)
    moves = [Release(ONE, one.job.id, one.fence) for one in claimed]
    assert await shard.do(*moves, *moves) is Verdict.OK
    again = await shard.claim(TWO)
    assert sorted((one.job.id, one.attempts, one.suspect) for one in again) == [("1", 0, False), ("3", 0, False)]


@pytest.mark.gen_test
async def test_hold_of_a_group_is_never_shortened(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2", group="66"))
    await shard.do(Hold("group", "b1|55", 5_000), Hold("group", "b1|55", 1_000))
    await shard.move(4_999)
    assert await shard.start() == ["2"]
    await shard.move(1)
    assert await shard.start() == ["1"]


@pytest.mark.gen_test
async def test_hold_of_a_source_holds_all_its_queues(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2", group="66", queue="gateway"), single("3"), single("4", source="b2"))
    await shard.do(Hold("source", "b1", 1_000))
    assert await shard.start() == ["4"]
    await shard.move(1_000)
    assert sorted(await shard.start()) == ["1", "2", "3"]


@pytest.mark.gen_test
async def test_hold_prolonged_while_parked(shard: Shard) -> None:
    await shard.put(chat("1"))
    await shard.do(Hold("group", "b1|55", 1_000))
    assert await shard.start() == []
    await shard.do(Hold("group", "b1|55", 5_000))
    await shard.move(4_999)
    assert await shard.start() == []
    await shard.move(1)
    assert await shard.start() == ["1"]


@pytest.mark.gen_test
async def test_retry_tells_since_when_the_error_is_the_same(shard: Shard) -> None:
    await shard.put(single("1"))
    seen = []
    for error in ("no such task", "timeout", "no such task", "no such task", "last"):
        await shard.move(1_000)
        (claimed,) = await shard.claim()
        seen.append((shard.now_ms - claimed.retrying_since_ms) if claimed.retrying_since_ms else None)
        await shard.do(Retry(ONE, "1", claimed.fence, 0, error, spend=False))
    assert seen == [None, 1_000, 1_000, 1_000, 2_000]
