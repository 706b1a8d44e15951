"""Every form and link of the pages leads to a route that takes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from grimbots.handlers.routes import routes
from grimbots.tests.handlers.admin.goods import stock
from grimbots.tests.handlers.admin.readers import Reader
from grimbots.tests.services.shops import Shop

LINK = re.compile(r'(?:href|action)="(/[^"?#]*)')
ACCOUNT = "/sales/tenant1"


@pytest.fixture
def pages(io_loop: Any, shop: Shop, query: Callable[..., list[Any]]) -> list[str]:
    """Give an account something of everything, a dead bot among it; give the pages to begin at."""
    goods = io_loop.run_sync(partial(stock, shop, query))
    query("UPDATE bots SET status = 'dead', status_reason = 'x'")
    return [
        ACCOUNT,
        "/admin/queues",
        *(
            f"{ACCOUNT}/{name}"
            for name in ("bots", "messages", "events", "gateways", "ledger", f"payments/{goods.payment_id}")
        ),
        *(f"{ACCOUNT}/privacy{rest}" for rest in ("", f"/{goods.lead_id}", f"/{goods.lead_id}/erase")),
    ]


@pytest.mark.gen_test
async def test_every_form_and_link_of_a_page_leads_to_a_route(pages: list[str], app: Any, owner: Reader) -> None:
    patterns = [re.compile(pattern) for pattern, _ in routes(app.settings)]
    found: set[str] = set()
    for page in pages:
        seen = await owner.get(page)
        found |= set(LINK.findall(seen.html))
    assert {f"{ACCOUNT}/bots", "/logout"} <= found
    assert any(path.endswith("/token") for path in found)
    assert [path for path in found if not any(pattern.fullmatch(path) for pattern in patterns)] == []
