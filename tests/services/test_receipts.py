"""Receipts: what each transfer of money means, by the table of services/receipts.py, and on real rows."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from grimbots.services import payments, receipts
from grimbots.services.funnels import versions
from grimbots.services.gateways.base import Receipt
from grimbots.tests.conftest import FIRST_INSTANT, Clock
from grimbots.tests.services.shops import FUNNEL, PRICE_CENTS, Shop

ON_TIME, LATE = FIRST_INSTANT, FIRST_INSTANT + timedelta(hours=1)
EXPIRES_AT = FIRST_INSTANT + timedelta(minutes=10)


def judge(
    state: str = "pending",
    cents: int = PRICE_CENTS,
    at: Any = ON_TIME,
    expires_at: Any = EXPIRES_AT,
    *,
    on_sale: bool = True,
    twin: bool = False,
) -> tuple[bool, set[str]]:
    """Judge a transfer for a payment; returns whether it pays, and the flags."""
    payment = SimpleNamespace(state=state, amount_cents=PRICE_CENTS, expires_at=expires_at)
    ruling = receipts.judge(payment, Receipt("E1", cents, at), is_on_sale=on_sale, has_twin=twin)
    return ruling.pays, set(ruling.flags)


@pytest.mark.parametrize("state", receipts.UNPAID)
def test_judge_holds_less_than_the_price_in_every_state(state: str) -> None:
    assert judge(state, PRICE_CENTS - 1) == (False, {"underpaid"})


@pytest.mark.parametrize("cents", [1, PRICE_CENTS, PRICE_CENTS * 2])
@pytest.mark.parametrize("state", ["paid", "partially_refunded", "refunded", "disputed", "charged_back"])
def test_judge_keeps_apart_what_comes_for_a_paid_charge(state: str, cents: int) -> None:
    assert judge(state, cents) == (False, {"double"})


def test_judge_takes_the_price() -> None:
    assert judge() == judge("creating", expires_at=None) == (True, set())


def test_judge_flags_more_than_the_price() -> None:
    assert judge(cents=PRICE_CENTS + 1) == (True, {"overpaid"})


@pytest.mark.parametrize(("state", "at"), [("expired", ON_TIME), ("cancelled", ON_TIME), ("pending", LATE)])
def test_judge_takes_what_is_late_while_the_product_is_sold(state: str, at: Any) -> None:
    assert judge(state, at=at) == (True, {"late"})
    assert judge(state, at=at, on_sale=False) == (False, {"late", "unsold"})


def test_judge_flags_an_order_that_another_charge_has_paid() -> None:
    assert judge(twin=True) == (True, {"double"})
    assert judge("expired", PRICE_CENTS + 1, twin=True) == (True, {"late", "overpaid", "double"})


async def pay(shop: Shop, payment: Any, end_to_end_id: str = "E1", cents: int = PRICE_CENTS) -> list[Any]:
    """Take in one transfer now; returns the jobs that follow."""
    told = {"paid_at": shop.app.clock(), "end_to_end_id": end_to_end_id, "actor": "webhook", "reason": "told"}
    return await payments.settle(
        shop.app, payment_id=payment.id, account_id=payment.account_id, paid_cents=cents, **told
    )


async def expire(shop: Shop, clock: Clock, payment: Any) -> None:
    """Let the payment's time run out."""
    clock.move(seconds=(payment.expires_at - clock()).total_seconds())
    (timer,) = await shop.app.db.timers.claim_due(now=clock(), claimed_until=clock(), limit=9)
    await payments.expire(shop.app, timer_id=timer.id, **timer.payload)


async def read_reason(shop: Shop, payment: Any) -> str:
    """Return the reason of a payment's last transition."""
    moves = await shop.app.db.payments.list_transitions(account_id=payment.account_id, payment_id=payment.id)
    return str(moves[-1].reason)


@pytest.mark.gen_test
async def test_the_reason_of_every_ruling_is_in_the_payments_history(shop: Shop) -> None:
    payment = await shop.charge()
    reasons = []
    for end_to_end_id, cents in (("E1", 1), ("E2", PRICE_CENTS + 10), ("E3", PRICE_CENTS)):
        await pay(shop, payment, end_to_end_id, cents)
        reasons.append((await read_reason(shop, payment)).rpartition("; ")[2])
    assert reasons == ["held: under the price", "paid, overpaid", "kept apart: it was paid before"]
    assert (await shop.read(payment.id)).flags == ["double", "overpaid", "underpaid"]


