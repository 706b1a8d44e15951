"""Checks: a payment whose event was lost is found, nobody is asked too often, and nobody starves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.worker import Worker
from grimbots.services import charges, checks, payments, schedules
from grimbots.services.errors import NotFound
from grimbots.tests.conftest import FIRST_INSTANT, Clock
from grimbots.tests.services.shops import Shop


async def run_due(shop: Shop) -> int:
    """Run every check that is due, as the queue would; returns how many there were."""
    now = shop.app.clock()
    due = await shop.app.db.payments.claim_checks(
        now=now, claimed_until=now + checks.CLAIM, limit_each=checks.MOST_EACH, limit=checks.MOST
    )
    for payment in due:
        job = checks.job(payment)
        done = await checks.check(shop.app, **job.payload)
        for follow_up in done.follow_ups if done else ():
            await shop.app.queue.enqueue(follow_up)
    return len(due)


def count_questions(shop: Shop) -> int:
    """Count how often the provider was asked about a charge."""
    return sum(method == "GET" for method, _ in shop.provider.calls)


async def pass_time(shop: Shop, clock: Clock, **span: float) -> None:
    """Let time pass in steps of 30 s, running what is due."""
    end = clock() + timedelta(**span)
    while clock() < end:
        clock.move(seconds=30)
        await run_due(shop)


async def list_check_times(shop: Shop, query: Any, payment: Any, clock: Clock) -> list[float]:
    """Go from check to check until there is none; returns when they were, in minutes from the charge's making."""
    times = []
    while (next_at := query("SELECT next_check_at FROM payments WHERE id = %s", payment.id)[0][0]) is not None:
        clock.now = next_at
        assert await run_due(shop) == 1
        times.append((next_at - FIRST_INSTANT).total_seconds() / 60)
    return times


