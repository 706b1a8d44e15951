"""What is read of a visit: whole click ids, real cookies, bounded and storable texts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grimbots.services import visits
from grimbots.services.visits import Visit

NOW = datetime(2026, 3, 2, 12, 0, 0, 345000, tzinfo=UTC)
NOW_MS = 1_772_452_800_345
CHROME = "Mozilla/5.0 (Linux; Android 14; SM-A546E) AppleWebKit/537.36 Chrome/126.0 Mobile [FB_IAB/FB4A;FBAV/466.0]"


def read(query: dict[str, Any] | None = None, headers: dict[str, str] | None = None, **cookies: str) -> Visit:
    values = {name: [value.encode()] for name, value in (query or {}).items()}
    return visits.read(query=values, cookies=cookies, headers=headers or {}, address="203.0.113.7", now=NOW)


def test_read_finds_utms_and_click_ids() -> None:
    visit = read(
        {"utm_source": "FB", "UTM_Campaign": "CAMPANHA_2|4135", "gclid": "g1", "ttclid": "t1", "fbclid": "IwAR_x-1"}
    )
    assert (visit.utm_source, visit.utm_campaign, visit.utm_medium) == ("FB", "CAMPANHA_2|4135", None)
    assert (visit.gclid, visit.ttclid, visit.fbclid, visit.address) == ("g1", "t1", "IwAR_x-1", "203.0.113.7")


def test_read_keeps_what_has_no_column() -> None:
    assert read({"src": "story", "sck": "", "utm_term": "x", "ad_id": "9"}).parameters == {"src": "story", "ad_id": "9"}


def test_read_cuts_utms_but_never_a_click_id() -> None:
    visit = read({"utm_source": "x" * 300, "fbclid": "y" * 1001, "gclid": "z" * 1000})
    assert (len(visit.utm_source or ""), visit.fbclid, visit.fbc, len(visit.gclid or "")) == (255, None, None, 1000)


def test_fbc_is_made_of_fbclid_as_it_came() -> None:
    assert read({"fbclid": "AbC_9-z"}).fbc == f"fb.1.{NOW_MS}.AbC_9-z"


@pytest.mark.parametrize("fbclid", ["", " ", "a b", "a.b", "<script>"])
def test_fbc_is_made_of_nothing_else(fbclid: str) -> None:
    assert read({"fbclid": fbclid}).fbc is None


@pytest.mark.parametrize(
    ("cookie", "fbclid", "expected"),
    [
        ("fb.1.1554763741205.AbC", "", "fb.1.1554763741205.AbC"),
        ("fb.1.1554763741205.AbC", "AbC", "fb.1.1554763741205.AbC"),
        ("fb.2.1554763741205.AbC.AQIBAQIA", "AbC", "fb.2.1554763741205.AbC.AQIBAQIA"),
        ("fb.1.1554763741205.old", "new", f"fb.1.{NOW_MS}.new"),
        ("fb.1.x.AbC", "", None),
        ("", "", None),
    ],
)
def test_fbc_cookie_counts_until_a_newer_click(cookie: str, fbclid: str, expected: str | None) -> None:
    assert read({"fbclid": fbclid}, _fbc=cookie).fbc == expected


@pytest.mark.parametrize("cookie", ["fb.1.1596403881668.1116446470", "fb.1.1596403881668.1116446470.AQIBAQIA"])
def test_fbp_is_metas_own_cookie(cookie: str) -> None:
    assert read(_fbp=cookie).fbp == cookie


@pytest.mark.parametrize("cookie", ["", "fb.1.1.2", "fb.1.1596403881668.x", "1116446470"])
def test_fbp_is_never_invented(cookie: str) -> None:
    assert read({"fbp": "fb.1.1596403881668.1"}, _fbp=cookie).fbp is None


@pytest.mark.parametrize(
    "user_agent",
    [
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
        "TelegramBot (like TwitterBot)",
        "WhatsApp/2.23.20.0",
        "Mozilla/5.0 (compatible; AdsBot-Google-Mobile; +http://www.google.com/mobile/adsbot.html)",
        "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (compatible; Bytespider; spider-feedback@bytedance.com)",
        "curl/8.5.0",
    ],
)
def test_crawlers_are_known(user_agent: str) -> None:
    assert read(headers={"User-Agent": user_agent}).is_crawler


@pytest.mark.parametrize(
    "user_agent", [CHROME, "Mozilla/5.0 (Linux; Android 13; CUBOT P80) AppleWebKit/537.36 Chrome/126.0", ""]
)
def test_people_are_no_crawlers(user_agent: str) -> None:
    assert not read(headers={"User-Agent": user_agent}).is_crawler


def test_browser_that_fetches_ahead_is_no_person() -> None:
    assert read(headers={"User-Agent": CHROME, "Sec-Purpose": "prefetch;anonymous-client-ip"}).is_crawler


@given(st.dictionaries(st.text(), st.binary(max_size=3000), max_size=60), st.text(), st.text())
def test_anything_becomes_bounded_and_storable(query: dict[str, bytes], user_agent: str, cookie: str) -> None:
    values = {name: [unquote_to_bytes(quote(value))] for name, value in query.items()}
    headers = {"User-Agent": user_agent}
    visit = visits.read(query=values, cookies={"_fbp": cookie, "_fbc": cookie}, headers=headers, address="", now=NOW)
    texts = [visit.user_agent, *visit.parameters, *visit.parameters.values()]
    assert all("\0" not in text and len(text) <= 500 for text in texts)
    assert len(visit.parameters) <= 30
    "".join(texts).encode()
