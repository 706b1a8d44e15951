"""The page of chats that a person has: taken over, listed, given back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from grimbots.tests.handlers.admin.goods import Goods, stock
from grimbots.tests.handlers.admin.readers import Reader
from grimbots.tests.services.shops import Shop

PATH = "/sales/tenant1/chats"
FORM = {"bot": "@tenant1_bot", "lead": "501", "hours": "2"}


@pytest.fixture
def goods(io_loop: Any, shop: Shop, query: Callable[..., list[Any]]) -> Goods:
    """Give the first account a lead."""
    made: Goods = io_loop.run_sync(partial(stock, shop, query))
    return made


@pytest.mark.gen_test
async def test_a_chat_is_taken_over_and_given_back(
    owner: Reader, goods: Goods, query: Callable[..., list[Any]]
) -> None:
    page = await owner.follow(await owner.post(PATH, FORM))
    assert "A conversa é sua" in page.text and goods.mark in page.text
    assert query("SELECT actor FROM takeovers")[0][0].startswith("user:")
    page = await owner.follow(await owner.post(f"{PATH}/{goods.lead_id}/return"))
    assert "O bot está com a conversa de novo" in page.text and "Os bots estão com todas" in page.text
    again = await owner.follow(await owner.post(f"{PATH}/{goods.lead_id}/return"))
    assert again.status == 200


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lead": "999"}, "não conhece essa pessoa"),
        ({"bot": "x"}, "não conhece essa pessoa"),
        ({"hours": "0"}, "de 1 a 720"),
    ],
)
async def test_what_is_wrong_is_said(owner: Reader, goods: Goods, changes: dict[str, str], said: str) -> None:
    page = await owner.follow(await owner.post(PATH, {**FORM, **changes}))
    assert said in page.text
