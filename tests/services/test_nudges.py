"""Reminders, downsells and upsells on real rows: each once, or not at all when what it was for is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from grimbots.services import nudges, stories, takeovers, timers
from grimbots.services.funnels import versions
from grimbots.tests.conftest import Clock
from grimbots.tests.queue.desks import wait_until
from grimbots.tests.services.sales import FUNNEL, PRICE_CENTS, Sale
from grimbots.tests.services.shops import Shop
from grimbots.tests.services.workers import work

Query = Callable[..., list[Any]]
HALF = [{**step, "text": "Nova metade"} if step["id"] == "half" else step for step in FUNNEL["steps"]]


@pytest.fixture
def sale(io_loop: Any, shop: Shop, query: Query) -> Sale:
    """Give a buyer at a bot that sells by nudges."""
    made: Sale = io_loop.run_sync(Sale(shop, query).open)
    return made


async def find_lead(sale: Sale) -> Any:
    key = {"account_id": sale.shop.tenant.account_id, "bot_id": sale.shop.tenant.bot_id}
    return await sale.shop.app.db.leads.find_by_chat(**key, chat_id=sale.buyer.chat_id)


@pytest.mark.gen_test
async def test_each_comes_at_its_time_once(sale: Sale, clock: Clock, query: Query) -> None:
    await sale.order()
    assert await sale.fire() == []
    clock.move(minutes=10)
    claimed = await sale.claim()
    jobs = await sale.give(claimed)
    assert sale.list_said() == ["pix"] and len(jobs) == 1
    assert await sale.give(claimed) == jobs  # it may have died before it handed them on
    assert sale.list_said() == ["pix"]
    assert query("SELECT count(*) FROM moves WHERE cause LIKE 't:%%'") == [(1,)]
    clock.move(minutes=10)
    await sale.fire()
    assert sale.list_said() == ["pix", "half"]
    clock.move(days=7)
    assert await sale.fire() == []
    assert query("SELECT count(*) FROM timers WHERE kind = 'nudges.give' AND status <> 'fired'") == [(0,)]


@pytest.mark.gen_test
async def test_who_pays_between_claim_and_fire_is_left_in_peace(sale: Sale, clock: Clock) -> None:
    payment = await sale.order()
    clock.move(minutes=20)
    claimed = await sale.claim()
    assert len(claimed) == 2
    await sale.pay(payment)
    assert await sale.give(claimed) == [] == sale.list_said()
    clock.move(minutes=5)
    await sale.fire()
    assert sale.list_said() == ["more"]


@pytest.mark.gen_test
async def test_who_has_blocked_the_bot_hears_nothing_later_either(sale: Sale, clock: Clock) -> None:
    await sale.order()
    await sale.buyer.handle(sale.buyer.make_membership("kicked"))
    clock.move(minutes=20)
    assert await sale.fire() == []
    await sale.buyer.handle(sale.buyer.make_membership("member"))
    assert sale.list_said() == [] == await sale.fire()
    lead = await find_lead(sale)
    said = await stories.explain(sale.shop.app, lead, "half", "pt-BR", ZoneInfo("UTC"))
    assert [line for line in said if "bloqueado" in line] == [
        f"downsell de {clock().strftime('%d/%m/%Y %H:%M')} não foi enviado: a pessoa tinha bloqueado o bot"
    ]


@pytest.mark.gen_test
async def test_what_comes_while_a_person_has_the_chat_is_left_out(sale: Sale, clock: Clock) -> None:
    await sale.order()
    lead = await find_lead(sale)
    key = {"account_id": lead.account_id, "lead_id": lead.id}
    await takeovers.take(sale.shop.app, **key, hours=1, actor="test")
    clock.move(minutes=20)
    assert await sale.fire() == []
    await takeovers.give_back(sale.shop.app, **key, actor="test")
    clock.move(days=1)
    assert await sale.fire() == [] == sale.list_said()
    said = await stories.explain(sale.shop.app, await find_lead(sale), "pix", "en", ZoneInfo("UTC"))
    assert any(line.endswith("was left out: a person had the chat") for line in said)


@pytest.mark.gen_test
@pytest.mark.parametrize("state", ["refunded", "charged_back", "disputed"])
async def test_no_upsell_follows_money_that_was_given_back(sale: Sale, clock: Clock, query: Query, state: str) -> None:
    payment = await sale.order()
    await sale.pay(payment)
    query("UPDATE payments SET state = %s WHERE id = %s", state, payment.id)
    clock.move(minutes=5)
    assert await sale.fire() == [] == sale.list_said()


@pytest.mark.gen_test
async def test_the_price_is_the_versions_whatever_the_client_says(sale: Sale, clock: Clock, query: Query) -> None:
    payment = await sale.order()
    assert payment.amount_cents == PRICE_CENTS
    clock.move(minutes=20)
    await sale.fire()
    good = sale.buyer.find_button("Sim")
    mark, step, _, nonce = good.split(":")
    forged = [
        f"{mark}:{step}:accept_1:{nonce}",
        f"{good}:1",
        f"{mark}:course:accept:{nonce}",
        "downsell_0_1_0",
        "buy_0",
    ]
    for data in forged:
        assert await sale.buyer.handle(sale.buyer.make_tap(data)) == []
    assert query("SELECT count(*) FROM payments") == [(1,)]
    await versions.publish(sale.shop.app, sale.shop.tenant.account_id, {**FUNNEL, "steps": HALF}, {}, actor="test")
    await sale.buyer.handle(sale.buyer.make_tap(good))
    assert (await sale.charge()).amount_cents == PRICE_CENTS // 2


@pytest.mark.gen_test
async def test_a_new_version_changes_nothing_of_what_was_planned(sale: Sale, clock: Clock, query: Query) -> None:
    await sale.order()
    await versions.publish(sale.shop.app, sale.shop.tenant.account_id, {**FUNNEL, "steps": HALF}, {}, actor="test")
    clock.move(minutes=20)
    await sale.fire()
    ((text,),) = query("SELECT body ->> 'text' FROM messages WHERE step = 'half'")
    assert text == "Metade: R$ 9,95"


@pytest.mark.gen_test
async def test_a_timer_of_one_account_moves_no_lead_of_another(
    shops: list[Shop], query: Query, clock: Clock, sale: Sale
) -> None:
    other = await Sale(shops[1], query).open()
    await other.order()
    await sale.order()
    ((others_lead,),) = query("SELECT id FROM leads WHERE account_id = %s", other.shop.tenant.account_id)
    clock.move(minutes=20)
    claimed = [one for one in await sale.claim() if one.account_id == sale.shop.tenant.account_id]
    for timer in claimed:
        await nudges.give(sale.shop.app, timer_id=timer.id, **{**timer.payload, "lead_id": others_lead})
    assert query("SELECT count(*) FROM messages WHERE cause LIKE 't:%%'") == [(0,)]
    assert query("SELECT count(*) FROM moves WHERE cause LIKE 't:%%'") == [(0,)]


@pytest.mark.gen_test(timeout=60)
async def test_a_downsell_comes_through_the_queue(sale: Sale, clock: Clock, fake_telegram: Any) -> None:
    await sale.order()
    clock.move(minutes=20)
    async with work(sale.shop.app):
        await timers.fire_due(sale.shop.app)
        await wait_until(lambda: {"pix", "half"} <= {*sale.list_said()})
        await wait_until(
            lambda: sale.query("SELECT DISTINCT status FROM messages WHERE cause LIKE 't:%%'") == [("sent",)]
        )
    assert sorted(sale.list_said()) == ["half", "pix"]


@pytest.mark.gen_test
async def test_a_payment_says_which_offer_sold_each_thing(sale: Sale, clock: Clock, query: Query) -> None:
    await sale.order()
    clock.move(minutes=20)
    await sale.fire()
    await sale.buyer.tap("Sim")
    other = Sale(sale.shop, query, chat_id=4243)
    await other.pay(await other.order())
    clock.move(minutes=5)
    await other.fire()
    await other.buyer.tap("Mais")
    assert [items for (items,) in query("SELECT items FROM payments ORDER BY id")] == [
        [{"offer": "course", "name": "Curso", "price_cents": PRICE_CENTS}],
        [{"offer": "half", "name": "Curso", "price_cents": PRICE_CENTS // 2}],
        [{"offer": "course", "name": "Curso", "price_cents": PRICE_CENTS}],
        [{"offer": "more", "name": "Mais", "price_cents": 500}],
    ]
