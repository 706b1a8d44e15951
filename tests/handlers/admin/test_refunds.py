"""Giving money back on the sales pages: asked for on a page of its own, once, by those who may."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from grimbots.services import ledger, refunds
from grimbots.tests.handlers.admin.readers import Reader
from grimbots.tests.services.returning import receive
from grimbots.tests.services.shops import Shop

Query = Callable[..., list[Any]]


@pytest.fixture
def payment(io_loop: Any, shop: Shop) -> Any:
    """Give a paid sale of the first account."""

    async def make() -> Any:
        made = await shop.charge()
        shop.provider.pay(made.txid)
        await receive(shop, made, "E1")
        return await shop.read(made.id)

    return io_loop.run_sync(make)


@pytest.fixture(params=["operator", "viewer"])
def onlooker(request: pytest.FixtureRequest, enter: Callable[..., Reader], accounts: Any) -> Reader:
    """Give each of those who may not give money back."""
    return enter(request.param, accounts[0].name, role=request.param)


def read_form(page: str) -> dict[str, str]:
    """Give what the form that asks has in it, without its guard."""
    return {name: value for name, value in re.findall(r'name="(\w+)"[^>]* value="([^"]*)"', page) if name != "form"}


@pytest.mark.gen_test
async def test_page_asks_first_and_a_double_click_refunds_once(
    owner: Reader, payment: Any, shop: Shop, query: Query
) -> None:
    path = f"/sales/tenant1/payments/{payment.id}"
    story = (await owner.get(path)).text
    assert f"{path}/refund?transfer=E1" in story and "saldo no provedor" in story
    form = read_form((await owner.get(f"{path}/refund?transfer=E1")).text)
    assert form["amount"] == "19.90" and query("SELECT count(*) FROM payment_returns") == [(0,)]
    for _ in range(2):
        page = await owner.follow(await owner.post(f"{path}/refund", form))
    assert "devolução pedida" in page.text and query("SELECT count(*) FROM payment_returns") == [(1,)]
    ((return_id,),) = query("SELECT id FROM payment_returns")
    await refunds.do(shop.app, return_id=return_id)
    page = await owner.get(path)
    assert "o vendedor devolve" in page.text and "devolvido" in page.text


@pytest.mark.gen_test
@pytest.mark.parametrize("amount", ["19.91", "0", "-5", "x", ""])
async def test_what_cannot_go_back_is_said_and_not_done(owner: Reader, payment: Any, query: Query, amount: str) -> None:
    path = f"/sales/tenant1/payments/{payment.id}/refund"
    form = read_form((await owner.get(f"{path}?transfer=E1")).text) | {"amount": amount}
    page = await owner.post(path, form)
    assert "Nada foi devolvido" in page.text and query("SELECT count(*) FROM payment_returns") == [(0,)]


@pytest.mark.gen_test
async def test_who_may_not_give_back_is_refused(onlooker: Reader, payment: Any, query: Query) -> None:
    path = f"/sales/tenant1/payments/{payment.id}"
    assert "/refund?" not in (await onlooker.get(path)).text
    assert (await onlooker.get(f"{path}/refund?transfer=E1")).status == 403
    refused = await onlooker.post(f"{path}/refund", {"transfer": "E1", "amount": "1", "key": "k" * 24})
    assert refused.status == 403 and query("SELECT count(*) FROM payment_returns") == [(0,)]


@pytest.mark.gen_test
async def test_commission_stands_on_the_sellers_page(owner: Reader, payment: Any, shop: Shop) -> None:
    assert "não retém nada" in (await owner.get("/sales/tenant1")).text
    await ledger.set_commission(shop.app, "tenant1", points=455, cents=30, actor="command")
    assert "4,55% e R$ 0,30" in (await owner.get("/sales/tenant1")).text.replace("\xa0", " ")


@pytest.mark.gen_test
async def test_stars_go_back_as_a_whole_and_are_no_reais(owner: Reader, payment: Any, query: Query) -> None:
    query("UPDATE payments SET currency = 'XTR'")
    path = f"/sales/tenant1/payments/{payment.id}"
    page = (await owner.get(f"{path}/refund?transfer=E1")).text.replace("\xa0", " ")
    form = read_form(page)
    assert "1.990 Stars" in page and "só devolve Stars por inteiro" in page and form["amount"] == "1990"
    story = await owner.follow(await owner.post(f"{path}/refund", form))
    assert query("SELECT amount_cents FROM payment_returns") == [(1990,)]
    assert "1.990 Stars" in story.text.replace("\xa0", " ") and "19,90" not in story.text
