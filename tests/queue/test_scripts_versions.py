"""What the scripts of the version before do with what they know nothing of, while a deploy is under way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import tornado.ioloop

from grimbots.queue.job import Accepted, Claim, ClaimReply, Close, Enqueue, Pause, Resume, Share, Upkeep
from grimbots.queue.store import PREFIX, Store
from grimbots.tests.queue.fuzz_scripts import load_previous
from grimbots.tests.queue.shards import CAP, ONE, TWO, Shard, chat, single


@pytest.fixture
def previous(io_loop: tornado.ioloop.IOLoop, server_url: str, shard: Shard) -> Iterator[Store]:
    """Give the same shard as the version before reaches it."""
    store = Store(server_url, PREFIX, load_previous())
    io_loop.run_sync(store.connect)
    yield store
    io_loop.run_sync(store.close)


async def claim(previous: Store, number: int = 1) -> ClaimReply:
    """Claim as TWO, a process of the version before."""
    reply = (await previous.run([Upkeep(), Claim(TWO, number, {"tasks": 50})])).drain[-1]
    assert isinstance(reply, ClaimReply)
    return reply


def name_jobs(reply: ClaimReply) -> list[str]:
    return [claimed.job.id for claimed in reply.claimed]


@pytest.mark.gen_test
async def test_what_is_parked_stays_parked(shard: Shard, previous: Store) -> None:
    await shard.put(chat("1"))
    await shard.do(Pause("source", "b1"))
    assert await shard.start(ONE) == []
    await shard.move(5_000)
    assert name_jobs(await claim(previous)) == []
    await previous.run([], [Enqueue(chat("2", group="56"), CAP)])
    assert name_jobs(await claim(previous, 2)) == []
    await shard.do(Resume("source", "b1"))
    assert await shard.start(ONE) == ["1", "2"]


@pytest.mark.gen_test
async def test_what_is_paused_and_in_the_ring_is_started_still(shard: Shard, previous: Store) -> None:
    await shard.put(chat("1"))
    await shard.do(Pause("source", "b1"))
    assert name_jobs(await claim(previous)) == ["1"]


@pytest.mark.gen_test
async def test_what_is_closed_lets_in_still(shard: Shard, previous: Store) -> None:
    await shard.do(Close("source", "b1"))
    replies = await previous.run([], [Enqueue(chat("1"), CAP)])
    assert replies.intake == [Accepted.ACCEPTED]


@pytest.mark.gen_test
async def test_a_crowd_comes_back_in_ten_seconds(shard: Shard, previous: Store) -> None:
    await shard.put(*(single(str(n), f"b{n}") for n in range(20)))
    assert await shard.start(ONE, shares={"tasks": Share(1, {"1": 0})}) == []
    first = name_jobs(await claim(previous))
    await shard.move(9_000)
    await previous.run([Upkeep()])
    await shard.move(1_000)
    assert len(first) == 8
    assert len(name_jobs(await claim(previous, 2))) == 12
