"""Timers: handed to the queue once they are due, by one process, again if their task did not finish them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.task import Done, task
from grimbots.queue.worker import Worker
from grimbots.services import timers
from grimbots.tests.services.shops import Shop

WAIT_SECONDS = 30


class Bell:
    """Where the test task says that it ran; each test's loop needs a queue of its own."""

    rung: asyncio.Queue[str]


BELL = Bell()


@task("timers_test.ring", queue="tasks")
async def ring(app: Any, *, timer_id: int, word: str) -> Done:
    """Note the ring, and finish the timer unless it is told to die."""
    BELL.rung.put_nowait(word)
    if word != "unfinished":
        async with app.db.transaction() as tx:
            await timers.finish(tx, timer_id, app.clock())
    return Done()


@pytest.fixture(autouse=True)
def bell(io_loop: Any) -> None:
    """Begin each test without a ring."""
    BELL.rung = asyncio.Queue()


async def plan(
    app: Any, tenant: Any, *, word: str = "now", seconds: float = 0, ordinal: int = 0, payment_id: int | None = None
) -> None:
    """Plan a timer of the first tenant."""
    async with app.db.transaction() as tx:
        await timers.plan(
            tx,
            ring,
            account_id=tenant.account_id,
            bot_id=tenant.bot_id,
            payment_id=payment_id,
            cause="u:1:1",
            ordinal=ordinal,
            payload={"word": word},
            due_at=app.clock() + timedelta(seconds=seconds),
            now=app.clock(),
        )


@asynccontextmanager
async def working(app: Any) -> AsyncIterator[None]:
    """Run a worker for the length of the block."""
    worker = Worker(app.queue, app)
    worker.start()
    try:
        yield
    finally:
        await worker.drain(WAIT_SECONDS)


async def wait_for_ring() -> str:
    """Return the word of the next ring."""
    async with asyncio.timeout(WAIT_SECONDS):
        return await BELL.rung.get()


@pytest.mark.gen_test
async def test_fire_due_runs_the_task_at_its_instant_and_not_before(app: Any, accounts: Any, clock: Any) -> None:
    await plan(app, accounts[0], seconds=60)
    clock.move(seconds=59)
    assert await timers.fire_due(app) == 0
    clock.move(seconds=1)
    async with working(app):
        assert await timers.fire_due(app) == 1
        assert await wait_for_ring() == "now"
    clock.move(days=1)
    assert await timers.fire_due(app) == 0


@pytest.mark.gen_test
async def test_fire_due_hands_each_timer_to_one_process_when_several_look(app: Any, accounts: Any) -> None:
    for ordinal in range(30):
        await plan(app, accounts[0], ordinal=ordinal)
    assert sum(await asyncio.gather(*(timers.fire_due(app) for _ in range(4)))) == 30


@pytest.mark.gen_test
async def test_fire_due_passes_over_what_another_process_is_taking(app: Any, accounts: Any, clock: Any) -> None:
    await plan(app, accounts[0])
    async with app.db.transaction() as tx:
        assert len(await tx.timers.claim_due(now=clock(), claimed_until=clock(), limit=9)) == 1
        assert await timers.fire_due(app) == 0


@pytest.mark.gen_test
async def test_fire_due_hands_an_unfinished_timer_again(app: Any, accounts: Any, clock: Any) -> None:
    await plan(app, accounts[0], word="unfinished")
    assert await timers.fire_due(app) == 1
    assert await timers.fire_due(app) == 0
    clock.move(seconds=timers.CLAIM.total_seconds())
    assert await timers.fire_due(app) == 1


@pytest.mark.gen_test
async def test_plan_keeps_one_timer_per_cause_and_ordinal(app: Any, accounts: Any) -> None:
    await plan(app, accounts[0])
    await plan(app, accounts[0], word="repeated")
    assert await timers.fire_due(app) == 1


@pytest.mark.gen_test
async def test_cancel_stops_the_timers_of_its_own_account_only(app: Any, shops: list[Shop]) -> None:
    bought = [await shop.accept_offer() for shop in shops]
    for ordinal, (shop, payment) in enumerate(zip(shops, bought, strict=True)):
        await plan(app, shop.tenant, ordinal=ordinal, payment_id=payment.id)
    async with app.db.transaction() as tx:
        for payment in bought:
            await timers.cancel(tx, ring, account_id=shops[0].tenant.account_id, payment_id=payment.id)
    assert await timers.fire_due(app) == 1


@pytest.mark.gen_test
async def test_fire_due_shows_a_timer_whose_job_is_dead_once(
    app: Any, accounts: Any, clock: Any, expect_errors: list[str]
) -> None:
    await plan(app, accounts[0])
    (timer,) = await app.db.timers.claim_due(now=clock(), claimed_until=clock(), limit=1)
    dead = ring.job(id=f"t:{timer.id}", source="b1", account="1", timer_id=timer.id, word="now")
    await app.queue.bury(dead, "it always fails")
    assert await timers.fire_due(app) == 1
    clock.move(hours=1)
    assert await timers.fire_due(app) == 0
    assert len(expect_errors) == 1 and f"timer {timer.id}" in expect_errors[0]


@pytest.mark.gen_test
async def test_fire_due_with_the_queue_away_loses_no_timer(app: Any, accounts: Any, clock: Any) -> None:
    await plan(app, accounts[0])
    away = replace(app, queue=Queue("redis://127.0.0.1:1", consumer_host="test", slot=1, queue_slots={}))
    with pytest.raises(QueueUnavailable):
        await timers.fire_due(away)
    clock.move(seconds=timers.CLAIM.total_seconds())
    assert len(await app.db.timers.claim_due(now=clock(), claimed_until=clock(), limit=9)) == 1