@pytest.mark.gen_test
async def test_what_a_person_must_look_at_is_said_aloud(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    payment = await shop.charge()
    for end_to_end_id in ("E1", "E2"):
        await pay(shop, payment, end_to_end_id)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [f"payment {payment.id}: kept apart" in line for line in warnings] == [True]


@pytest.mark.gen_test
async def test_late_money_is_held_once_the_funnel_offers_that_no_more(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    await expire(shop, clock, payment)
    renamed = [{**step, "id": "new"} if step["id"] == "offer" else step for step in FUNNEL["steps"]]
    await versions.publish(
        shop.app, shop.tenant.account_id, {**FUNNEL, "start": "new", "steps": renamed}, {}, actor="test"
    )
    assert await pay(shop, payment) == []
    held = await shop.read(payment.id)
    assert (held.state, held.flags, await shop.list_deliveries(payment)) == ("expired", ["late", "unsold"], [])


@pytest.mark.gen_test
async def test_late_money_is_delivered_when_only_the_price_has_changed(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    await expire(shop, clock, payment)
    dearer = [{**step, "price_cents": 9990} if step["id"] == "offer" else step for step in FUNNEL["steps"]]
    await versions.publish(shop.app, shop.tenant.account_id, {**FUNNEL, "steps": dearer}, {}, actor="test")
    assert await pay(shop, payment) != []


@pytest.mark.gen_test
async def test_late_money_is_held_once_the_bot_is_removed(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    await expire(shop, clock, payment)
    gone = {"account_id": payment.account_id, "bot_id": payment.bot_id, "status": "removed", "reason": "removed"}
    await shop.app.db.bots.set_status(**gone, now=clock())
    assert await pay(shop, payment) == []
    assert (await shop.read(payment.id)).flags == ["late", "unsold"]


@pytest.mark.gen_test
async def test_two_charges_of_one_order_are_both_delivered_and_the_second_is_flagged(shop: Shop, clock: Clock) -> None:
    first = await shop.charge()
    await expire(shop, clock, first)
    second = await shop.charge(update_id=77)
    await pay(shop, second)
    clock.move(minutes=1)
    await pay(shop, first, "E2")
    assert [(await shop.read(payment.id)).flags for payment in (second, first)] == [[], ["double", "late"]]
    assert [len(await shop.list_deliveries(payment)) for payment in (second, first)] == [1, 1]


@pytest.mark.gen_test
async def test_buying_the_same_again_is_an_order_of_its_own(shop: Shop, clock: Clock) -> None:
    first = await shop.charge()
    await pay(shop, first)
    clock.move(minutes=1)
    second = await shop.charge(update_id=77)
    await pay(shop, second, "E2")
    assert (await shop.read(second.id)).flags == []


@pytest.mark.gen_test
async def test_another_buyers_payment_for_the_same_product_is_no_double(shop: Shop) -> None:
    first, second = await shop.charge(501), await shop.charge(502)
    await pay(shop, first)
    await pay(shop, second, "E2")
    assert (await shop.read(second.id)).flags == []


@pytest.mark.gen_test
async def test_paid_by_a_stranger_is_delivered_to_the_buyer_who_asked_for_the_code(shop: Shop) -> None:
    """Nothing in a transfer says who paid, so nobody else can be meant; the stranger gets nothing."""
    payment, stranger = await shop.charge(501), await shop.charge(502)
    await shop.receive(shop.provider.pay(payment.txid))
    await shop.apply_events()
    (delivery,) = await shop.list_deliveries(payment)
    said = await shop.list_said(f"p:{payment.id}:paid")
    assert {message.chat_id for message in said} == {501} and delivery.message_id in {message.id for message in said}
    assert (await shop.read(stranger.id)).state == "pending" and await shop.list_deliveries(stranger) == []


@pytest.mark.gen_test
async def test_an_event_stored_before_the_create_calls_answer_settles_after_it(shop: Shop) -> None:
    payment = await shop.accept_offer()

    async def tell_too_early(txid: str) -> None:
        await shop.receive(shop.provider.pay(txid))

    shop.provider.before_answer = tell_too_early
    await payments.charge(shop.app, payment_id=payment.id)
    await shop.apply_events()
    assert (await shop.read(payment.id)).state == "paid" and len(await shop.list_deliveries(payment)) == 1
