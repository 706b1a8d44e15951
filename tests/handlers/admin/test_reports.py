"""The reports page and its CSV: the same figures as the table of figures, in words, and no stranger's text as code."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from grimbots.handlers.admin import reports
from grimbots.handlers.admin.bars import HEIGHT, WIDTH, draw
from grimbots.tests.handlers.admin.goods import advertise, sell
from grimbots.tests.handlers.admin.readers import Reader
from grimbots.tests.services.shops import PRICE_CENTS, Shop

Query = Callable[..., list[Any]]
NASTY = "=cmd|' /C calc'!A0<script>alert(1)</script>"


@pytest.mark.gen_test
async def test_reports_shows_the_way_from_click_to_revenue(owner: Reader, shop: Shop, query: Query) -> None:
    await sell(shop, 501, PRICE_CENTS)
    await advertise(shop, query)
    page = (await owner.get("/sales/tenant1/reports?days=30")).text
    for word in ("Lançamento de março", "facebook", "(sem origem)", "@tenant1_bot", "R$ 19,90", "Receita por dia"):
        assert word in page
    ((clicks, starts),) = query("SELECT (SELECT count(*) FROM clicks), (SELECT count(*) FROM starts)")
    assert f"<dd>{clicks}</dd>" in page
    assert f"{starts * 100 / clicks:.1f}%".replace(".", ",") + " iniciaram o bot" in page


@pytest.mark.gen_test
async def test_sales_shows_how_many_starts_have_a_known_click(owner: Reader, shop: Shop, query: Query) -> None:
    assert "clique conhecido" not in (await owner.get("/sales/tenant1")).text
    await sell(shop, 501, PRICE_CENTS)
    await advertise(shop, query)
    assert "100,0% dos inícios com clique conhecido" in (await owner.get("/sales/tenant1?days=30")).text


@pytest.mark.gen_test
async def test_reports_of_an_account_without_any_say_what_to_do(owner: Reader, accounts: Any) -> None:
    assert "grimbots pool add" in (await owner.get("/sales/tenant1/reports")).text


@pytest.mark.gen_test
async def test_csv_holds_every_line_and_no_formula(owner: Reader, shop: Shop, query: Query) -> None:
    await sell(shop, 501, PRICE_CENTS)
    await advertise(shop, query)
    query("UPDATE clicks SET utm_campaign = %s WHERE utm_source = 'facebook'", NASTY)
    answer = await owner.get("/sales/tenant1/reports.csv?days=30")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="tenant1-2026-02-01-2026-03-02.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.html.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}"))))
    ((clicks,),) = query("SELECT count(*) FROM clicks")
    assert sum(int(row["clicks"]) for row in rows) == clicks
    assert {row["campaign"] for row in rows if row["source"] == "facebook"} == {f"'{NASTY}"}
    page = await owner.get("/sales/tenant1/reports?days=30")
    assert (NASTY in page.text, "<script" in page.html) == (True, False)


@pytest.mark.gen_test
async def test_page_shows_the_largest_lines_and_says_so(
    owner: Reader, shop: Shop, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MOST_LINES", 2)
    await sell(shop, 501, PRICE_CENTS)
    await advertise(shop, query)
    page = (await owner.get("/sales/tenant1/reports?days=30")).text
    assert "Só os 2 maiores estão aqui" in page
    assert page.count("Remarketing | quente") + page.count("Lançamento de março") == 2


@pytest.mark.gen_test
@pytest.mark.parametrize("query_string", ["days=2", "days=", "days=x"])
async def test_odd_addresses_are_refused_in_words(owner: Reader, accounts: Any, query_string: str) -> None:
    page = await owner.get(f"/sales/tenant1/reports?{query_string}")
    assert (page.status, "O pedido não faz sentido" in page.text) == (400, True)


def test_bars_stay_in_the_field_and_little_is_seen() -> None:
    chart = draw([[0, 1, 1000], [500, 0, 2]], [["a", "b", "c"], ["d", "e", "f"]])
    assert chart.most == 1000
    assert [bar.label for bar in chart.bars] == ["b", "c", "d", "f"]
    assert max(bar.x + bar.width for bar in chart.bars) <= WIDTH
    assert all(bar.y + bar.height == pytest.approx(HEIGHT) and bar.height >= 2 for bar in chart.bars)
    assert draw([], []).bars == draw([[0]], [["a"]]).bars == []
