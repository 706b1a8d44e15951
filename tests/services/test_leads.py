from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from grimbots.services import leads
from grimbots.services.arrivals import Person
from grimbots.services.funnels.walks import ORDERS_KEPT, Item, Order, Tap, Walk
from grimbots.tests.services.funnels.samples import NOW, make_walk

ANA = Person("Ana", "Lima", "ana", "pt-br")


async def lock(app: Any, tenant: Any, person: Person = ANA, chat_id: int = 42) -> Any:
    """Meet a lead in a transaction of its own."""
    bot = await app.bots.by_id(app, tenant.bot_id)
    async with app.db.transaction() as tx:
        return await leads.lock(tx, bot, chat_id, person, app.clock())


@pytest.mark.gen_test
async def test_lock_makes_one_lead_of_a_chat_in_a_bot(app: Any, accounts: Any) -> None:
    first, again = await lock(app, accounts[0]), await lock(app, accounts[0])
    other = await lock(app, accounts[1])
    assert (first.id, first.account_id) == (again.id, accounts[0].account_id)
    assert (other.id != first.id, other.account_id) == (True, accounts[1].account_id)


@pytest.mark.gen_test
async def test_lock_takes_new_names(app: Any, accounts: Any) -> None:
    await lock(app, accounts[0])
    lead = await lock(app, accounts[0], Person("Bia"))
    assert (lead.first_name, lead.last_name, lead.username, lead.language_code) == ("Bia", "", "", "pt-br")


@pytest.mark.gen_test
async def test_lock_takes_the_largest_id_telegram_gives(app: Any, accounts: Any) -> None:
    assert (await lock(app, accounts[0], chat_id=2**53 - 1)).chat_id == 2**53 - 1


@pytest.mark.gen_test
async def test_walk_of_a_new_lead_has_not_started(app: Any, accounts: Any) -> None:
    names = {"first_name": "Ana", "last_name": "Lima", "username": "ana", "start_param": ""}
    assert leads.walk(app, await lock(app, accounts[0])) == Walk(variables=names)


@pytest.mark.gen_test
async def test_save_keeps_everything_of_a_walk(app: Any, accounts: Any) -> None:
    lead = await lock(app, accounts[0])
    item = Item("offer", "Curso", 1990)
    order = Order("charge", (item,), 5, "00020126", NOW + timedelta(minutes=30), closed=True)
    walk = replace(
        leads.walk(app, lead),
        step="charge",
        basket=(item,),
        orders=(Order("charge", ()), order),
        tap=Tap("n", "0", NOW),
    )
    async with app.db.transaction() as tx:
        await leads.save(app, tx, lead, walk)
    async with app.db.transaction() as tx:
        saved = await leads.lock_by_id(tx, account_id=lead.account_id, lead_id=lead.id)
    assert leads.walk(app, saved) == walk


@pytest.mark.gen_test
async def test_lock_by_id_gives_nothing_of_another_account(app: Any, accounts: Any) -> None:
    lead = await lock(app, accounts[0])
    async with app.db.transaction() as tx:
        assert await leads.lock_by_id(tx, account_id=accounts[1].account_id, lead_id=lead.id) is None


def test_a_walk_forgets_old_orders_that_ended_and_none_that_is_open() -> None:
    walk = make_walk(orders=(Order("charge", (), 1),))
    for number in range(2, 30):
        walk = walk.with_order(Order("charge", (), number, closed=True), NOW)
    walk = walk.with_order(Order("charge", (), 30), NOW)
    assert [order.payment_id for order in walk.orders] == [1, *range(30 - ORDERS_KEPT, 30), 30]
