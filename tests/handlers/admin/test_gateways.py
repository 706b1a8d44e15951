"""Payment providers on the seller's page: who is asked, how they are, what changes that, and no secret anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from grimbots.conf.settings import Settings, load
from grimbots.services import gateway_accounts
from grimbots.services.gateway_orders import list_places
from grimbots.tests.browsers import TELEPHONE, browser
from grimbots.tests.conftest import Clock
from grimbots.tests.handlers.admin.barriers import find_barriers
from grimbots.tests.handlers.admin.readers import Reader
from grimbots.tests.handlers.admin.test_browser import open_window
from grimbots.tests.services.people import add_person
from grimbots.tests.services.shops import Shop

__all__ = ["browser"]

Query = Callable[..., list[Any]]
PAGE = "/sales/tenant1/gateways"
SECRETS = {"api_key": "key-that-nobody-sees", "webhook_secret": "secret-that-nobody-sees"}


@pytest.fixture
def settings(tmp_path: Any, database_url: str, redis_url: str, provider: Any) -> Settings:
    """Let the pages reach the sandbox, too; the stores are named so that they start before the loop."""
    return load({"GRIMBOTS_DATA": str(tmp_path), "GRIMBOTS_SANDBOX": "1", "GRIMBOTS_SANDBOX_URL": provider.url})


@pytest.fixture
def ids(io_loop: Any, shop: Shop, query: Query) -> list[int]:
    """Give the first account a second provider in reserve; give both in their order."""
    add = partial(gateway_accounts.add_gateway_account, shop.app, shop.tenant.account_id, "sandbox", SECRETS, "test")
    io_loop.run_sync(partial(add, is_backup=True))
    rows = query("SELECT id FROM gateway_accounts WHERE account_id = %s ORDER BY id", shop.tenant.account_id)
    return [id_ for (id_,) in rows]


@pytest.fixture
def editor(enter: Callable[..., Reader], accounts: Any) -> Reader:
    """Give one who may do nearly everything, but not this."""
    return enter("editor", accounts[0].name, role="editor")


def break_down(query: Query, clock: Clock, gateway_account_id: int) -> None:
    """Let a breaker be open for a minute."""
    query(
        "UPDATE gateway_accounts SET trips = 1, broken_since = %s, broken_until = %s,"
        " broken_reason = 'timeout for ana@example.com' WHERE id = %s",
        *(clock(), clock() + timedelta(minutes=1), gateway_account_id),
    )


async def list_next(shop: Shop) -> list[int]:
    """Give who would be asked next."""
    return [place.account.id for place in await list_places(shop.app, shop.tenant.account_id) if place.is_next]


@pytest.mark.gen_test
async def test_who_is_next_goes_by_order_breaker_and_the_days_limit(
    owner: Reader, ids: list[int], shop: Shop, query: Query, clock: Clock
) -> None:
    assert await list_next(shop) == [ids[0]]
    break_down(query, clock, ids[0])
    assert await list_next(shop) == [ids[1]]
    page = (await owner.get(PAGE)).text
    assert "deixado em paz" in page and "timeout for" in page and "ana@example.com" not in page
    query("UPDATE gateway_accounts SET most_day_charges = 1 WHERE id = %s", ids[1])
    account = await gateway_accounts.get_by_id(shop.app, ids[1])
    async with shop.app.db.transaction() as tx:
        assert await gateway_accounts.take_day(tx, account._replace(most_day_charges=1), 1990, clock())
    assert await list_next(shop) == []
    page = (await owner.get(PAGE)).text
    assert "limite do dia atingido" in page and "1 de 1 hoje" in page and "ninguém pode ser chamado" in page
    clock.move(minutes=2)
    assert await list_next(shop) == [ids[0]] and "à prova" in (await owner.get(PAGE)).text


@pytest.mark.gen_test
async def test_order_is_changed_a_step_at_a_time_and_on_record(owner: Reader, ids: list[int], query: Query) -> None:
    first, second = ids
    page = await owner.get(PAGE)
    assert f'name="order" value="{first},{second}"' in page.html
    for verb, seen, after in (
        ("front", f"{first},{second}", [second, first]),
        ("retire", f"{second},{first}", [second]),
        ("activate", f"{second}", [second, first]),
    ):
        moved = second if verb == "front" else first
        done = await owner.follow(await owner.post(f"{PAGE}/{moved}/{verb}", {"order": seen}))
        assert 'class="said"' in done.html
        assert f'value="{",".join(map(str, after))}"' in done.html
    assert query("SELECT count(*) FROM audit WHERE action = 'gateway.order' AND actor LIKE 'user:%%'") == [(3,)]


@pytest.mark.gen_test
async def test_order_that_was_another_already_stays(owner: Reader, ids: list[int], query: Query) -> None:
    await owner.get(PAGE)
    for seen in ("", "x", "1,2,3"):
        said = await owner.follow(await owner.post(f"{PAGE}/{ids[0]}/retire", {"order": seen}))
        assert "a fila já era outra" in said.text
    assert query("SELECT is_active FROM gateway_accounts WHERE id = %s", ids[0]) == [(True,)]


@pytest.mark.gen_test
async def test_limits_are_set_and_those_that_make_no_sense_refused(owner: Reader, ids: list[int], query: Query) -> None:
    await owner.get(PAGE)
    path, wanted = f"{PAGE}/{ids[0]}/limits", "SELECT least_cents, most_cents, most_day_charges FROM gateway_accounts"
    done = await owner.follow(
        await owner.post(path, {"least_cents": "5", "most_cents": "19,90", "most_day_charges": "7"})
    )
    assert "R$ 5,00 – R$ 19,90" in done.text and "0 de 7 hoje" in done.text
    for bad in ({"least_cents": "20", "most_cents": "10"}, {"most_cents": "x"}, {"most_day_charges": "-1"}):
        assert "Nada mudou" in (await owner.follow(await owner.post(path, bad))).text
    assert query(f"{wanted} WHERE id = %s", ids[0]) == [(500, 1990, 7)]
    await owner.post(path)
    assert query(f"{wanted} WHERE id = %s", ids[0]) == [(None, None, None)]


@pytest.mark.gen_test
async def test_provider_is_connected_by_its_fields_and_no_page_has_a_secret(
    owner: Reader, shop: Shop, query: Query
) -> None:
    form = await owner.get(f"{PAGE}/add?gateway=sandbox")
    assert set(re.findall(r'name="field_(\w+)" type="password"', form.html)) == set(SECRETS)
    sent = {"gateway": "sandbox", "backup": "1", **{f"field_{name}": value for name, value in SECRETS.items()}}
    refused = await owner.post(f"{PAGE}/add", {**sent, "field_api_key": " "})
    assert "Nada foi conectado" in refused.text
    done = await owner.follow(await owner.post(f"{PAGE}/add", sent))
    assert "O provedor aceitou as credenciais e está na fila" in done.text
    tested = await owner.post(PAGE)
    assert "O provedor aceita as credenciais." in tested.text
    ((sealed,),) = query("SELECT credentials_encrypted FROM gateway_accounts ORDER BY id DESC LIMIT 1")
    for page in (refused, done, tested, await owner.get(PAGE)):
        assert not [word for word in (*SECRETS.values(), sealed) if word in page.text]


@pytest.mark.gen_test
async def test_unknown_provider_and_unknown_account_are_not_found(owner: Reader, ids: list[int]) -> None:
    await owner.get(PAGE)
    assert (await owner.get(f"{PAGE}/add?gateway=nobank")).status == 404
    assert (await owner.post(f"{PAGE}/add", {"gateway": "stars"})).status == 404
    for verb in ("front", "retire", "limits", "register"):
        assert (await owner.post(f"{PAGE}/999999999/{verb}", {"order": ",".join(map(str, ids))})).status == 404


@pytest.mark.gen_test
async def test_who_is_no_owner_sees_how_they_are_and_changes_nothing(
    editor: Reader, ids: list[int], query: Query
) -> None:
    page = await editor.get(PAGE)
    assert page.status == 200 and "chamado na próxima cobrança" in page.text
    assert "/webhook/payment/" not in page.text and "/limits" not in page.html
    before = query("SELECT g::text FROM gateway_accounts AS g ORDER BY id")
    assert (await editor.get(f"{PAGE}/add?gateway=sandbox")).status == 403
    for path in ("", "/add", *(f"/{ids[0]}/{verb}" for verb in ("front", "retire", "activate", "limits", "register"))):
        assert (await editor.post(f"{PAGE}{path}", {"order": ",".join(map(str, ids))})).status == 403
    assert query("SELECT g::text FROM gateway_accounts AS g ORDER BY id") == before


@pytest.mark.browser
@pytest.mark.gen_test
@pytest.mark.usefixtures("http_server")
async def test_reserve_is_put_first_in_a_browser(
    browser: Any, base_url: str, ids: list[int], shop: Shop, query: Query, clock: Clock
) -> None:
    await add_person(shop.app, "ana", "tenant1")
    break_down(query, clock, ids[0])
    window = await open_window(browser, base_url, TELEPHONE, "dark")
    await window.log_in()
    await window.open(PAGE)
    assert await find_barriers(window.page) == []
    await window.page.click("li:last-child summary:has-text('Limites')")
    await window.look_at("gateways-limits")
    await window.page.click("li:last-child summary:has-text('Pôr em primeiro')")
    await window.page.click("button:has-text('Sim, em primeiro')")
    await window.page.wait_for_selector(".said:has-text('vão primeiro a ele')")
    assert await list_next(shop) == [ids[1]]
    await window.page.click(".chips a:has-text('Sandbox')")
    await window.page.wait_for_selector("h1:has-text('Conectar')")
    await window.look_at("gateways-add")
    assert await find_barriers(window.page) == []
    assert window.complaints == []
