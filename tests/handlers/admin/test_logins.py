"""The way in and out, as a browser goes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from grimbots.server import build_web
from grimbots.services import logins
from grimbots.tests.handlers.admin.readers import Reader
from grimbots.tests.services.people import add_person


@pytest.mark.gen_test
async def test_log_in_leads_to_the_sales(stranger: Reader, app: Any, accounts: Any) -> None:
    answer = await stranger.log_in(await add_person(app, "ana", accounts[0].name))
    index = await stranger.follow(answer)
    assert (answer.place, index.place) == ("/", "/sales")
    sales = await stranger.follow(await stranger.follow(index))
    assert (sales.status, accounts[0].name in sales.text) == (200, True)


@pytest.mark.gen_test
async def test_log_in_of_an_administrator_without_account_leads_to_the_queues(administrator: Reader) -> None:
    assert (await administrator.get("/")).place == "/admin/queues"
    assert (await administrator.get("/sales")).status == 403


@pytest.mark.gen_test
@pytest.mark.parametrize("path", ["/", "/sales", "/sales/tenant1", "/admin/queues", "/sales/tenant1/messages"])
async def test_page_sends_a_stranger_to_log_in(stranger: Reader, accounts: Any, path: str) -> None:
    answer = await stranger.get(path)
    assert (answer.status, answer.place, answer.html) == (303, "/login", "")


@pytest.mark.gen_test
async def test_log_in_answers_stranger_and_mistake_alike(stranger: Reader, app: Any, accounts: Any) -> None:
    email = await add_person(app, "ana", accounts[0].name)
    pages = [await stranger.log_in(tried, "wrong wrong") for tried in (email, "nobody@example.com")]
    assert [page.status for page in pages] == [401, 401]
    first, second = (
        page.html.replace(tried, "") for page, tried in zip(pages, (email, "nobody@example.com"), strict=True)
    )
    assert first == second
    assert "E-mail ou senha incorretos" in first
    assert "grimbots" not in stranger.cookies


@pytest.mark.gen_test
async def test_log_in_throttled_says_how_long_to_wait(stranger: Reader, app: Any, accounts: Any) -> None:
    email = await add_person(app, "ana", accounts[0].name)
    for _ in range(logins.EMAIL_ATTEMPTS):
        await stranger.log_in(email, "wrong wrong")
    page = await stranger.log_in(email)
    assert (page.status, page.headers["Retry-After"]) == (429, "900")
    assert "Espere 15 min" in page.text


@pytest.mark.gen_test
async def test_session_cookie_is_out_of_reach(stranger: Reader, app: Any, accounts: Any) -> None:
    answer = await stranger.log_in(await add_person(app, "ana", accounts[0].name))
    cookie = answer.cookies["grimbots"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")
    assert len(cookie.value) == 43
    assert cookie["max-age"] == str(7 * 24 * 3600)


@pytest.mark.gen_test
async def test_session_cookie_by_https_is_secure_and_of_this_host(http_client: Any, app: Any, accounts: Any) -> None:
    public = replace(app, settings=replace(app.settings, public_url="https://bots.example.com"))
    sockets, port = bind_unused_port()
    server = HTTPServer(build_web(public), xheaders=True)
    server.add_socket(sockets)
    reader = Reader(http_client, f"http://127.0.0.1:{port}")
    answer = await reader.log_in(await add_person(app, "ana", accounts[0].name))
    assert answer.cookies["__Host-grimbots"]["secure"] is True
    assert reader.cookies.keys() == {"__Host-grimbots", "__Host-grimbots_form"}
    assert (await reader.get("/")).place == "/sales"
    server.stop()
    await server.close_all_connections()


@pytest.mark.gen_test
async def test_log_in_makes_a_new_session_each_time(stranger: Reader, app: Any, accounts: Any) -> None:
    """A cookie somebody planted beforehand is worth nothing afterwards."""
    email = await add_person(app, "ana", accounts[0].name)
    stranger.cookies["grimbots"] = planted = "A" * 43
    await stranger.log_in(email)
    assert stranger.cookies["grimbots"] != planted
    assert (await stranger.get("/")).place == "/sales"


@pytest.mark.gen_test
async def test_logout_ends_the_session_and_not_the_cookie_alone(owner: Reader) -> None:
    kept = dict(owner.cookies)
    assert (await owner.post("/logout")).place == "/login"
    assert "grimbots" not in owner.cookies
    owner.cookies = kept
    assert (await owner.get("/sales")).place == "/login"


@pytest.mark.gen_test
async def test_logout_everywhere_ends_the_other_devices(owner: Reader, http_client: Any, base_url: str) -> None:
    telephone = Reader(http_client, base_url)
    await telephone.log_in("owner@example.com")
    await owner.post("/logout/everywhere")
    assert (await telephone.get("/sales")).place == "/login"


@pytest.mark.gen_test
async def test_session_expires_unused(owner: Reader, clock: Any) -> None:
    clock.move(hours=12)
    assert (await owner.get("/sales")).place == "/login"
    assert (await owner.post("/logout")).place == "/login"


@pytest.mark.gen_test
async def test_somebody_of_no_account_is_told_so(owner: Reader, query: Callable[..., list[Any]]) -> None:
    query("DELETE FROM memberships")
    page = await owner.get("/")
    assert (page.status, "Isto não foi feito" in page.text) == (403, True)


@pytest.mark.gen_test
async def test_link_logs_in_by_a_click_and_once(stranger: Reader, app: Any, accounts: Any) -> None:
    link = await logins.make_link(app, await add_person(app, "ana", accounts[0].name))
    for _ in range(2):  # looking uses nothing up
        assert "Este link entra uma única vez" in (await stranger.get(f"/login/link/{link}")).text
    assert (await stranger.post("/login/link", {"token": link})).place == "/"
    assert (await stranger.get("/")).place == "/sales"
    later = Reader(stranger._client, stranger.base_url)
    await later.get(f"/login/link/{link}")
    again = await later.post("/login/link", {"token": link})
    assert (again.status, "já foi usado" in again.text) == (401, True)


@pytest.mark.gen_test
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[", ""])
async def test_link_answers_on_this_machines_names_only(stranger: Reader, app: Any, accounts: Any, host: str) -> None:
    link = await logins.make_link(app, await add_person(app, "ana", accounts[0].name))
    await stranger.get("/login")
    for answer in (
        await stranger.get(f"/login/link/{link}", Host=host),
        await stranger.post("/login/link", {"token": link}, Host=host),
    ):
        assert answer.status in {400, 404}
    assert "grimbots" not in stranger.cookies


@pytest.mark.gen_test
async def test_link_has_no_route_outside_the_sandbox(http_client: Any, app: Any) -> None:
    server = HTTPServer(build_web(replace(app, settings=replace(app.settings, sandbox=False))))
    socket, port = bind_unused_port()
    server.add_socket(socket)
    answer = await Reader(http_client, f"http://127.0.0.1:{port}").get("/login/link/" + "A" * 43)
    assert answer.status == 404
    server.stop()
    await server.close_all_connections()


@pytest.mark.gen_test
async def test_language_is_the_browsers_until_one_is_chosen(stranger: Reader) -> None:
    async def read_language(**headers: str) -> str:
        found = re.search('<html lang="([^"]+)"', (await stranger.get("/login", **headers)).html)
        return found[1] if found else ""

    assert await read_language() == "pt-BR"
    assert await read_language(Accept_Language="en-GB,en;q=0.9,pt;q=0.8") == "en"
    assert await read_language(Accept_Language="de,pt-PT;q=0.5") == "pt-BR"
    answer = await stranger.post("/language", {"language": "en", "back": "/login"})
    assert answer.place == "/login"
    assert await read_language(Accept_Language="pt-BR") == "en"


@pytest.mark.gen_test
@pytest.mark.parametrize("back", ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\r\nX: y", "x"])
async def test_language_sends_nobody_elsewhere(stranger: Reader, back: str) -> None:
    await stranger.get("/login")
    assert (await stranger.post("/language", {"language": "en", "back": back})).place == "/"
    assert (await stranger.post("/language", {"language": "klingon", "back": "/"})).status == 400
