"""What enqueue and claim promise, one case per sentence, on the real scripts."""

from __future__ import annotations

from collections import Counter

import pytest

from grimbots.queue.job import (
    Accepted,
    BuryNew,
    Claim,
    ClaimReply,
    Enqueue,
    Intake,
    Mine,
    Share,
    Started,
    Verdict,
)
from grimbots.queue.store import PREFIX
from grimbots.tests.queue.shards import CAP, ONE, TWO, Shard, ack, chat, retry, single


@pytest.mark.gen_test
async def test_enqueue_repeated_while_pending_running_or_done(shard: Shard) -> None:
    job = chat("1")
    answers = await shard.put(job, job)
    (claimed,) = await shard.claim()
    answers += await shard.put(job)
    await shard.do(ack(claimed))
    answers += await shard.put(job)
    assert answers == [Accepted.ACCEPTED] * 4
    assert await shard.start() == []


@pytest.mark.gen_test
async def test_enqueue_of_dead_id(shard: Shard) -> None:
    await shard.store.run([], [BuryNew(chat("1"), "junk")])
    assert await shard.put(chat("1")) == [Accepted.DEAD]


@pytest.mark.gen_test
async def test_enqueue_over_cap_of_group(shard: Shard) -> None:
    answers = await shard.put(chat("1"), chat("2"), chat("3"), chat("4", group="56"), single("5"), cap=2)
    assert answers == [Accepted.ACCEPTED, Accepted.ACCEPTED, Accepted.FULL, Accepted.ACCEPTED, Accepted.ACCEPTED]


@pytest.mark.gen_test
async def test_bury_repeated(shard: Shard) -> None:
    replies = await shard.store.run([], [BuryNew(chat("1"), "junk"), BuryNew(chat("1"), "junk")])
    assert replies.intake == [Accepted.DEAD, Accepted.DEAD]
    assert await shard.redis.zcard(PREFIX + "dead") == 1


