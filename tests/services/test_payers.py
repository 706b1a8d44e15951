"""Payers: what a gateway needs of a buyer comes out of his own answers, and a funnel that never asks is found out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from grimbots.services import gateway_accounts, payers, payments
from grimbots.services.errors import Invalid
from grimbots.services.funnels import versions
from grimbots.services.funnels.definitions import read_version
from grimbots.services.funnels.walks import Walk
from grimbots.services.gateways.base import Payer
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.provider import FakeProvider
from grimbots.tests.rows import Query
from grimbots.tests.services.elsewhere import connect, offer
from grimbots.tests.services.shops import FUNNEL, Shop


def ask(step: str, answer: str, variable: str, follows: str) -> dict[str, Any]:
    """Write a question."""
    return {"id": step, "kind": "question", "text": "?", "answer": answer, "variable": variable, "next": follows}


ASKING = {
    **FUNNEL,
    "start": "q1",
    "steps": [
        ask("q1", "cpf", "documento", "q2"),
        ask("q2", "email", "email", "q3"),
        ask("q3", "phone", "fone", "q4"),
        ask("q4", "text", "nome", "q5"),
        ask("q5", "text", "cidade", "offer"),
        *FUNNEL["steps"],  # type: ignore[misc]
    ],
}


@pytest.fixture
def second(io_loop: Any, clock: Clock, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    """Give another provider, not connected yet."""
    offer(monkeypatch)
    fake = FakeProvider(clock)
    io_loop.run_sync(fake.start)
    yield fake
    io_loop.run_sync(fake.stop)


def test_a_payer_is_what_the_lead_answered_and_nothing_else() -> None:
    version, findings = read_version(ASKING, version_id=1, assets={})
    assert findings == []
    names = {"first_name": "Ana", "last_name": "Lima", "username": "ana"}
    walk = Walk(variables=names, answers={"documento": "529.982.247-25", "cidade": "Recife"})
    assert payers.read(version, walk) == Payer(tax_id="52998224725")
    walk = Walk(answers={"email": "ana@example.com", "fone": "+5511987654321", "nome": "Ana Lima"})
    assert payers.read(version, walk) == Payer(name="Ana Lima", email="ana@example.com", phone="+5511987654321")
    assert "Ana" not in repr(payers.read(version, walk))


@pytest.mark.gen_test
async def test_a_gateway_that_needs_what_nobody_told_is_passed_over(
    shop: Shop, second: FakeProvider, query: Query
) -> None:
    asking = await connect(shop, second, "asking")
    ((first_id,),) = query("SELECT id FROM gateway_accounts WHERE key = %s", shop.key)
    await gateway_accounts.arrange(shop.app, shop.tenant.account_id, [asking.id, first_id], "test")
    payment = await shop.charge()
    assert (payment.state, payment.gateway_account_id, second.calls) == ("pending", first_id, [])


@pytest.mark.gen_test
async def test_a_gateway_that_needs_a_cpf_is_asked_where_the_lead_told_it(
    shop: Shop, second: FakeProvider, query: Query
) -> None:
    await connect(shop, second, "asking", is_backup=False)
    published = await versions.publish(shop.app, shop.tenant.account_id, ASKING, {}, actor="test")
    payment = await shop.accept_offer()
    query("UPDATE payments SET version_id = %s WHERE id = %s", published.version_id, payment.id)
    query("UPDATE leads SET state = jsonb_set(state, '{answers}', %s::jsonb)", '{"documento": "529.982.247-25"}')
    await payments.charge(shop.app, payment_id=payment.id)
    assert (await shop.read(payment.id)).state == "pending" and len(second.charges) == 1


@pytest.mark.gen_test
async def test_the_seller_is_told_what_to_ask_for(shop: Shop, second: FakeProvider, query: Query) -> None:
    await connect(shop, second, "asking", is_backup=False)
    payment = await shop.charge()
    ((error,),) = query("SELECT error FROM payments WHERE id = %s", payment.id)
    assert payment.state == "cancelled" and "CPF" in error and "funnel ask" in error
    assert len(await shop.list_said(f"p:{payment.id}:failed")) == 1


@pytest.mark.gen_test
async def test_publishing_finds_a_charge_that_no_gateway_could_make(shop: Shop, second: FakeProvider) -> None:
    account_id, changed = shop.tenant.account_id, {**FUNNEL, "name": "outro"}
    backup = await connect(shop, second, "asking")
    await versions.publish(shop.app, account_id, changed, {}, actor="test")  # the first one needs nothing
    await gateway_accounts.arrange(shop.app, account_id, [backup.id], "test")
    with pytest.raises(Invalid, match=r"pay: .*CPF.*answer: cpf"):
        await versions.publish(shop.app, account_id, {**changed, "name": "mais"}, {}, actor="test")
    await versions.publish(shop.app, account_id, ASKING, {}, actor="test")
