"""What is kept of a person, on the seller's page: found, shown, handed out and erased, by whom it may be, on record."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from grimbots.handlers.admin.privacy import TERMS
from grimbots.handlers.admin.texts_privacy_portuguese import PRIVACY
from grimbots.services.personal_data import HOLDINGS
from grimbots.tests.browsers import TELEPHONE, browser
from grimbots.tests.handlers.admin.barriers import find_barriers
from grimbots.tests.handlers.admin.readers import Reader
from grimbots.tests.handlers.admin.test_browser import open_window
from grimbots.tests.queue.desks import wait_until
from grimbots.tests.services.people import add_person
from grimbots.tests.services.shops import Shop
from grimbots.tests.services.tellers import CHAT, CPF, EMAIL, PERSON, Teller
from grimbots.tests.services.workers import work

__all__ = ["browser"]

Query = Callable[..., list[Any]]
PAGE = "/sales/tenant1/privacy"


@pytest.fixture
def teller(io_loop: Any, shop: Shop, query: Query) -> Teller:
    """Give somebody who has told everything and paid."""

    async def make() -> Teller:
        teller = await Teller(shop, query).open()
        payment = await teller.tell()
        await shop.receive(shop.provider.pay(payment.txid))
        await shop.apply_events()
        return teller

    made: Teller = io_loop.run_sync(make)
    return made


@pytest.fixture
def operator(enter: Callable[..., Reader], accounts: Any) -> Reader:
    """Give one who answers chats, but may not handle people's data."""
    return enter("operator", accounts[0].name, role="operator")


def list_acts(query: Query) -> list[Any]:
    """Give what is on record of looks and acts on people."""
    return query("SELECT action, subject FROM audit WHERE action LIKE 'lead.%%' ORDER BY id")


@pytest.mark.gen_test
async def test_person_is_found_by_what_it_told_and_no_address_says_so(
    owner: Reader, teller: Teller, query: Query
) -> None:
    lead_id, words = teller.read_lead(), (str(CHAT), f"@{PERSON['username']}", EMAIL, CPF)
    await owner.get(PAGE)
    for who in words:
        found = await owner.post(PAGE, {"who": who})
        assert f'href="{PAGE}/{lead_id}"' in found.html and found.place == ""
    assert list_acts(query) == [("lead.find", f"lead:{lead_id}")] * len(words)


@pytest.mark.gen_test
async def test_whom_no_bot_knows_is_not_found(owner: Reader, teller: Teller, query: Query) -> None:
    await owner.get(PAGE)
    for who in ("@nobody", "", "@"):
        assert "Nenhum bot desta conta conhece" in (await owner.post(PAGE, {"who": who})).text
    assert list_acts(query) == []


@pytest.mark.gen_test
async def test_holdings_are_counted_by_table_and_the_look_is_on_record(
    owner: Reader, teller: Teller, query: Query
) -> None:
    lead_id = teller.read_lead()
    page = await owner.get(f"{PAGE}/{lead_id}")
    row = await teller.app.db.privacy.count_kept(account_id=teller.tenant.account_id, lead_id=lead_id)
    of_lead = ("messages", "moves", "posts", "deliveries", "payments")
    counted = {table: query(f"SELECT count(*) FROM {table} WHERE lead_id = %s", lead_id)[0][0] for table in of_lead}
    of_sale = ("payment_receipts", "ledger_entries", "provider_events")
    counted |= {table: query(f"SELECT count(*) FROM {table}")[0][0] for table in of_sale}
    assert {table: row.counts[table] for table in counted} == counted and all(counted.values())
    assert (row.counts["clicks"], row.counts["leads"]) == (1, 1)
    assert PERSON["username"] in page.text and "Lançamentos no livro" in page.text
    assert list_acts(query) == [("lead.look", f"lead:{lead_id}")]


@pytest.mark.gen_test
async def test_whatever_is_counted_is_declared_and_has_its_words(teller: Teller) -> None:
    row = await teller.app.db.privacy.count_kept(account_id=teller.tenant.account_id, lead_id=teller.read_lead())
    assert set(row.counts) <= set(HOLDINGS)
    assert {name for table in row.counts for name in (f"holding.{table}", f"fate.{table}")} <= set(PRIVACY)
    assert {f"term.{term}" for term, _ in TERMS} <= set(PRIVACY)


