"""What leases and upkeep promise, one case per sentence, on the real scripts."""

from __future__ import annotations

import pytest

from grimbots.queue.job import (
    Beat,
    BuryNew,
    Deregister,
    Register,
    Upkeep,
    Verdict,
)
from grimbots.queue.store import PREFIX
from grimbots.tests.queue.shards import ONE, TWO, Shard, ack, chat, retry, single

DAY_MS = 86_400_000


@pytest.mark.gen_test
async def test_register_of_a_new_boot_reaps_its_predecessor(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2"))
    await shard.claim(ONE)
    successor = "host:0:1000000000000000001"
    assert await shard.do(Register(successor)) is Verdict.OK
    assert await shard.start(successor) == ["1"]
    assert await shard.do(Beat(ONE)) is Verdict.LOST


@pytest.mark.gen_test
async def test_register_of_an_earlier_boot_is_replaced(shard: Shard) -> None:
    assert await shard.do(Register("host:0:999999999999999999")) is Verdict.REPLACED
    assert await shard.do(Beat(ONE)) is Verdict.OK


@pytest.mark.gen_test
async def test_beat_renews_the_lease(shard: Shard) -> None:
    for _ in range(20):
        await shard.move(2_000)
        reply = await shard.do(Beat(ONE), Beat(TWO), Upkeep())
        assert reply.reaped_consumers == []


@pytest.mark.gen_test
async def test_deregister_returns_what_runs_without_blame(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2"))
    for _ in range(3):
        await shard.start(ONE)
        await shard.do(Deregister(ONE), Register(ONE))
        shard.numbers[ONE] += 1
    (claimed,) = await shard.claim(TWO)
    assert (claimed.job.id, claimed.suspect) == ("1", False)


@pytest.mark.gen_test
async def test_upkeep_reaps_an_expired_lease_back_to_the_head(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2"), single("3"))
    await shard.claim(ONE)
    reply = await shard.crash(ONE)
    assert (reply.reaped_consumers, reply.reaped_jobs) == ([ONE], 2)
    assert sorted(await shard.start(TWO)) == ["1", "3"]


@pytest.mark.gen_test
async def test_upkeep_reaps_newest_first_so_that_order_holds(shard: Shard) -> None:
    await shard.put(*(single(str(n)) for n in range(4)))
    await shard.claim(ONE, slots=1)
    await shard.claim(ONE, slots=2)
    await shard.crash(ONE)
    assert await shard.start(TWO) == ["0", "1", "2", "3"]


@pytest.mark.gen_test
async def test_upkeep_after_an_outage_reaps_nobody(shard: Shard) -> None:
    await shard.do(Upkeep())
    await shard.move(60_000)
    reply = await shard.do(Upkeep())
    assert (reply.reaped_consumers, reply.shifted_ms) == ([], 59_000)
    deadline_ms = await shard.redis.zscore(PREFIX + "consumers", ONE)
    assert deadline_ms is not None
    assert deadline_ms <= shard.now_ms + 10_000


@pytest.mark.gen_test
async def test_upkeep_after_an_outage_still_reaps_who_does_not_return(shard: Shard) -> None:
    await shard.put(chat("1"))
    await shard.claim(ONE)
    await shard.do(Upkeep())
    await shard.move(60_000)
    await shard.do(Upkeep())
    await shard.crash(ONE)
    assert await shard.start(TWO) == ["1"]


@pytest.mark.gen_test
async def test_upkeep_promotes_what_is_due(shard: Shard) -> None:
    await shard.put(single("1"))
    (claimed,) = await shard.claim()
    await shard.do(retry(claimed, 500))
    await shard.redis.delete(PREFIX + "wake:tasks")
    await shard.move(500)
    assert (await shard.do(Upkeep())).promoted == 1
    assert await shard.redis.llen(PREFIX + "wake:tasks") == 1


@pytest.mark.gen_test
async def test_upkeep_trims_dead_jobs_after_ninety_days(shard: Shard) -> None:
    await shard.store.run([], [BuryNew(chat("old"), "junk")])
    await shard.move(89 * DAY_MS)
    await shard.store.run([], [BuryNew(chat("new"), "junk")])
    await shard.move(DAY_MS)
    await shard.do(Upkeep())
    assert await shard.redis.zrange(PREFIX + "dead", 0, -1) == ["new"]
    assert not await shard.redis.exists(PREFIX + "job:old")


@pytest.mark.gen_test
async def test_poison_among_others_dies_at_its_second_crash_as_suspect_and_they_live(shard: Shard) -> None:
    await shard.put(single("poison"), single("innocent"), chat("1"))
    for _ in range(2):
        await shard.claim(ONE)
        await shard.crash(ONE)
    for _ in range(2):
        assert await shard.redis.zcard(PREFIX + "dead") == 0
        suspects = await shard.claim(ONE, free_suspects=1)
        assert [(one.job.id, one.suspect) for one in suspects] == [("poison", True)]
        await shard.crash(ONE)
    assert await shard.redis.zrange(PREFIX + "dead", 0, -1) == ["poison"]
    served = []
    while suspects := await shard.claim(TWO, free_suspects=1):
        served += [one.job.id for one in suspects]
        await shard.do(*(ack(one, consumer=TWO) for one in suspects))
        await shard.move(200)
    assert sorted(served) == ["1", "innocent"]


@pytest.mark.gen_test
async def test_suspect_waits_while_another_runs(shard: Shard) -> None:
    await shard.put(chat("1"))
    for _ in range(2):
        await shard.claim(ONE)
        await shard.crash(ONE)
    assert await shard.start(ONE, free_suspects=0) == []
    await shard.move(199)
    assert await shard.start(ONE) == []
    await shard.move(1)
    assert await shard.start(ONE) == ["1"]
