"""The page of messages that did not arrive, and its two acts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grimbots.tests.handlers.admin.goods import Goods, stock
from grimbots.tests.handlers.admin.readers import Reader
from grimbots.tests.services.shops import Shop

PATH = "/sales/tenant1/messages"


@pytest.fixture
def goods(io_loop: Any, shop: Shop, query: Callable[..., list[Any]]) -> Goods:
    """Give the first account a delivery that failed."""

    async def make() -> Goods:
        return await stock(shop, query)

    made: Goods = io_loop.run_sync(make)
    return made


@pytest.mark.gen_test
async def test_page_shows_what_did_not_arrive(owner: Reader, goods: Goods) -> None:
    page = (await owner.get(PATH)).text
    for word in (goods.mark, "entrega de um pagamento", "a pessoa fica sem ele", "tentativas: 3", "texto"):
        assert word in page
    assert "Pago e ainda não entregue: 1" in (await owner.get("/sales/tenant1")).text


@pytest.mark.gen_test
async def test_page_warns_of_a_message_that_may_have_arrived(
    owner: Reader, goods: Goods, query: Callable[..., list[Any]]
) -> None:
    query("UPDATE messages SET status = 'uncertain', sending_at = planned_at WHERE id = %s", goods.message_id)
    query("UPDATE leads SET status = 'blocked'")
    page = (await owner.get(PATH)).text
    assert "O Telegram pode ter recebido" in page
    assert "A pessoa bloqueou o bot" in page


@pytest.mark.gen_test
async def test_resend_puts_it_back_and_says_so(owner: Reader, goods: Goods, query: Callable[..., list[Any]]) -> None:
    page = await owner.follow(await owner.post(f"{PATH}/{goods.message_id}/resend"))
    assert "A mensagem voltou para a fila" in page.text
    assert "Tudo chegou" in page.text
    assert query("SELECT status FROM messages WHERE id = %s", goods.message_id) == [("planned",)]


@pytest.mark.gen_test
async def test_discard_gives_it_up_and_says_so(owner: Reader, goods: Goods, query: Callable[..., list[Any]]) -> None:
    page = await owner.follow(await owner.post(f"{PATH}/{goods.message_id}/discard"))
    assert "A mensagem foi descartada" in page.text
    assert query("SELECT status FROM messages WHERE id = %s", goods.message_id) == [("discarded",)]


@pytest.mark.gen_test
async def test_second_of_two_people_is_told_that_it_changed(owner: Reader, goods: Goods) -> None:
    await owner.post(f"{PATH}/{goods.message_id}/discard")
    page = await owner.follow(await owner.post(f"{PATH}/{goods.message_id}/resend"))
    assert "já tinha mudado de situação" in page.text


@pytest.mark.gen_test
@pytest.mark.parametrize("place", ["1/resend", "999999999999999999/discard"])
async def test_act_on_no_message_is_no_page(owner: Reader, goods: Goods, place: str) -> None:
    assert (await owner.post(f"{PATH}/{place}")).status == 404
