"""One payment and its lead, locked: what another transaction did meanwhile is seen, and nobody waits in a circle."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from grimbots.services import leads
from grimbots.services.cases import open_case
from grimbots.tests.services.shops import Shop
from grimbots.tests.sql.deadlines import become_true

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.mark.gen_test
async def test_who_waited_sees_what_the_other_did(shop: Shop, query: Any) -> None:
    payment = await shop.charge()

    async def look() -> tuple[str, str]:
        async with open_case(shop.app, payment) as case:
            return case.payment.state, case.lead.step

    async with open_case(shop.app, payment) as case:
        waiter = asyncio.create_task(look())
        await become_true(lambda: query(WAITING) == [(1,)])
        await case.move("expired", actor="test", reason="too late")
        await leads.save(shop.app, case.tx, case.lead, replace(leads.walk(shop.app, case.lead), step="gone"))
    assert await waiter == ("expired", "gone")


@pytest.mark.gen_test
async def test_a_case_waits_for_who_holds_the_lead_alone(shop: Shop, query: Any) -> None:
    """The lead is locked first: who holds it may still take the payment."""
    payment = await shop.charge()
    of_account = {"account_id": payment.account_id}

    async def enter() -> None:
        async with open_case(shop.app, payment):
            pass

    async with shop.app.db.transaction() as tx:
        await leads.lock_by_id(tx, **of_account, lead_id=payment.lead_id)
        waiter = asyncio.create_task(enter())
        await become_true(lambda: query(WAITING) == [(1,)])
        await tx.payments.lock(**of_account, payment_id=payment.id)
    await waiter