@pytest.mark.gen_test
async def test_file_is_what_the_bot_would_send_and_is_on_record(owner: Reader, teller: Teller, query: Query) -> None:
    lead_id = teller.read_lead()
    await owner.get(PAGE)
    file = await owner.post(f"{PAGE}/{lead_id}/export")
    told = json.loads(file.html)
    assert (told["answers"]["email"], told["lead"]["telegram_id"]) == (EMAIL, CHAT)
    assert f'attachment; filename="tenant1-{lead_id}.json"' == file.headers["Content-Disposition"]
    assert list_acts(query) == [("lead.export", f"lead:{lead_id}")]


@pytest.mark.gen_test
async def test_erasure_asks_first_and_leaves_the_book(owner: Reader, teller: Teller, query: Query) -> None:
    lead_id = teller.read_lead()
    book = query("SELECT kind, amount_cents FROM ledger_entries ORDER BY id")
    question = await owner.get(f"{PAGE}/{lead_id}/erase")
    assert "O livro e os pagamentos, sem nome" in question.text and teller.read_lead() == lead_id
    done = await owner.follow(await owner.post(f"{PAGE}/{lead_id}/erase"))
    assert "O apagamento foi pedido" in done.text
    async with work(teller.app):
        await wait_until(lambda: query("SELECT status FROM leads WHERE id = %s", lead_id) == [("erased",)])
    assert query("SELECT actor FROM audit WHERE action = 'lead.erase'") == query("SELECT 'user:' || id FROM users")
    listed = await owner.get(PAGE)
    assert f"Pessoa {lead_id}" in listed.text and "nesta página" in listed.text
    assert str(CHAT) not in listed.text and PERSON["username"] not in listed.text
    assert (await owner.get(f"{PAGE}/{lead_id}")).status == 404
    assert (await owner.post(f"{PAGE}/{lead_id}/export")).status == 404
    assert query("SELECT kind, amount_cents FROM ledger_entries ORDER BY id") == book and book


@pytest.mark.gen_test
async def test_who_may_not_handle_people_sees_none(operator: Reader, teller: Teller, query: Query) -> None:
    lead_id = teller.read_lead()
    page = await operator.get(PAGE)
    assert page.status == 200 and "Só dono ou editor" in page.text and 'name="who"' not in page.html
    for path in (f"/{lead_id}", f"/{lead_id}/erase"):
        assert (await operator.get(PAGE + path)).status == 403
    for path in ("", f"/{lead_id}/export", f"/{lead_id}/erase"):
        assert (await operator.post(PAGE + path, {"who": str(CHAT)})).status == 403
    assert list_acts(query) == []


@pytest.mark.browser
@pytest.mark.gen_test
@pytest.mark.usefixtures("http_server")
async def test_person_is_found_taken_and_erased_in_a_browser(browser: Any, base_url: str, teller: Teller) -> None:
    await add_person(teller.app, "ana", "tenant1")
    window = await open_window(browser, base_url, TELEPHONE, "dark")
    await window.log_in()
    await window.open(PAGE)
    assert await find_barriers(window.page) == []
    await window.page.focus("[name=who]")
    await window.page.keyboard.type(EMAIL)
    await window.page.keyboard.press("Enter")
    await window.page.wait_for_selector("h2:has-text('Encontrados')")
    await window.look_at("privacy-found")
    await window.page.click("[role=status] tbody a")
    await window.look_at("privacy-person")
    assert await find_barriers(window.page) == []
    async with window.page.expect_download() as coming:
        await window.page.click("button:has-text('Baixar os dados')")
    assert json.loads((await (await coming.value).path()).read_text())["answers"]["email"] == EMAIL
    await window.page.click("a:has-text('Apagar os dados')")
    await window.look_at("privacy-erase")
    assert await find_barriers(window.page) == []
    await window.page.click("button.danger")
    await window.page.wait_for_selector(".said:has-text('O apagamento foi pedido')")
    assert window.complaints == []
