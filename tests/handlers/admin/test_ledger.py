"""The book on the seller's pages: by month, to the cent, with what the provider and the platform keep, and as a CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from grimbots.services import ledger, sales
from grimbots.tests.browsers import DESK, TELEPHONE, browser
from grimbots.tests.conftest import Clock
from grimbots.tests.handlers.admin.barriers import find_barriers
from grimbots.tests.handlers.admin.readers import Reader
from grimbots.tests.handlers.admin.test_browser import open_window
from grimbots.tests.services.people import add_person
from grimbots.tests.services.returning import go_back, sell
from grimbots.tests.services.shops import Shop

__all__ = ["browser"]

Query = Callable[..., list[Any]]
PAGE = "/sales/tenant1/ledger"


@pytest.fixture
def book(io_loop: Any, app: Any, shop: Shop, clock: Clock) -> str:
    """Give the first account a sale of last month, and one of this month whose money went back; give this month."""

    async def make() -> str:
        await ledger.set_commission(app, "tenant1", points=1000, cents=0, actor="test")
        await sell(shop, 501, "E1", fee_cents=99)
        clock.move(minutes=31 * 24 * 60)
        await sell(shop, 502, "E2")
        await go_back(shop, await sell(shop, 503, "E3", fee_cents=50), of="E3")
        return f"{clock():%Y-%m}"

    made: str = io_loop.run_sync(make)
    return made


@pytest.mark.gen_test
async def test_month_shows_balances_fees_commission_and_what_is_unknown(book: str, owner: Reader, query: Query) -> None:
    page = (await owner.get(PAGE)).text
    assert f"{book[5:]}/{book[:4]}" in page and "10,00% e R$ 0,00" in page
    assert "de 1 transferências o provedor ainda não disse a tarifa" in page and "-R$" not in page
    ((held,),) = query(
        "SELECT sum(CASE 'provider' WHEN debit THEN amount_cents WHEN credit THEN -amount_cents ELSE 0 END)"
        " FROM ledger_entries"
    )
    assert f"R$ {int(held) // 100},{int(held) % 100:02d}" in page
    assert page.count("tarifa do provedor") == 1 and "devolução" in page
    old = (await owner.get(f"{PAGE}?month=2026-03")).text
    assert "R$ 0,99" in old and "devolução" not in old


@pytest.mark.gen_test
async def test_every_entry_is_on_some_page_once(
    book: str, owner: Reader, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sales, "PAGE_ROWS", 3)
    found, path = 0, PAGE
    for _ in range(20):
        page = await owner.get(path)
        found += page.html.count("<time ")
        if 'rel="next">Mais' not in page.html:
            break
        path = page.text.rpartition('rel="next">Mais')[0].rpartition('href="')[2].partition('"')[0]
    assert [(found,)] == query(
        "SELECT count(*) FROM ledger_entries WHERE to_char(booked_at AT TIME ZONE 'America/Sao_Paulo', 'YYYY-MM') = %s",
        book,
    )


@pytest.mark.gen_test
async def test_csv_has_every_entry_of_the_month_and_its_numbers_are_numbers(
    book: str, owner: Reader, query: Query
) -> None:
    file = await owner.get(f"{PAGE}.csv?month={book}")
    assert f'filename="tenant1-{book}-BRL.csv"' in file.headers["Content-Disposition"]
    head, *rows = csv.reader(io.StringIO(file.html.lstrip("\N{ZERO WIDTH NO-BREAK SPACE}")))
    assert tuple(head) == ledger.COLUMNS and rows
    assert all(int(row[5]) > 0 and row[0].startswith(book) for row in rows)
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)


@pytest.mark.gen_test
async def test_difference_of_a_recount_is_shown_with_its_payment(book: str, owner: Reader, query: Query) -> None:
    assert "dão o que o livro diz" in (await owner.get(PAGE)).text
    ((payment_id,),) = query(
        "INSERT INTO ledger_differences SELECT account_id, id, 'earned', 5, -7, now() FROM payments"
        " ORDER BY id LIMIT 1 RETURNING payment_id"
    )
    page = (await owner.get(PAGE)).text
    assert "Nenhum valor foi mudado" in page and f"/payments/{payment_id}" in page and "-R$ 0,07" in page


@pytest.mark.gen_test
async def test_what_is_no_month_and_no_currency_is_refused(owner: Reader) -> None:
    for asked in ("month=2026-13", "month=1999-01", "month=x", "currency=USD", "before=x"):
        assert (await owner.get(f"{PAGE}?{asked}")).status == 400, asked


@pytest.mark.gen_test
async def test_stars_are_a_book_of_their_own(book: str, owner: Reader) -> None:
    page = (await owner.get(f"{PAGE}?currency=XTR")).text
    assert "0 Stars" in page and "Nada se moveu" in page


@pytest.mark.browser
@pytest.mark.gen_test
@pytest.mark.usefixtures("http_server")
async def test_months_are_leafed_through_in_a_browser(browser: Any, base_url: str, book: str, app: Any) -> None:
    await add_person(app, "ana", "tenant1")
    window = await open_window(browser, base_url, TELEPHONE, "dark")
    await window.log_in()
    await window.open(PAGE)
    assert await find_barriers(window.page) == []
    await window.page.click("a[rel=prev]")
    await window.page.wait_for_selector("td:has-text('0,99')")
    await window.page.set_viewport_size(DESK)
    await window.look_at("ledger-before")
    await window.page.click(".segments a:has-text('Stars')")
    await window.page.wait_for_selector(".empty")
    assert window.complaints == []
