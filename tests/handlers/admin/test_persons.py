"""A person's own page: codes set up by a picture, asked for at log-in, turned off; sessions seen and ended."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from grimbots.handlers.admin.persons import name_browser
from grimbots.services import totp
from grimbots.tests.handlers.admin.readers import Reader, Seen

CHROME = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"


def read_secret(seen: Seen) -> str:
    """Read the secret as an app reads it out of the picture's address."""
    found = re.search(r'class="qr" href="([^"]+)"', seen.html)
    assert found
    return parse_qs(urlsplit(html.unescape(found[1])).query)["secret"][0]


def make_code(app: Any, secret: str) -> str:
    return totp.make_code(secret, int(app.clock().timestamp()) // totp.STEP_SECONDS)


async def turn_on(owner: Reader, app: Any) -> tuple[str, list[str]]:
    """Set codes up; a minute passes."""
    secret = read_secret(await owner.get("/me/code"))
    shown = await owner.post("/me/code", {"code": make_code(app, secret)})
    app.clock.move(minutes=1)
    return secret, re.findall(r"<li><code>([a-z2-7-]{19})</code>", shown.html)


@pytest.mark.gen_test
async def test_codes_are_set_up_asked_for_and_turned_off(owner: Reader, stranger: Reader, app: Any) -> None:
    wrong = await owner.get("/me/code")
    assert (await owner.post("/me/code", {"code": "12"})).status == 401
    assert "<svg" in wrong.html
    secret, codes = await turn_on(owner, app)
    assert len(codes) == 10
    assert "ligado" in (await owner.get("/me")).text
    asked = await stranger.log_in("owner@example.com")
    assert asked.place == "/login/code"
    assert "grimbots" not in stranger.cookies
    await stranger.get("/login/code")
    assert (await stranger.post("/login/code", {"code": "000000"})).status == 401
    assert (await stranger.post("/login/code", {"code": make_code(app, secret)})).place == "/"
    assert "grimbots_login" not in stranger.cookies
    assert (await stranger.get("/")).place == "/sales"
    await owner.get("/me")
    assert (await owner.post("/me/code/off", {"code": "nothing"})).status == 401
    assert (await owner.post("/me/code/off", {"code": codes[0]})).place == "/me"
    assert (await stranger.get("/me/code")).status == 200


@pytest.mark.gen_test
async def test_code_page_without_a_password_leads_to_the_login(stranger: Reader) -> None:
    assert (await stranger.get("/login/code")).place == "/login"
    await stranger.get("/login")
    assert (await stranger.post("/login/code", {"code": "000000"})).place == "/login"


@pytest.mark.gen_test
async def test_sessions_are_listed_and_ended_one_by_one(
    owner: Reader, other: Reader, http_client: Any, base_url: str, query: Any
) -> None:
    telephone = Reader(http_client, base_url)
    await telephone.get("/login")
    fields = {"email": "owner@example.com", "password": "correct horse battery"}
    await telephone.post("/login", fields, User_Agent=CHROME)
    page = await owner.get("/me")
    assert "Chrome, Android" in page.text
    assert "este" in page.text
    ((ended,),) = query("SELECT max(id) FROM sessions")
    await other.get("/me")
    await other.post(f"/me/sessions/{ended}/end")
    assert (await telephone.get("/me")).status == 200, "nobody ends another's"
    await owner.post(f"/me/sessions/{ended}/end")
    assert (await telephone.get("/me")).place == "/login"
    assert (await owner.get("/me")).status == 200


@pytest.mark.parametrize(
    ("called", "name"),
    [
        (CHROME, "Chrome, Android"),
        (f"{CHROME} Edg/126", "Edge, Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Version/17 Safari/605", "Safari, macOS"),
        ("curl/8.5", "curl/8.5"),
        ("", ""),
    ],
)
def test_browser_is_named_coarsely(called: str, name: str) -> None:
    assert name_browser(called) == name
