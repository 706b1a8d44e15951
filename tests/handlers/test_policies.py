"""Headers, cookies and CORS: what every route answers with, whoever asks and however."""

from __future__ import annotations

import itertools
import re
from http.cookies import Morsel, SimpleCookie
from typing import Any

import pytest

from grimbots.conf.settings import Settings, load
from grimbots.handlers.admin.base import PageHandler
from grimbots.handlers.admin.queues import QueuesHandler
from grimbots.handlers.routes import routes
from grimbots.services.sessions import LIFE
from grimbots.tests.services.people import PASSWORD, add_person

PUBLIC = "https://bots.example.com"
PATHS = {  # one for each route; the words in it lead nowhere
    r"/go/([A-Za-z0-9_-]{1,64})/?": "/go/nothing",
    r"/\.well-known/grimbots/([A-Za-z0-9_-]{16,64})": "/.well-known/grimbots/challenge-of-anybody",
    r"/webhook/telegram/([A-Za-z0-9_-]{1,64})": "/webhook/telegram/unknown",
    r"/webhook/payment/([a-z0-9_]{1,32})/([A-Za-z0-9_-]{1,64})((?:/.*)?)": "/webhook/payment/sandbox/unknown",
    r"/logout(/everywhere)?": "/logout",
    r"/me/sessions/([0-9]{1,18})/end": "/me/sessions/1/end",
    r"/me/code(/off)?": "/me/code",
    r"/static/([a-z]{1,32}\.[a-z]{1,8})": "/static/pages.css",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})": "/sales/tenant1",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/payments/([0-9]{1,18})": "/sales/tenant1/payments/1",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/payments/([0-9]{1,18})/refund": "/sales/tenant1/payments/1/refund",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/messages": "/sales/tenant1/messages",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/messages/([0-9]{1,18})/(resend|discard)": "/sales/tenant1/messages/1/resend",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/events": "/sales/tenant1/events",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/bots": "/sales/tenant1/bots",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/reports": "/sales/tenant1/reports",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/reports\.csv": "/sales/tenant1/reports.csv",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/bots/([0-9]{1,18})/(webhook|token)": "/sales/tenant1/bots/1/webhook",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/gateways": "/sales/tenant1/gateways",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/gateways/add": "/sales/tenant1/gateways/add",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/gateways/([0-9]{1,18})/(front|retire|activate|limits|register)": (
        "/sales/tenant1/gateways/1/front"
    ),
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/ledger": "/sales/tenant1/ledger",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/ledger\.csv": "/sales/tenant1/ledger.csv",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/privacy": "/sales/tenant1/privacy",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/privacy/([0-9]{1,18})": "/sales/tenant1/privacy/1",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/privacy/([0-9]{1,18})/export": "/sales/tenant1/privacy/1/export",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/privacy/([0-9]{1,18})/erase": "/sales/tenant1/privacy/1/erase",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/chats": "/sales/tenant1/chats",
    r"/sales/([a-z0-9][a-z0-9._-]{0,39})/chats/([0-9]{1,18})/return": "/sales/tenant1/chats/1/return",
    r"/admin/queues/(requeue|discard)": "/admin/queues/requeue",
    r"/admin/queues/(pause|drain|resume)": "/admin/queues/pause",
}
WITH_SCRIPT = {QueuesHandler}  # it keeps itself fresh
METHODS = ("GET", "POST", "OPTIONS", "PUT", "DELETE", "TRACE")
FOREIGN = {
    "Origin": "https://evil.example.com",
    "Access-Control-Request-Method": "POST",
    "Sec-Fetch-Site": "cross-site",
}
SITE = routes(load({}))
OF_OTHERS = {"Referrer-Policy": "no-referrer"}
OF_PAGES = {
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Strict-Transport-Security": "max-age=31536000",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def path_of(pattern: str) -> str:
    """Give a path of a route: a plain pattern is its own."""
    path = PATHS.get(pattern, pattern)
    assert re.fullmatch(pattern, path), f"PATHS lacks a path for {pattern}"
    return path


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    """Give settings of an installation that people reach by https."""
    return load({"GRIMBOTS_DATA": str(tmp_path), "PUBLIC_URL": PUBLIC})


@pytest.fixture
def ask(app: Any, http_client: Any, base_url: str, accounts: Any) -> Any:
    """Give a function that asks and gives the answer, whatever it is."""

    async def fetch(method: str, path: str, headers: dict[str, str] | None = None, body: str | None = None) -> Any:
        return await http_client.fetch(
            f"{base_url}{path}",
            method=method,
            body=body if method in ("POST", "PUT") else None,
            headers=headers or {},
            follow_redirects=False,
            raise_error=False,
            allow_nonstandard_methods=True,
        )

    return fetch


@pytest.mark.gen_test
async def test_every_answer_of_every_route_keeps_the_policy(ask: Any) -> None:
    for (pattern, handler), method in itertools.product(SITE, METHODS):
        answer = await ask(method, path_of(pattern), FOREIGN, "")
        told = f"{method} {pattern}: {answer.code} {dict(answer.headers)}"
        check_headers(answer, handler, told)
        assert method not in ("OPTIONS", "TRACE") or answer.code >= 300, f"no preflight and no echo: {told}"
        for cookie in read_cookies(answer):
            check_cookie(cookie)


@pytest.mark.gen_test
async def test_an_unknown_path_keeps_the_policy_too(ask: Any) -> None:
    answer = await ask("GET", "/nowhere", FOREIGN)
    assert answer.code == 404
    check_headers(answer, type(None), "an unknown path")


def check_headers(answer: Any, handler: type[Any], told: str) -> None:
    """Every answer: guessed at by nobody, read by no other site. A page besides: framed and cached nowhere."""
    headers = answer.headers
    assert [name for name in headers if name.lower().startswith("access-control-")] == [], told
    assert not {"Server", "X-Powered-By"} & set(headers), told
    assert headers.get("X-Request-Id"), told
    wanted = {"X-Content-Type-Options": "nosniff", **(OF_PAGES if issubclass(handler, PageHandler) else OF_OTHERS)}
    assert {name: headers.get(name) for name in wanted} == wanted, told
    if issubclass(handler, PageHandler):
        policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
        assert (policy["default-src"], policy["frame-ancestors"]) == ("'none'", "'none'"), told
        assert policy.get("script-src", "'self'") == "'self'", told
        assert ("script-src" in policy) == (handler in WITH_SCRIPT), told
        assert "unsafe" not in headers["Content-Security-Policy"], told


def read_cookies(answer: Any) -> list[Morsel[str]]:
    """Give the cookies an answer sets."""
    return [morsel for line in answer.headers.get_list("Set-Cookie") for morsel in SimpleCookie(line).values()]


def check_cookie(cookie: Morsel[str]) -> None:
    """By https only, read by no script, sent along by no other site's form, and by no other host set."""
    assert cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"
    assert not cookie["domain"]
    assert cookie.key.startswith("__Host-")


@pytest.mark.gen_test
async def test_cookies_of_a_whole_visit_keep_the_policy(ask: Any, app: Any) -> None:
    """Log in, choose a language, log out: every cookie there is."""
    email = await add_person(app, "ana", "tenant1")
    jar: dict[str, str] = {}
    seen: dict[str, Morsel[str]] = {}
    form = ""

    async def go(method: str, path: str, **fields: str) -> Any:
        nonlocal form
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items()), "Origin": PUBLIC}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = "&".join(f"{name}={value}" for name, value in {"form": form, **fields}.items())
        answer = await ask(method, path, headers, body)
        for cookie in read_cookies(answer):
            check_cookie(cookie)
            jar[cookie.key] = cookie.value
            seen[cookie.key] = cookie
        if found := re.search(r'name="form" value="([^"]*)"', answer.body.decode()):
            form = found[1]
        return answer

    await go("GET", "/login")
    assert (await go("POST", "/login", email=email, password=PASSWORD.replace(" ", "+"))).code == 303
    assert int(seen["__Host-grimbots"]["max-age"]) == LIFE.total_seconds()
    await go("GET", "/sales/tenant1")
    assert (await go("POST", "/language", language="en", back="/sales")).code == 303
    await go("GET", "/sales/tenant1")
    assert (await go("POST", "/logout")).code == 303
    assert jar["__Host-grimbots"] == "", "taken back by the same name, path and prefix"
    assert set(seen) == {"__Host-grimbots", "__Host-grimbots_form", "__Host-grimbots_language"}
