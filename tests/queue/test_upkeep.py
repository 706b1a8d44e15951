"""Upkeep by a worker: what died elsewhere comes back without anybody's asking."""

from __future__ import annotations

import pytest
import redis.asyncio

from grimbots.queue.dispatcher import Queue
from grimbots.queue.job import Claim, Register, UpkeepReply
from grimbots.queue.store import Store
from grimbots.queue.upkeep import report
from grimbots.tests.queue.desks import connect, make_job, make_task, run_worker, wait_until


async def _note(context: list[int], *, n: int) -> None:
    context.append(n)


@pytest.mark.gen_test
async def test_takes_back_what_an_expired_consumer_ran(queue: Queue, flushed_redis_url: str) -> None:
    ran: list[int] = []
    task = make_task(_note)
    for n in range(2):
        await queue.enqueue(make_job(task, f"{n}", chat="9", n=n))
    dead = Store(flushed_redis_url)
    await connect(dead)
    await dead.run([Register("dead:0:1"), Claim("dead:0:1", 1, {"tasks": 9})])
    await dead.close()
    async with redis.asyncio.from_url(flushed_redis_url) as client:
        await client.zadd("{q0}:consumers", {"dead:0:1": 1})
    async with run_worker(queue, task, context=ran):
        await wait_until(lambda: ran == [0, 1])


@pytest.mark.gen_test
async def test_says_that_leases_were_prolonged_after_an_outage(
    queue: Queue, flushed_redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with run_worker(queue) as worker, redis.asyncio.from_url(flushed_redis_url) as client:
        await wait_until(worker.is_working)
        seconds, _ = await client.time()
        now_ms = seconds * 1000
        async with client.pipeline() as outage:
            outage.set("{q0}:upkeep", now_ms - 60_000)
            outage.zadd("{q0}:consumers", {"elsewhere:0:1": now_ms - 50_000})
            await outage.execute()
        await wait_until(lambda: "redis was away: every lease was prolonged by up to" in caplog.text, 30)
        deadline_ms = await client.zscore("{q0}:consumers", "elsewhere:0:1")
    assert deadline_ms is not None
    assert deadline_ms >= now_ms + 9_000


def test_reports_poison_as_an_error(expect_errors: list[str]) -> None:
    report(UpkeepReply(promoted=0, reaped_consumers=["a:0:1"], reaped_jobs=2, poisoned=1, shifted_ms=0))
    assert "poison" in expect_errors[0]
