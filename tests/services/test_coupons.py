"""Coupons on real rows: never more than there are, given back when a charge ends unpaid, each account its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from grimbots.services import coupons, payments
from grimbots.tests.conftest import Clock
from grimbots.tests.services.sales import PRICE_CENTS, Sale
from grimbots.tests.services.shops import Shop

Query = Callable[..., list[Any]]
USES = 7
CHEAP = PRICE_CENTS - PRICE_CENTS // 10


@pytest.fixture
def sale(io_loop: Any, shop: Shop, query: Query) -> Sale:
    """Give a buyer at a bot whose funnel has a coupon."""
    made: Sale = io_loop.run_sync(Sale(shop, query).open)
    return made


def count(query: Query) -> Any:
    """Give how many uses are counted, and how many there are."""
    ((taken,),) = query("SELECT taken FROM coupons")
    ((held,),) = query("SELECT count(*) FROM coupon_uses WHERE state = 'taken'")
    return taken, held


async def expire(sale: Sale, payment: Any) -> None:
    ((timer_id,),) = sale.query("SELECT id FROM timers WHERE kind = 'payments.expire' AND payment_id = %s", payment.id)
    await payments.expire(sale.shop.app, timer_id=timer_id, payment_id=payment.id)


@pytest.mark.gen_test(timeout=60)
async def test_of_fifty_at_once_as_many_get_it_as_there_are(sale: Sale, query: Query) -> None:
    takers = [Sale(sale.shop, query, chat_id=5000 + number) for number in range(50)]
    for taker in takers:
        await taker.buyer.say("/start BACK10")
    shown = "SELECT chat_id, body #>> '{reply_markup,inline_keyboard,0,0,callback_data}' FROM messages"
    buttons = dict(query(shown))
    await asyncio.gather(*(taker.buyer.handle(taker.buyer.make_tap(buttons[taker.buyer.chat_id])) for taker in takers))
    assert count(query) == (USES, USES)
    opened = [payment_id for (payment_id,) in query("SELECT id FROM payments ORDER BY id")]
    assert len(opened) == 50
    await asyncio.gather(*(payments.charge(sale.shop.app, payment_id=payment_id) for payment_id in opened))
    assert query("SELECT amount_cents, state, count(*) FROM payments GROUP BY 1, 2 ORDER BY 3") == [
        (CHEAP, "pending", USES),
        (CHEAP, "cancelled", 50 - USES),
    ]
    assert len(sale.shop.provider.charges) == USES
    assert count(query) == (USES, USES)  # a refusal gives nothing back that it had not taken


@pytest.mark.gen_test
async def test_a_use_is_given_back_by_the_charges_end_and_taken_again_by_late_money(
    sale: Sale, clock: Clock, query: Query
) -> None:
    payment = await sale.order("/start back10")
    assert (payment.amount_cents, count(query)) == (CHEAP, (1, 1))
    clock.move(minutes=30)
    await expire(sale, payment)
    assert count(query) == (0, 0)
    await sale.pay(payment)
    assert count(query) == (1, 1)
    query("UPDATE payments SET state = 'refunded' WHERE id = %s", payment.id)
    assert count(query) == (1, 1)
    (row,) = await coupons.list_all(sale.shop.app, sale.shop.tenant.name)
    assert (row.funnel, row.code, row.taken, row.paid, row.discount_cents) == ("ofertas", "BACK10", 1, 1, 199)


@pytest.mark.gen_test
async def test_who_comes_too_late_pays_the_full_price_at_a_tap(sale: Sale, clock: Clock, query: Query) -> None:
    await sale.order("/start BACK10")
    query("UPDATE coupons SET taken = %s", USES)
    late = Sale(sale.shop, query, chat_id=777)
    payment = await late.order("/start BACK10")
    assert payment.state == "cancelled"
    ((text,),) = query("SELECT body ->> 'text' FROM messages WHERE payment_id = %s", payment.id)
    assert text == "O cupom <b>BACK10</b> não vale mais. Sem ele, o valor é R$ 19,90."
    clock.move(seconds=5)
    await late.buyer.tap("Gerar novo código")
    assert (await late.charge()).amount_cents == PRICE_CENTS


@pytest.mark.gen_test
async def test_each_account_counts_its_own(sale: Sale, shops: list[Shop], query: Query) -> None:
    other = await Sale(shops[1], query).open()
    await sale.order("/start BACK10")
    await other.order("/start BACK10")
    assert query("SELECT account_id, taken FROM coupons ORDER BY account_id") == [
        (shop.tenant.account_id, 1) for shop in shops
    ]
    for shop in shops:
        assert [row.taken for row in await coupons.list_all(shop.app, shop.tenant.name)] == [1]
