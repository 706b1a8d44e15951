"""The page a link may show on the way: it leads on whatever fails, and loads nothing that the seller has not set."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from grimbots.services import domains, landings, pools
from grimbots.services.errors import Invalid
from grimbots.tests.browsers import TELEPHONE, browser
from grimbots.tests.handlers.test_redirects import Fetch, go, promo, query, store

__all__ = ["browser", "go", "promo", "query", "store"]
Show = Callable[..., Awaitable[None]]
NASTY = "<script>alert(1)</script>\"'><img src=x>{{7*7}}"


@pytest.fixture
def show(app: Any, accounts: Any) -> Show:
    """Give a function that gives the link its page."""

    async def save(**landing: Any) -> None:
        wanted = {"account": "tenant1", "slug": "promo", "usernames": ["tenant1_bot"], "actor": "test"}
        await pools.save(app, **wanted, landing={"title": "Curso", **landing})
        await app.pools.load(app)

    return save


def read_policy(answer: Any) -> dict[str, str]:
    return dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))


@pytest.mark.gen_test
async def test_page_leads_on_without_a_script(go: Fetch, store: Any, show: Show) -> None:
    await show(text="Vagas abertas", button="Quero", seconds=3)
    answer = await go("promo?utm_source=ig")
    page = answer.body.decode()
    (link,) = re.findall(r'<a href="(https://t\.me/tenant1_bot\?start=[A-Za-z0-9_-]{16})">Quero</a>', page)
    assert f'http-equiv="refresh" content="3;url={link}"' in page
    assert (answer.code, "<script" in page, "no-store" in answer.headers["Cache-Control"]) == (200, False, True)
    assert [click[0] for click in await store()] == ["ig"]


@pytest.mark.gen_test
async def test_page_without_a_pixel_loads_nothing(go: Fetch, show: Show) -> None:
    await show()
    answer = await go()
    policy = read_policy(answer)
    assert (policy["default-src"], policy["frame-ancestors"]) == ("'none'", "'none'")
    assert not policy.keys() & {"script-src", "img-src", "connect-src"}
    assert "facebook" not in answer.body.decode()
    assert f'<style nonce="{policy["style-src"][7:-1]}">' in answer.body.decode()


@pytest.mark.gen_test
async def test_pixel_tells_the_visit_by_its_token(go: Fetch, show: Show) -> None:
    await show(pixel_id="123456789012345")
    answer = await go()
    page = answer.body.decode()
    (token,) = re.findall(r'<a href="[^"]*start=([^"]+)"', page)
    assert 'fbq("init", "123456789012345")' in page
    assert f'eventID: "pageview_{token}"' in page
    assert "https://connect.facebook.net" in read_policy(answer)["script-src"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.gen_test
async def test_texts_are_texts(go: Fetch, show: Show) -> None:
    await show(title=NASTY, text=NASTY, button=NASTY[:40])
    page = (await go()).body.decode()
    assert (page.count("<script"), page.count("<img"), page.count("{{7*7}}")) == (0, 0, 3)


@pytest.mark.gen_test
async def test_page_speaks_the_visitors_language(go: Fetch, show: Show) -> None:
    await show()
    assert ">Continuar no Telegram</a>" in (await go()).body.decode()
    assert ">Go on in Telegram</a>" in (await go(Accept_Language="en-US,en;q=0.9")).body.decode()


@pytest.mark.gen_test
async def test_page_is_served_with_postgres_away(app: Any, go: Fetch, show: Show) -> None:
    await show()
    await app.db.close()
    assert (await go()).code == 200


@pytest.mark.parametrize(
    "landing",
    [
        {"title": ""},
        {"title": "x" * 81},
        {"title": 5},
        {"title": "x", "seconds": 31},
        {"title": "x", "seconds": True},
        {"title": "x", "pixel_id": '1"+alert(1)'},
        {"title": "x", "pixel_id": 123456},
        {"title": "x", "script": "x"},
        {},
    ],
)
def test_what_is_no_page_is_refused(landing: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="landing page is not in order"):
        landings.read(landing)


def test_page_of_a_newer_version_is_shown_without_what_is_new() -> None:
    assert landings.load({"title": "x", "video": "y"}) == landings.Landing("x")


@pytest.mark.gen_test
async def test_domain_of_an_account_answers_its_own_links(app: Any, accounts: Any, go: Fetch) -> None:
    await domains.add(app, account="tenant2", host="vendas.example.com", actor="test")
    async with app.db.transaction() as tx:
        domain = await tx.domains.lock(account_id=accounts[1].account_id, host="vendas.example.com")
        await tx.domains.verify(account_id=accounts[1].account_id, domain_id=domain.id, now=app.clock())
    wanted = {"slug": "promo", "usernames": ["tenant2_bot"], "domain": "vendas.example.com"}
    await pools.save(app, account="tenant2", actor="test", **wanted)
    await app.pools.load(app)
    leads_to = [(await go(Host=host)).headers["Location"][13:24] for host in ("vendas.example.com:443", "other.com")]
    assert leads_to == ["tenant2_bot", "tenant1_bot"]


@pytest.mark.browser
@pytest.mark.usefixtures("http_server")
@pytest.mark.gen_test(timeout=60)
async def test_visitor_gets_through_with_scripts_off_and_with_a_pixel_that_fails(
    browser: Any, base_url: str, show: Show
) -> None:
    await show(text="Um instante", seconds=0, pixel_id="123456789012345")
    for has_scripts in (True, False):
        context = await browser.new_context(viewport=TELEPHONE, java_script_enabled=has_scripts)
        page = await context.new_page()
        await context.route("https://connect.facebook.net/**", lambda route: route.abort())
        await context.route("https://t.me/**", lambda route: route.fulfill(body="Telegram"))
        await page.goto(f"{base_url}/go/promo")
        await page.wait_for_url("https://t.me/tenant1_bot?start=*")
        await context.close()
