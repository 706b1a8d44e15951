"""Forms of other sites, headers of every page, and what a page may load."""

from __future__ import annotations

import re
from typing import Any

import pytest

from grimbots.handlers.admin.assets import FILES
from grimbots.tests.handlers.admin.readers import Reader
from grimbots.tests.services.people import PASSWORD

OWN_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
FORGED = [
    ({"form": ""}, {}),
    ({"form": "AAAAAAAAAAAA"}, {}),
    ({"form": "é"}, {}),
    ({}, {"Sec_Fetch_Site": "cross-site"}),
    ({}, {"Sec_Fetch_Site": "same-site"}),
    ({}, {"Origin": "https://evil.example"}),
    ({}, {"Origin": "null"}),
    ({}, {"Origin": "http://127.0.0.1:1"}),
    ({}, {"Origin": "http://evil.example", "Host": "evil.example"}),
]
FORMS = [
    "/logout",
    "/logout/everywhere",
    "/language",
    "/sales/tenant1/messages/1/resend",
    "/sales/tenant1/messages/1/discard",
]


@pytest.mark.gen_test
@pytest.mark.parametrize(("fields", "headers"), FORGED)
async def test_form_that_is_forged_does_nothing(
    owner: Reader, accounts: Any, fields: dict[str, str], headers: dict[str, str]
) -> None:
    for path in FORMS:
        assert (await owner.post(path, {"language": "en", **fields}, **headers)).status == 403
    assert (await owner.get("/sales")).status == 303
    assert "grimbots_language" not in owner.cookies


@pytest.mark.gen_test
@pytest.mark.parametrize(("fields", "headers"), FORGED)
async def test_log_in_that_is_forged_is_refused(
    stranger: Reader, owner: Reader, fields: dict[str, str], headers: dict[str, str]
) -> None:
    """Else a site could log somebody in as somebody else and read what he then writes."""
    await stranger.get("/login")
    right = {"email": "owner@example.com", "password": PASSWORD}
    assert (await stranger.post("/login", {**right, **fields}, **headers)).status == 403
    assert "grimbots" not in stranger.cookies


@pytest.mark.gen_test
async def test_form_of_another_session_is_refused(owner: Reader, other: Reader) -> None:
    assert (await owner.post("/logout", {"form": other.form_token})).status == 403


@pytest.mark.gen_test
async def test_form_from_before_the_login_is_refused_after_it(stranger: Reader, owner: Reader) -> None:
    await stranger.get("/login")
    before = stranger.form_token
    await stranger.post("/login", {"email": "owner@example.com", "password": PASSWORD})
    assert (await stranger.post("/logout", {"form": before})).status == 403


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "headers", [{"Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "none"}, {"Origin": "own"}, {"Origin": "public"}]
)
async def test_form_of_our_own_is_taken(owner: Reader, app: Any, headers: dict[str, str]) -> None:
    origins = {"own": owner.base_url, "public": app.settings.base_url}
    sent = {name: origins.get(value, value) for name, value in headers.items()}
    assert (await owner.post("/logout", **sent)).status == 303


@pytest.mark.gen_test
async def test_act_by_get_is_refused(owner: Reader, accounts: Any) -> None:
    for path in FORMS:
        assert (await owner.get(path)).status == 405


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("path", "status"),
    [("/login", 303), ("/sales/tenant1", 200), ("/sales/nobody", 404), ("/sales/tenant1?days=x", 400)],
)
async def test_page_says_what_browsers_may_do_with_it(owner: Reader, accounts: Any, path: str, status: int) -> None:
    page = await owner.get(path)
    assert page.status == status
    assert page.headers["Content-Security-Policy"] == OWN_POLICY
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "same-origin"  # no-referrer would hide the origin of our own forms
    assert "Server" not in page.headers


@pytest.mark.gen_test
async def test_page_has_nothing_inline_and_nothing_from_elsewhere(owner: Reader, accounts: Any) -> None:
    page = await owner.get("/sales/tenant1")
    assert not re.search(r"<script|<style|\son\w+=|\sstyle=|javascript:|https?://", page.html)
    for path in set(re.findall(r'(?:src|href)="(/static/[^"]*)"', page.html)):
        asset = await owner.get(path)
        assert (asset.status, "immutable" in asset.headers["Cache-Control"]) == (200, True)


def test_style_loads_nothing() -> None:
    for name, content in FILES.items():
        assert not re.search(rb"@import|url\(|https?://(?!www\.w3\.org/2000/svg)", content), name


@pytest.mark.gen_test
@pytest.mark.parametrize("name", ["nothing.css", "..%2fbase.py", "%2e%2e", "base.py"])
async def test_static_gives_its_own_files_only(stranger: Reader, name: str) -> None:
    assert (await stranger.get(f"/static/{name}")).status == 404
