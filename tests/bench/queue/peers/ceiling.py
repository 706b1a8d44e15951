"""The ceiling that our scripts set: a bare client acknowledges its last claim and claims again, nothing between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from grimbots.queue.job import Ack, Claim, Claimed, ClaimReply, Drain, Register
from grimbots.queue.store import Store
from grimbots.tests.bench.queue.contract import CONCURRENCY, main, note
from grimbots.tests.bench.queue.peers.ours import open_send
from grimbots.tests.queue.desks import connect

CONSUMER = "bare:0:1"


async def _claim(store: Store, number: int, acks: Sequence[Drain]) -> Sequence[Claimed]:
    replies = await store.run([*acks, Claim(CONSUMER, number, {"tasks": CONCURRENCY})])
    reply = replies.drain[-1]
    assert isinstance(reply, ClaimReply)
    return reply.claimed


async def _work(url: str) -> None:
    store, number, acks = Store(url), 0, list[Drain]()
    await connect(store)
    await store.run([Register(CONSUMER)])
    while True:
        number += 1
        claimed = await _claim(store, number, acks)
        for one in claimed:
            note(one.job.payload["n"])
        acks = [Ack(CONSUMER, one.job.id, one.fence) for one in claimed]


def work(url: str) -> None:
    """Claim and acknowledge until killed."""
    asyncio.run(_work(url))


if __name__ == "__main__":
    main(open_send, work)
