"""GET /go/<slug> as visitors, crawlers and mischief call it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from ipaddress import ip_network
from typing import Any

import pytest

from grimbots.services import clicks, pools
from grimbots.tests.rows import Query, open_query

Fetch = Callable[..., Awaitable[Any]]
FACEBOOK = "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"


@pytest.fixture(autouse=True)
def promo(app: Any, accounts: Any, io_loop: Any) -> None:
    """Give the first account a pool of its bot."""
    save = partial(pools.save, app, account="tenant1", slug="promo", usernames=["tenant1_bot"], actor="test")
    io_loop.run_sync(save)


@pytest.fixture
def go(http_client: Any, base_url: str) -> Fetch:
    """Give a function that visits the link, or another path below /go/."""

    async def fetch(path: str = "promo", method: str = "GET", **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{base_url}/go/{path}"
        return await http_client.fetch(url, method=method, headers=named, follow_redirects=False, raise_error=False)

    return fetch


@pytest.fixture
def query(database_url: str) -> Iterator[Query]:
    """Give a function that runs one SQL statement from outside and returns its rows."""
    with open_query(database_url) as run:
        yield run


@pytest.fixture
def store(app: Any, query: Any) -> Callable[[], Awaitable[list[Any]]]:
    """Give a function that stores what is spooled and gives the clicks there are."""

    async def read() -> list[Any]:
        await clicks.store_spooled(app)
        clicked: list[Any] = query("SELECT utm_source, fbclid, fbp, address, is_crawler FROM clicks ORDER BY id")
        return clicked

    return read


@pytest.mark.gen_test
async def test_go_sends_the_visitor_to_the_bot(go: Fetch) -> None:
    answer = await go()
    assert answer.code == 302
    assert re.fullmatch(r"https://t\.me/tenant1_bot\?start=[A-Za-z0-9_-]{16}", answer.headers["Location"])
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    "path", ["PROMO", "promo/", "promo?fbclid=x&utm_source=%ff%fe%00&&=&%00=1", "promo?" + "a=b&" * 900]
)
@pytest.mark.gen_test
async def test_go_takes_links_as_they_are_typed_and_mangled(go: Fetch, store: Any, path: str) -> None:
    assert (await go(path)).code == 302
    assert len(await store()) == 1


@pytest.mark.gen_test
async def test_go_keeps_what_the_browser_told(go: Fetch, store: Any) -> None:
    cookies = "_fbp=fb.1.1596403881668.1116446470; other=x"
    await go("promo?utm_source=a%20b&fbclid=IwAR1", User_Agent="Mozilla/5.0 \xe7", Cookie=cookies)
    ((utm_source, fbclid, fbp, address, is_crawler),) = await store()
    assert (utm_source, fbclid, fbp) == ("a b", "IwAR1", "fb.1.1596403881668.1116446470")
    assert (address, is_crawler) == ("127.0.0.1", False)


@pytest.mark.gen_test
async def test_head_is_answered_and_is_no_click(go: Fetch, store: Any) -> None:
    answer = await go(method="HEAD")
    assert (answer.code, answer.headers["Location"][:26]) == (302, "https://t.me/tenant1_bot?s")
    assert await store() == []


@pytest.mark.gen_test
async def test_crawler_is_sent_on_and_marked(go: Fetch, store: Any) -> None:
    assert (await go(User_Agent=FACEBOOK)).code == 302
    assert [click[-1] for click in await store()] == [True]


@pytest.mark.gen_test
async def test_unknown_link_is_said_in_words(go: Fetch) -> None:
    answer = await go("nothing")
    assert (answer.code, answer.headers["Content-Type"]) == (404, "text/plain; charset=utf-8")
    assert "Este link não existe." in answer.body.decode()
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["", "a/b", "x" * 65, "..%2f", "%00"])
@pytest.mark.gen_test
async def test_what_is_no_slug_is_not_found(go: Fetch, path: str) -> None:
    assert (await go(path)).code == 404


@pytest.mark.gen_test
async def test_link_without_a_living_bot_is_down(app: Any, go: Fetch, query: Any) -> None:
    query("UPDATE bots SET status = 'dead'")
    await app.pools.load(app)
    answer = await go()
    assert (answer.code, "fora do ar" in answer.body.decode()) == (503, True)


@pytest.mark.gen_test
async def test_forwarded_address_is_believed_from_nobody_by_default(go: Fetch, store: Any) -> None:
    await go(X_Forwarded_For="198.51.100.1", X_Real_Ip="198.51.100.2")
    assert [click[3] for click in await store()] == ["127.0.0.1"]


class TestBehindProxy:
    """With 127.0.0.1 a proxy of ours."""

    @pytest.fixture
    def settings(self, settings: Any) -> Any:
        return replace(settings, trusted_proxies=(ip_network("127.0.0.1"),))

    @pytest.mark.gen_test
    async def test_forwarded_address_is_believed(self, go: Fetch, store: Any) -> None:
        await go(X_Forwarded_For="6.6.6.6, 198.51.100.1")
        assert [click[3] for click in await store()] == ["198.51.100.1"]


class TestInSandbox:
    """Where the sandbox stands for Telegram."""

    @pytest.fixture
    def settings(self, settings: Any) -> Any:
        return replace(settings, sandbox=True)

    @pytest.mark.gen_test
    async def test_go_leads_to_the_chat_page(self, go: Fetch) -> None:
        location = (await go()).headers["Location"]
        assert re.fullmatch(r"/sandbox\?bot=tenant1_bot&start=[A-Za-z0-9_-]{16}", location)
