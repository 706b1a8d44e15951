"""Payments: a code only from a committed row, paid once however often it is told, and money never taken in silence."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from grimbots.queue.task import Again
from grimbots.services import checks, events, leads, payments, timers
from grimbots.services.errors import Conflict, NotFound
from grimbots.tests.conftest import Clock
from grimbots.tests.services.chats import read_payload
from grimbots.tests.services.shops import PRICE_CENTS, Shop


async def settle(shop: Shop, payment: Any, end_to_end_id: str = "E1", **changes: Any) -> list[Any]:
    """Take in one transfer of the full price, or as `changes` say."""
    known = {"payment_id": payment.id, "account_id": payment.account_id, "paid_cents": PRICE_CENTS}
    told = {"paid_at": shop.app.clock(), "end_to_end_id": end_to_end_id, "actor": "webhook", "reason": "told"}
    return await payments.settle(shop.app, **{**known, **told, **changes})


async def expire(shop: Shop, payment: Any) -> None:
    """Let the payment's time run out and its timer's task run."""
    now = payment.expires_at
    (timer,) = await shop.app.db.timers.claim_due(now=now, claimed_until=now, limit=9)
    await payments.expire(shop.app, timer_id=timer.id, **timer.payload)


@pytest.mark.gen_test
async def test_charge_commits_the_code_with_every_id_before_it_is_shown(shop: Shop) -> None:
    payment = await shop.charge()
    made = shop.provider.charges["api key of tenant1", payment.idempotency_key]
    assert (payment.state, payment.code, payment.txid, payment.provider_id) == (
        "pending",
        made["code"],
        made["txid"],
        made["id"],
    )
    assert payment.expires_at == shop.app.clock() + timedelta(minutes=10)
    qr, code = await shop.list_said(f"p:{payment.id}:charged")
    assert (qr.payment_id, code.payment_id) == (payment.id, payment.id)
    assert await shop.list_moves(payment) == [("new", "creating"), ("creating", "pending")]


@pytest.mark.gen_test
async def test_charge_run_again_emits_the_same_jobs_and_asks_nobody(shop: Shop) -> None:
    payment = await shop.accept_offer()
    first = await payments.charge(shop.app, payment_id=payment.id)
    again = await payments.charge(shop.app, payment_id=payment.id)
    assert first and again and first.follow_ups == again.follow_ups and len(first.follow_ups) == 2
    assert len(shop.provider.calls) == 1


@pytest.mark.gen_test
@pytest.mark.parametrize("was_made", [True, False])
async def test_charge_that_died_while_asking_goes_on_with_the_same_key(shop: Shop, was_made: bool) -> None:
    payment = await shop.accept_offer()
    shop.provider.fail("PUT", times=2, drop="after" if was_made else "before")
    shop.provider.fail("GET", http=503)  # nor can it be searched there
    with pytest.raises(Again):
        await payments.charge(shop.app, payment_id=payment.id)
    assert (await shop.read(payment.id)).state == "creating"
    await payments.charge(shop.app, payment_id=payment.id)
    assert (await shop.read(payment.id)).state == "pending" and len(shop.provider.charges) == 1


@pytest.mark.gen_test
@pytest.mark.parametrize("status", [429, 503])
async def test_charge_waits_for_a_busy_provider_and_spends_no_attempt(shop: Shop, status: int) -> None:
    payment = await shop.accept_offer()
    shop.provider.fail("PUT", http=status)
    with pytest.raises(Again) as put_off:
        await payments.charge(shop.app, payment_id=payment.id)
    assert not put_off.value.spend and put_off.value.after_seconds > 0


@pytest.mark.gen_test
async def test_charge_gives_up_on_a_provider_that_stays_away_and_tells_the_buyer(shop: Shop, clock: Clock) -> None:
    payment = await shop.accept_offer()
    shop.provider.fail("PUT", times=9, http=503)
    clock.move(seconds=payments.CHARGE_PATIENCE.total_seconds())
    done = await payments.charge(shop.app, payment_id=payment.id)
    assert done and len(done.follow_ups) == 1
    assert (await shop.read(payment.id)).state == "cancelled"
    assert len(await shop.list_said(f"p:{payment.id}:failed")) == 1


@pytest.mark.gen_test
async def test_charge_refused_is_cancelled_with_the_reason_and_the_buyer_told(shop: Shop) -> None:
    payment = await shop.accept_offer()
    shop.provider.fail("PUT", http=422)
    await payments.charge(shop.app, payment_id=payment.id)
    moves = await shop.app.db.payments.list_transitions(account_id=payment.account_id, payment_id=payment.id)
    assert moves[-1].to_state == "cancelled" and "422" in moves[-1].reason
    assert len(await shop.list_said(f"p:{payment.id}:failed")) == 1


@pytest.mark.gen_test
async def test_charge_without_a_gateway_tells_the_buyer(shop: Shop) -> None:
    await shop.app.db.gateway_accounts.retire_active(account_id=shop.tenant.account_id)
    payment = await shop.charge()
    assert payment.state == "cancelled" and payment.gateway_account_id is None
    assert len(await shop.list_said(f"p:{payment.id}:failed")) == 1


@pytest.mark.gen_test
async def test_give_up_closes_a_charge_whose_job_is_dead(shop: Shop) -> None:
    payment = await shop.accept_offer()
    await payments.give_up(shop.app, payment, "its job is dead")
    assert (await shop.read(payment.id)).state == "cancelled"
    assert len(await shop.list_said(f"p:{payment.id}:failed")) == 1


@pytest.mark.gen_test
async def test_charge_answered_after_its_event_stays_paid_and_shows_no_code(shop: Shop) -> None:
    payment = await shop.accept_offer()

    async def pay_at_once(txid: str) -> None:
        await shop.receive(shop.provider.pay(txid))
        await shop.apply_events()

    shop.provider.before_answer = pay_at_once
    await payments.charge(shop.app, payment_id=payment.id)
    paid = await shop.read(payment.id)
    assert (paid.state, paid.txid, bool(paid.code)) == ("paid", payment.idempotency_key, True)
    assert await shop.list_said(f"p:{payment.id}:charged") == []
    assert await shop.list_moves(payment) == [("new", "creating"), ("creating", "paid")]
    assert len(await shop.list_deliveries(payment)) == 1


@pytest.mark.gen_test
async def test_settle_delivers_and_says_who_and_why(shop: Shop) -> None:
    payment = await shop.charge()
    jobs = await settle(shop, payment)
    (delivery,) = await shop.list_deliveries(payment)
    assert (await shop.read(payment.id)).state == "paid" and delivery.status == "planned"
    assert len(jobs) == 2 and jobs[-1].payload == read_payload(shop.app, delivery.message_id)
    moves = await shop.app.db.payments.list_transitions(account_id=payment.account_id, payment_id=payment.id)
    assert (moves[-1].to_state, moves[-1].actor) == ("paid", "webhook") and "1990 of 1990" in moves[-1].reason


@pytest.mark.gen_test
async def test_settle_acts_once_however_many_tell_of_it_at_once(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    bodies = [shop.provider.pay(payment.txid, end_to_end_id="E1")] * 3
    bodies += [body + b" " * n for n, body in enumerate(bodies, 1)]  # the same transfer in three events more
    for body in bodies:
        await shop.receive(body)
    stored = await shop.list_events()
    clock.move(minutes=10)
    (timer,) = await shop.app.db.timers.claim_due(now=clock(), claimed_until=clock(), limit=9)
    await asyncio.gather(
        *(events.apply(shop.app, event_id=event_id) for event_id in stored),
        *(payments.verify(shop.app, payment_id=payment.id, cause=f"u:1:{n}") for n in (1, 2)),
        payments.expire(shop.app, timer_id=timer.id, payment_id=payment.id),
        checks.check(shop.app, payment_id=payment.id, number=0),
        settle(shop, payment),
    )
    assert len(stored) == 4
    assert [move for move in await shop.list_moves(payment) if move[1] == "paid"] == [("pending", "paid")]
    assert len(await shop.list_deliveries(payment)) == 1 and len(await shop.list_said(f"p:{payment.id}:paid")) == 2
    assert (await shop.read(payment.id)).flags == []


@pytest.mark.gen_test
async def test_settle_waits_for_whoever_changes_the_lead(shop: Shop) -> None:
    payment = await shop.charge()
    async with shop.app.db.transaction() as tx:
        lead = await leads.lock_by_id(tx, account_id=payment.account_id, lead_id=payment.lead_id)
        settling = asyncio.create_task(settle(shop, payment))
        done, _ = await asyncio.wait({settling}, timeout=0.5)
        await leads.save(shop.app, tx, lead, replace(leads.walk(shop.app, lead), step="elsewhere"))
    await settling
    async with shop.app.db.transaction() as tx:
        after = await leads.lock_by_id(tx, account_id=payment.account_id, lead_id=payment.lead_id)
    assert not done and after.step == "elsewhere"


@pytest.mark.gen_test
async def test_settle_again_emits_what_is_not_sent_yet(shop: Shop) -> None:
    payment = await shop.charge()
    assert [job.id for job in await settle(shop, payment)] == [job.id for job in await settle(shop, payment)]


@pytest.mark.gen_test
async def test_settle_flags_a_second_transfer_and_delivers_nothing_more(shop: Shop) -> None:
    payment = await shop.charge()
    await settle(shop, payment)
    assert await settle(shop, payment, "E2") == []
    receipts = await shop.app.db.payments.list_receipts(account_id=payment.account_id, payment_id=payment.id)
    assert (await shop.read(payment.id)).flags == ["double"] and [r.end_to_end_id for r in receipts] == ["E1", "E2"]
    assert (await shop.list_moves(payment))[-1] == ("paid", "paid") and len(await shop.list_deliveries(payment)) == 1


@pytest.mark.gen_test
async def test_settle_holds_less_than_the_price_and_still_takes_the_whole(shop: Shop) -> None:
    payment = await shop.charge()
    assert await settle(shop, payment, paid_cents=PRICE_CENTS - 1) == []
    held = await shop.read(payment.id)
    assert (held.state, held.flags, await shop.list_deliveries(payment)) == ("pending", ["underpaid"], [])
    assert await settle(shop, payment, "E2") != []


@pytest.mark.gen_test
async def test_settle_delivers_and_flags_more_than_the_price(shop: Shop) -> None:
    payment = await shop.charge()
    assert await settle(shop, payment, paid_cents=PRICE_CENTS + 1) != []
    assert (await shop.read(payment.id)).flags == ["overpaid"]


@pytest.mark.gen_test
async def test_settle_delivers_and_flags_what_comes_after_expiry(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    clock.move(minutes=10)
    await expire(shop, payment)
    assert (await shop.read(payment.id)).state == "expired"
    assert await settle(shop, payment) != []
    assert ((await shop.read(payment.id)).state, (await shop.read(payment.id)).flags) == ("paid", ["late"])


@pytest.mark.gen_test
async def test_settle_takes_money_for_a_cancelled_charge(shop: Shop) -> None:
    payment = await shop.accept_offer()
    shop.provider.fail("PUT", http=422)
    await payments.charge(shop.app, payment_id=payment.id)
    assert await settle(shop, payment) != []
    assert len(await shop.list_deliveries(payment)) == 1


@pytest.mark.gen_test
async def test_settle_refuses_a_payment_of_another_account(shops: list[Shop]) -> None:
    payment = await shops[0].charge()
    with pytest.raises(NotFound):
        await settle(shops[0], payment, account_id=shops[1].tenant.account_id)
    assert (await shops[0].read(payment.id)).state == "pending"


@pytest.mark.gen_test
async def test_settle_refuses_a_charge_nobody_was_asked_for(shop: Shop) -> None:
    payment = await shop.accept_offer()
    with pytest.raises(Conflict):
        await settle(shop, payment)
    assert await settle_receipts(shop, payment) == []


async def settle_receipts(shop: Shop, payment: Any) -> list[Any]:
    """Return the transfers noted for a payment."""
    rows: list[Any] = await shop.app.db.payments.list_receipts(account_id=payment.account_id, payment_id=payment.id)
    return rows


@pytest.mark.gen_test
async def test_verify_settles_what_the_provider_has_seen(shop: Shop) -> None:
    payment = await shop.charge()
    shop.provider.pay(payment.txid)
    done = await payments.verify(shop.app, payment_id=payment.id, cause="u:1:7")
    assert done and len(done.follow_ups) == 2 and (await shop.read(payment.id)).state == "paid"
    assert await shop.list_said("u:1:7:pending") == []


@pytest.mark.gen_test
async def test_verify_says_once_per_tap_that_nothing_has_come(shop: Shop) -> None:
    payment = await shop.charge()
    for cause in ("u:1:7", "u:1:7", "u:1:8"):
        await payments.verify(shop.app, payment_id=payment.id, cause=cause)
    assert [len(await shop.list_said(f"{cause}:pending")) for cause in ("u:1:7", "u:1:8")] == [1, 1]
    assert (await shop.read(payment.id)).state == "pending"


@pytest.mark.gen_test
async def test_verify_answers_the_buyer_when_the_provider_is_away(shop: Shop) -> None:
    payment = await shop.charge()
    shop.provider.fail("GET", http=503)
    await payments.verify(shop.app, payment_id=payment.id, cause="u:1:7")
    assert len(await shop.list_said("u:1:7:pending")) == 1


@pytest.mark.gen_test
async def test_expire_asks_the_provider_first_and_settles_what_nobody_told(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    shop.provider.pay(payment.txid)
    clock.move(minutes=10)
    await expire(shop, payment)
    assert await shop.list_moves(payment) == [("new", "creating"), ("creating", "pending"), ("pending", "paid")]
    assert await timers.fire_due(shop.app) == 0


@pytest.mark.gen_test
@pytest.mark.parametrize(("is_paid", "said"), [(False, ["expired#0"]), (True, ["paid#0", "paid#1"])])
async def test_expire_run_again_after_a_crash_hands_on_what_is_not_sent_yet(
    shop: Shop, clock: Clock, is_paid: bool, said: list[str]
) -> None:
    payment = await shop.charge()
    if is_paid:
        shop.provider.pay(payment.txid)
    clock.move(minutes=10)
    (timer,) = await shop.app.db.timers.claim_due(now=clock(), claimed_until=clock(), limit=9)
    runs = [await payments.expire(shop.app, timer_id=timer.id, **timer.payload) for _ in range(2)]
    first, again = ([job.id for job in done.follow_ups] for done in runs if done)
    assert first == again == [f"p:{payment.id}:{word}" for word in said]


@pytest.mark.gen_test
async def test_expire_waits_for_a_provider_that_is_away_but_not_for_ever(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    shop.provider.fail("GET", times=2, http=503)
    clock.move(minutes=10)
    with pytest.raises(Again):
        await expire(shop, payment)
    clock.move(seconds=payments.EXPIRY_PATIENCE.total_seconds())
    await expire(shop, payment)
    assert (await shop.read(payment.id)).state == "expired"


@pytest.mark.gen_test
async def test_settle_drops_the_expiry_timer(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    await settle(shop, payment)
    clock.move(minutes=10)
    assert await timers.fire_due(shop.app) == 0


@pytest.mark.gen_test
async def test_open_makes_one_payment_per_cause_and_ordinal(shop: Shop) -> None:
    payment = await shop.accept_offer()
    async with shop.app.db.transaction() as tx:
        names = (
            "account_id",
            "bot_id",
            "lead_id",
            "version_id",
            "step",
            "cause",
            "ordinal",
            "description",
            "amount_cents",
            "currency",
            "expires_in_seconds",
        )
        same = {name: getattr(payment, name) for name in names}
        again = await payments.open(tx, **same, items=[], now=shop.app.clock())
    assert (again.id, again.idempotency_key) == (payment.id, payment.idempotency_key)


@pytest.mark.gen_test
async def test_charge_of_another_amount_is_not_shown(shop: Shop) -> None:
    payment = await shop.accept_offer()
    shop.provider.charges["api key of tenant1", payment.idempotency_key] = {
        **dict.fromkeys(("id", "code"), "x"),
        "txid": payment.idempotency_key,
        "amount_cents": 1,
        "expires_at": shop.app.clock().isoformat(),
    }
    await payments.charge(shop.app, payment_id=payment.id)
    assert (await shop.read(payment.id)).state == "cancelled"


@pytest.mark.gen_test
async def test_charge_with_the_ids_of_another_is_not_shown(shop: Shop) -> None:
    first, second = await shop.charge(501), await shop.accept_offer(502)
    known = shop.provider.charges["api key of tenant1", first.txid]
    shop.provider.charges["api key of tenant1", second.idempotency_key] = known
    await payments.charge(shop.app, payment_id=second.id)
    moves = await shop.app.db.payments.list_transitions(account_id=second.account_id, payment_id=second.id)
    assert moves[-1].to_state == "cancelled" and "another charge" in moves[-1].reason
    assert await shop.list_said(f"p:{second.id}:charged") == []
