"""What claim promises of an account's share of a queue, on the real scripts."""

from __future__ import annotations

import pytest

from grimbots.queue.job import Claim, ClaimReply, Share
from grimbots.queue.store import PREFIX
from grimbots.tests.queue.shards import ONE, TWO, Shard, ack, chat, single

MANY = 300


async def put_noisy(shard: Shard, sources: int, jobs: int = 1) -> None:
    """Enqueue unordered jobs of account "noisy": so many sources, each with so many."""
    named = [single(f"n{n}-{source}", f"b{source}", "noisy") for n in range(jobs) for source in range(sources)]
    for at in range(0, len(named), 64):
        await shard.put(*named[at : at + 64])


@pytest.mark.gen_test
async def test_account_takes_no_more_than_its_room_in_one_claim(shard: Shard) -> None:
    await put_noisy(shard, sources=1, jobs=5)
    await shard.put(single("quiet", "q", "quiet"))
    assert await shard.start(shares={"tasks": Share(3)}) == ["n0-0", "quiet", "n1-0", "n2-0"]


@pytest.mark.gen_test
async def test_account_has_a_share_of_each_queue(shard: Shard) -> None:
    await shard.put(*(chat(str(n), group=str(n)) for n in range(2)))
    await shard.put(*(chat(f"g{n}", group=f"g{n}", queue="gateway") for n in range(2)))
    shares = {"tasks": Share(2, {"1": 0}), "gateway": Share(2, {"1": 1})}
    assert await shard.start(shares=shares) == ["g0"]


@pytest.mark.gen_test
async def test_account_without_room_keeps_its_turn(shard: Shard) -> None:
    await shard.put(single("1", "b1", "one"), single("2", "b2", "two"), single("3", "b3", "three"))
    assert await shard.start(slots=1, shares={"tasks": Share(1, {"one": 0})}) == ["2"]
    assert await shard.start() == ["1", "3"]


@pytest.mark.gen_test
async def test_many_sources_of_a_full_account_hide_nobody(shard: Shard) -> None:
    await put_noisy(shard, sources=MANY)
    await shard.put(single("quiet", "q", "quiet"))
    claims, started = 0, list[str]()
    while not started:
        claims += 1
        started = await shard.start(slots=2, shares={"tasks": Share(2, {"noisy": 0})})
    assert started == ["quiet"]
    assert claims <= MANY / 50  # each claim leaves more of them behind


@pytest.mark.gen_test
async def test_claim_says_when_there_is_more_to_look_at(shard: Shard) -> None:
    await put_noisy(shard, sources=MANY)
    full, due = {"tasks": Share(2, {"noisy": 0})}, list[int | None]()
    for number in range(1, 7):
        reply: ClaimReply = await shard.do(Claim(ONE, number, {"tasks": 1}, full))
        due.append(reply.next_due_ms)
    assert due == [0, 0, 0, 0, 0, 10_000]


@pytest.mark.gen_test
async def test_crowd_comes_back_one_for_each_slot_in_turn(shard: Shard) -> None:
    await put_noisy(shard, sources=40, jobs=2)
    full, served = {"tasks": Share(2, {"noisy": 0})}, list[str]()
    assert await shard.start(shares=full) == []
    for _ in range(80):
        await shard.move(1)
        (claimed,) = await shard.claim(shares={"tasks": Share(1)})
        served.append(claimed.job.id)
        await shard.do(ack(claimed))
    assert sorted(served[:40]) == sorted(f"n0-{source}" for source in range(40))
    assert await shard.redis.exists(PREFIX + "stops", PREFIX + "due", PREFIX + "ring:tasks") == 0


@pytest.mark.gen_test
async def test_crowd_is_there_for_another_process(shard: Shard) -> None:
    await put_noisy(shard, sources=40)
    assert await shard.start(ONE, shares={"tasks": Share(2, {"noisy": 0})}) == []
    assert len(await shard.start(TWO, slots=40)) == 40


@pytest.mark.gen_test
async def test_crowd_comes_back_by_itself(shard: Shard) -> None:
    await put_noisy(shard, sources=20)
    await shard.start(shares={"tasks": Share(2, {"noisy": 0})})
    assert await shard.redis.llen(PREFIX + "ring:tasks") == 8
    await shard.move(10_000)
    await shard.redis.delete(PREFIX + "stops")  # as if a version that knows no crowds were at work
    assert len(await shard.start(slots=20)) == 20