@pytest.mark.gen_test
async def test_a_payment_whose_event_was_lost_is_found_without_anybody(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    shop.provider.pay(payment.txid)
    await pass_time(shop, clock, minutes=1)
    assert (await shop.read(payment.id)).state == "paid" and len(await shop.list_deliveries(payment)) == 1
    moves = await shop.app.db.payments.list_transitions(account_id=payment.account_id, payment_id=payment.id)
    assert (moves[-1].to_state, moves[-1].actor) == ("paid", "reconciler")


@pytest.mark.gen_test
async def test_a_worker_runs_what_the_duty_hands_out(shop: Shop, clock: Clock, fake_telegram: Any) -> None:
    payment = await shop.charge()
    shop.provider.pay(payment.txid)
    clock.move(minutes=1)
    worker = Worker(shop.app.queue, shop.app)
    working = worker.start()
    assert await checks.hand_out_due(shop.app) == 1
    await fake_telegram.wait_for_calls(2, "sendMessage")
    await worker.drain(5)
    await working
    assert [delivery.status for delivery in await shop.list_deliveries(payment)] == ["delivered"]


@pytest.mark.gen_test
async def test_a_payment_after_expiry_is_found_too_and_flagged_late(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    clock.now = payment.expires_at
    (timer,) = await shop.app.db.timers.claim_due(now=clock(), claimed_until=clock(), limit=9)
    await payments.expire(shop.app, timer_id=timer.id, **timer.payload)
    assert (await shop.read(payment.id)).state == "expired"
    clock.move(minutes=1)
    shop.provider.pay(payment.txid)
    await pass_time(shop, clock, minutes=20)
    paid = await shop.read(payment.id)
    assert (paid.state, paid.flags) == ("paid", ["late"])


@pytest.mark.gen_test
async def test_an_unpaid_charge_is_asked_about_at_growing_distances_until_a_day_after_expiry(
    shop: Shop, clock: Clock, query: Any
) -> None:
    payment = await shop.charge()
    times = await list_check_times(shop, query, payment, clock)
    assert times[:6] == [1, 3, 7, 15, 31, 63] and times[-1] == 10 + 24 * 60
    assert count_questions(shop) == len(times) == (await shop.read(payment.id)).checks
    clock.move(days=30)
    assert await run_due(shop) == 0


@pytest.mark.gen_test
async def test_a_paid_charge_is_asked_about_no_more(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    await shop.receive(shop.provider.pay(payment.txid))
    await shop.apply_events()
    await pass_time(shop, clock, minutes=5)
    assert count_questions(shop) == 0


@pytest.mark.gen_test
async def test_a_charge_that_was_never_shown_is_not_asked_about(shop: Shop, clock: Clock) -> None:
    payment = await shop.accept_offer()
    shop.provider.fail("PUT", http=422)
    await payments.charge(shop.app, payment_id=payment.id)
    await pass_time(shop, clock, minutes=5)
    assert count_questions(shop) == 0


@pytest.mark.gen_test
async def test_a_provider_that_is_away_is_asked_again_soon(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    clock.move(hours=5)
    shop.provider.fail("GET", http=503)
    shop.provider.pay(payment.txid)
    await run_due(shop)
    assert (await shop.read(payment.id)).state == "pending"
    clock.move(seconds=checks.UNANSWERED_AGAIN.total_seconds())
    await run_due(shop)
    assert (await shop.read(payment.id)).state == "paid"


@pytest.mark.gen_test
async def test_ten_presses_ask_once_and_answer_each(shop: Shop) -> None:
    payment = await shop.charge()
    causes = [f"u:1:{number}" for number in range(10)]
    await asyncio.gather(*(payments.verify(shop.app, payment_id=payment.id, cause=cause) for cause in causes))
    assert count_questions(shop) == 1
    assert [len(await shop.list_said(f"{cause}:pending")) for cause in causes] == [1] * 10


@pytest.mark.gen_test
async def test_pressing_every_second_asks_once_in_five(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    for number in range(20):
        await payments.verify(shop.app, payment_id=payment.id, cause=f"u:1:{number}")
        clock.move(seconds=1)
    assert count_questions(shop) == 4


@pytest.mark.gen_test
async def test_a_press_that_comes_too_soon_is_looked_into_a_moment_later(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    await payments.verify(shop.app, payment_id=payment.id, cause="u:1:1")
    clock.move(seconds=1)
    shop.provider.pay(payment.txid)
    await payments.verify(shop.app, payment_id=payment.id, cause="u:1:2")
    assert (await shop.read(payment.id)).state == "pending"
    clock.move(seconds=charges.ASK_EVERY.total_seconds())
    assert await run_due(shop) == 1
    assert (await shop.read(payment.id)).state == "paid"


@pytest.mark.gen_test
async def test_a_press_long_after_the_last_check_is_answered_by_the_provider(
    shop: Shop, clock: Clock, query: Any
) -> None:
    payment = await shop.charge()
    await list_check_times(shop, query, payment, clock)
    clock.move(days=2)
    shop.provider.pay(payment.txid)
    await payments.verify(shop.app, payment_id=payment.id, cause="u:1:1")
    assert (await shop.read(payment.id)).state == "paid"


@pytest.mark.gen_test
async def test_a_check_right_after_a_press_asks_nobody_and_is_made_up_for(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    clock.move(minutes=1)
    await payments.verify(shop.app, payment_id=payment.id, cause="u:1:1")
    await run_due(shop)
    assert count_questions(shop) == 1
    clock.move(seconds=charges.ASK_EVERY.total_seconds())
    await run_due(shop)
    assert count_questions(shop) == 2


@pytest.mark.gen_test
async def test_a_check_that_comes_late_changes_nothing(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    clock.move(minutes=1)
    await asyncio.gather(*(checks.check(shop.app, payment_id=payment.id, number=0) for _ in range(3)))
    assert (await shop.read(payment.id)).checks == 1 and count_questions(shop) == 1


@pytest.mark.gen_test
async def test_a_check_run_again_after_a_crash_hands_on_what_is_not_sent_yet(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    shop.provider.pay(payment.txid)
    clock.move(minutes=1)
    runs = [await checks.check(shop.app, payment_id=payment.id, number=0) for _ in range(2)]
    first, again = ([job.id for job in done.follow_ups] for done in runs if done)
    assert first == again == [f"p:{payment.id}:paid#0", f"p:{payment.id}:paid#1"]


@pytest.mark.gen_test
async def test_one_account_with_many_due_starves_no_other(shops: list[Shop], clock: Clock) -> None:
    big, small = shops
    for chat_id in range(600, 620):
        await big.charge(chat_id)
    clock.move(seconds=1)
    lone = await small.charge()
    clock.move(hours=1)
    now = clock()
    due = await big.app.db.payments.claim_checks(now=now, claimed_until=now + checks.CLAIM, limit_each=4, limit=100)
    owners = [row.account_id for row in due]
    assert owners.count(big.tenant.account_id) == 4 and lone.id in {row.id for row in due}


@pytest.mark.gen_test
async def test_what_is_due_longest_comes_first_when_there_is_more_than_one_round_takes(
    shops: list[Shop], clock: Clock
) -> None:
    later, earlier = shops
    first = await earlier.charge()
    clock.move(seconds=1)
    await later.charge()
    clock.move(hours=1)
    (only,) = await later.app.db.payments.claim_checks(now=clock(), claimed_until=clock(), limit_each=4, limit=1)
    assert only.id == first.id


@pytest.mark.gen_test
async def test_what_was_claimed_and_got_lost_is_claimed_again(shop: Shop, clock: Clock) -> None:
    await shop.charge()
    clock.move(minutes=1)
    nowhere = Queue("redis://127.0.0.1:1", consumer_host="test", slot=1, queue_slots={})
    with pytest.raises(QueueUnavailable):
        await checks.hand_out_due(replace(shop.app, queue=nowhere))
    assert await checks.hand_out_due(shop.app) == 0
    clock.move(seconds=checks.CLAIM.total_seconds())
    assert await checks.hand_out_due(shop.app) == 1


@pytest.mark.gen_test
async def test_a_payment_being_settled_is_not_waited_for(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    clock.move(minutes=1)
    async with shop.app.db.transaction() as tx:
        await tx.payments.lock(account_id=payment.account_id, payment_id=payment.id)
        async with asyncio.timeout(30):
            assert await checks.hand_out_due(shop.app) == 0


@pytest.mark.gen_test
async def test_a_check_whose_job_is_dead_is_said_and_done_later(
    shop: Shop, clock: Clock, query: Any, expect_errors: list[str]
) -> None:
    payment = await shop.charge()
    clock.move(minutes=1)
    await shop.app.queue.bury(checks.job(payment), "broken")
    assert await checks.hand_out_due(shop.app) == 1
    ((next_at,),) = query("SELECT next_check_at FROM payments WHERE id = %s", payment.id)
    assert next_at == clock() + schedules.LONGEST_BETWEEN_CHECKS and "is dead" in expect_errors[0]


@pytest.mark.gen_test
async def test_check_asks_with_the_accounts_own_credentials(shops: list[Shop], clock: Clock) -> None:
    """The other tenant's provider knows no such charge, so nothing of it can settle here."""
    mine, other = shops
    payment = await mine.charge()
    charge = mine.provider.charges.pop(("api key of tenant1", payment.txid))
    mine.provider.charges["api key of tenant2", payment.txid] = charge
    mine.provider.pay(payment.txid)
    await pass_time(mine, clock, minutes=1)
    assert (await mine.read(payment.id)).state == "pending"
    with pytest.raises(NotFound):
        await payments.settle(
            other.app,
            payment_id=payment.id,
            account_id=other.tenant.account_id,
            paid_cents=1,
            paid_at=clock(),
            end_to_end_id="E",
            actor="test",
            reason="test",
        )
