from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from grimbots.services import effects, leads
from grimbots.services.arrivals import Person
from grimbots.services.funnels import versions
from grimbots.services.funnels.effects import NONCE, Charge, Say, Verify
from grimbots.services.funnels.walks import Item, Order
from grimbots.tests.services.funnels.samples import FILES, FUNNEL

CAUSE = "u:1:2"
ITEMS = (Item("offer", "Curso", 1990),)
CHARGE = Charge("charge", ITEMS, 1990, 1800, "Curso")
BUTTONS = [[{"text": "a", "callback_data": "v1:welcome:0:" + NONCE}], [{"text": "b", "url": "https://example.com"}]]
SAY = Say("welcome", "sendMessage", {"text": "{nonce}", "reply_markup": {"inline_keyboard": BUTTONS}})


class Desk:
    """A lead of the first account with a published funnel, for whom effects are planned."""

    def __init__(self, app: Any, account_id: int, bot_id: int, version_id: int) -> None:
        self.app, self.account_id, self.bot_id, self.version_id = app, account_id, bot_id, version_id

    async def plan(self, *planned: Any, cause: str = CAUSE) -> list[str]:
        """Plan in a transaction of its own; returns the ids of the jobs."""
        bot = await self.app.bots.by_id(self.app, self.bot_id)
        now = self.app.clock()
        async with self.app.db.transaction() as tx:
            lead = await leads.lock(tx, bot, 42, Person("Ana"), now)
            walk = replace(leads.walk(self.app, lead), version_id=self.version_id, orders=(Order("charge", ITEMS),))
            await leads.save(self.app, tx, lead, walk)
            jobs = await effects.plan(self.app, tx, cause=cause, lead=lead, version_id=self.version_id, effects=planned)
        return [job.id for job in jobs]

    async def list_pending(self, account_id: int) -> list[str]:
        return [job.id for job in await effects.pending(self.app.db, account_id=account_id, cause=CAUSE)]


@pytest.fixture
def desk(app: Any, accounts: Any, io_loop: Any) -> Desk:
    """Give the first account's desk."""

    async def make() -> Desk:
        published = await versions.publish(app, accounts[0].account_id, FUNNEL, FILES, actor="command")
        return Desk(app, accounts[0].account_id, accounts[0].bot_id, published.version_id)

    made: Desk = io_loop.run_sync(make)
    return made


@pytest.mark.gen_test
async def test_plan_gives_each_effect_its_ordinals_job(desk: Desk) -> None:
    assert await desk.plan(SAY, CHARGE, Verify(5)) == [f"{CAUSE}#0", f"{CAUSE}#1", f"{CAUSE}#2"]


@pytest.mark.gen_test
async def test_plan_again_gives_the_same_rows(desk: Desk, query: Callable[..., Any]) -> None:
    assert await desk.plan(SAY, CHARGE) == await desk.plan(SAY, CHARGE)
    assert query("SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM payments)") == [(1, 1)]


@pytest.mark.gen_test
async def test_plan_fills_the_nonce_into_callback_buttons_only(desk: Desk, query: Callable[..., Any]) -> None:
    await desk.plan(SAY, SAY)
    (body, nonce), (_, other) = query("SELECT body, nonce FROM messages ORDER BY id")
    assert body["reply_markup"]["inline_keyboard"][0] == [{"text": "a", "callback_data": f"v1:welcome:0:{nonce}"}]
    assert body["reply_markup"]["inline_keyboard"][1] == BUTTONS[1]
    assert body["text"] == "{nonce}"
    assert nonce != other


@pytest.mark.gen_test
async def test_plan_gives_no_nonce_to_a_message_without_our_buttons(desk: Desk, query: Callable[..., Any]) -> None:
    link = {"text": "a", "reply_markup": {"inline_keyboard": [BUTTONS[1]]}}
    await desk.plan(replace(SAY, body={"text": "a"}), replace(SAY, body=link))
    assert query("SELECT nonce FROM messages") == [(None,), (None,)]


@pytest.mark.gen_test
async def test_plan_binds_the_newest_order_to_its_payment(desk: Desk, query: Callable[..., Any]) -> None:
    await desk.plan(CHARGE)
    ((payment_id,),) = query("SELECT id FROM payments")
    ((state,),) = query("SELECT state FROM leads")
    assert [order["payment_id"] for order in state["orders"]] == [payment_id]


@pytest.mark.gen_test
async def test_plan_notes_what_a_message_delivers(desk: Desk, query: Callable[..., Any]) -> None:
    await desk.plan(CHARGE)
    ((payment_id,),) = query("SELECT id FROM payments")
    delivery = replace(SAY, step="delivery", payment_id=payment_id, delivery=True)
    await desk.plan(delivery, cause="p:1:paid")
    await desk.plan(delivery, cause="p:1:paid")
    noted = query("SELECT payment_id, step, status FROM deliveries")
    assert noted == [(payment_id, "delivery", "planned")]


@pytest.mark.gen_test
async def test_pending_gives_what_is_not_done_in_order(desk: Desk, query: Callable[..., Any]) -> None:
    await desk.plan(SAY, CHARGE, SAY, SAY)
    query("UPDATE messages SET status = 'sent', sent_at = planned_at WHERE ordinal = 2")
    query("UPDATE messages SET status = 'sending', sending_at = planned_at WHERE ordinal = 3")
    assert await desk.list_pending(desk.account_id) == [f"{CAUSE}#0", f"{CAUSE}#1", f"{CAUSE}#3"]


@pytest.mark.gen_test
async def test_pending_gives_nothing_of_another_account(desk: Desk, accounts: Any) -> None:
    await desk.plan(SAY, CHARGE)
    assert await desk.list_pending(accounts[1].account_id) == []