@pytest.mark.gen_test
async def test_enqueue_leaves_one_token(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2", group="56"), single("3"))
    assert await shard.redis.llen(PREFIX + "wake:tasks") == 1


@pytest.mark.gen_test
async def test_claim_without_lease(shard: Shard) -> None:
    assert (await shard.do(Claim("host:7:1", 1, {"tasks": 1}))).verdict is Verdict.UNREGISTERED


@pytest.mark.gen_test
async def test_claim_runs_one_job_of_a_group_across_queues(shard: Shard) -> None:
    await shard.put(chat("1"), chat("2", queue="gateway"), chat("3"))
    (first,) = await shard.claim(ONE)
    assert first.job.id == "1"
    assert await shard.claim(TWO) == []
    await shard.do(ack(first))
    (second,) = await shard.claim(TWO)
    assert (second.job.id, second.job.queue) == ("2", "gateway")


@pytest.mark.gen_test
async def test_claim_replayed_gives_the_same_jobs(shard: Shard) -> None:
    await shard.put(single("1"), single("2"), single("3"))
    move = Claim(ONE, 1, {"tasks": 2})
    first, repeated = await shard.do(move), await shard.do(move)
    assert [one.job.id for one in first.claimed] == ["1", "2"]
    assert repeated.claimed == first.claimed
    assert repeated.started == first.started == [Started("tasks", first.claimed[0].job.account, 2, 0)]


@pytest.mark.gen_test
async def test_claim_arriving_late_takes_nothing(shard: Shard) -> None:
    late = Claim(ONE, 1, {"tasks": 1})
    await shard.do(late, Claim(ONE, 2, {"tasks": 1}))
    await shard.put(single("1"))
    assert (await shard.do(late)).claimed == []


@pytest.mark.gen_test
async def test_claim_takes_no_more_than_free_slots(shard: Shard) -> None:
    await shard.put(*(single(str(n)) for n in range(5)))
    assert await shard.start(slots=3) == ["0", "1", "2"]


@pytest.mark.gen_test
async def test_claim_takes_sixty_four_at_a_time_and_leaves_a_token(shard: Shard) -> None:
    await shard.put(*(single(str(n)) for n in range(64)))
    await shard.put(single("64"))
    await shard.redis.delete(PREFIX + "wake:tasks")
    assert len(await shard.start(slots=5_000)) == 64
    assert await shard.redis.llen(PREFIX + "wake:tasks") == 1
    assert await shard.start(slots=5_000) == ["64"]


@pytest.mark.gen_test
async def test_claim_lets_sources_take_turns(shard: Shard) -> None:
    await shard.put(*(single(f"noisy{n}", source="b1") for n in range(50)), single("quiet1", source="b2"))
    await shard.put(single("quiet2", source="b3"))
    assert await shard.start(slots=4) == ["noisy0", "quiet1", "quiet2", "noisy1"]


@pytest.mark.gen_test
async def test_claim_lets_chats_of_a_source_take_turns(shard: Shard) -> None:
    await shard.put(*(chat(f"a{n}", group="a") for n in range(3)), chat("b0", group="b"))
    served = []
    for _ in range(4):
        (claimed,) = await shard.claim(slots=1)
        served.append(claimed.job.id)
        await shard.do(ack(claimed))
    assert served == ["a0", "b0", "a1", "a2"]


@pytest.mark.gen_test
async def test_claim_passes_over_full_accounts(shard: Shard) -> None:
    await shard.put(single("1", "b1", "one"), single("2", "b2", "two"))
    assert await shard.start(shares={"tasks": Share(9, {"one": 0})}) == ["2"]
    assert await shard.start() == ["1"]


@pytest.mark.gen_test
async def test_claim_tells_when_the_next_is_due(shard: Shard) -> None:
    await shard.put(single("1"))
    (claimed,) = await shard.claim()
    reply = await shard.do(retry(claimed, 700), Claim(ONE, 9, {"tasks": 1}))
    assert (reply.claimed, reply.next_due_ms) == ([], 700)


@pytest.mark.gen_test
async def test_claim_leaves_a_token_when_work_remains(shard: Shard) -> None:
    await shard.put(single("1"), single("2"))
    await shard.redis.delete(PREFIX + "wake:tasks")
    await shard.start(slots=1)
    assert await shard.redis.llen(PREFIX + "wake:tasks") == 1


@pytest.mark.gen_test
async def test_claim_leaves_no_token_when_nothing_remains(shard: Shard) -> None:
    await shard.put(single("1"))
    await shard.redis.delete(PREFIX + "wake:tasks")
    await shard.start(slots=1)
    assert await shard.redis.llen(PREFIX + "wake:tasks") == 0


@pytest.mark.gen_test
async def test_mine_lists_what_runs(shard: Shard) -> None:
    await shard.put(single("1"), single("2"))
    claimed = await shard.claim()
    await shard.do(ack(claimed[0]))
    assert await shard.do(Mine(ONE)) == claimed[1:]


@pytest.mark.gen_test
async def test_batch_may_bring_in_and_take_at_once(shard: Shard) -> None:
    intake: list[Intake] = [Enqueue(chat("1"), CAP)]
    replies = await shard.store.run([Claim(ONE, 1, {"tasks": 1})], intake)
    (reply,) = replies.drain
    assert isinstance(reply, ClaimReply)
    assert [one.job.id for one in reply.claimed] == ["1"]


@pytest.mark.gen_test
async def test_claim_takes_as_many_of_each_source(shard: Shard) -> None:
    for source in ("b1", "b2", "b3"):
        await shard.put(*(single(f"{source}-{n}", source) for n in range(9)))
    started = Counter(job_id[:2] for job_id in await shard.start(slots=12))
    assert started == {"b1": 4, "b2": 4, "b3": 4}
    assert await shard.start(slots=2) == ["b1-4", "b2-4"]
    assert (await shard.start(slots=4))[0] == "b3-4"  # whose turn it was


@pytest.mark.gen_test
async def test_claim_gives_the_turns_of_short_sources_to_others(shard: Shard) -> None:
    await shard.put(*(single(f"b1-{n}", "b1") for n in range(9)), single("b2-0", "b2"))
    assert sorted(await shard.start(slots=8)) == [*(f"b1-{n}" for n in range(7)), "b2-0"]
