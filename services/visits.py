"""Visits: what a browser tells when it opens a tracked link. Pure, total, and everything bounded before it is kept.

Click ids are kept whole or not at all: a cut one is another one to the ad network. Meta's `fbp` and `fbc` are taken
from its own cookies; `fbc` is else what Meta's rules make of an `fbclid` (Conversions API, "fbp and fbc Parameters",
read 2026-06). Neither is ever invented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from grimbots.services.arrivals import clean

UTMS = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
CLICK_IDS = ("fbclid", "ttclid", "gclid")
LONGEST_UTM, LONGEST_CLICK_ID, LONGEST_USER_AGENT = 255, 1000, 500
MOST_PARAMETERS, LONGEST_NAME, LONGEST_VALUE = 30, 64, 500

FBCLID = re.compile(r"[A-Za-z0-9_-]+")
# Version, subdomain index, milliseconds, value; Meta's parameter builder adds a fifth part.
FBP = re.compile(r"fb\.\d\.\d{10,13}\.\d{1,20}(?:\.[A-Za-z0-9_-]{2,8})?")
FBC = re.compile(rf"fb\.\d\.\d{{10,13}}\.({FBCLID.pattern})(?:\.[A-Za-z0-9_-]{{2,8}})?")
# "Cubot" makes telephones.
CRAWLERS = re.compile(
    r"(?<!cu)bot\b|crawler|spider|external(?:hit|agent|fetcher)|facebookcatalog|whatsapp/|uripreview|bingpreview"
    r"|mediapartners-google|google-inspectiontool|lighthouse|headlesschrome|curl/|wget/|python-|go-http-client",
    re.IGNORECASE,
)
GUESS_HEADERS, GUESSES = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"), re.compile(r"prefetch|preview|prerender")


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit in the words of the table `clicks`; None is what the browser did not tell, or told badly."""

    address: str
    user_agent: str
    is_crawler: bool
    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None
    utm_content: str | None
    utm_term: str | None
    fbclid: str | None
    fbp: str | None
    fbc: str | None
    ttclid: str | None
    gclid: str | None
    parameters: dict[str, str]


def read(
    *,
    query: Mapping[str, Sequence[bytes]],
    cookies: Mapping[str, str],
    headers: Mapping[str, str],
    address: str,
    now: datetime,
) -> Visit:
    """Read a visit: a query's values as they came, percent signs resolved; `address` is who calls."""
    told = {clean(name).lower(): _read_text(values) for name, values in query.items()}
    utms = {name: told.get(name, "")[:LONGEST_UTM] or None for name in UTMS}
    click_ids = {name: _keep_whole(told.get(name, "")) for name in CLICK_IDS}
    user_agent = clean(headers.get("User-Agent", ""))[:LONGEST_USER_AGENT]
    return Visit(
        address=address,
        user_agent=user_agent,
        is_crawler=CRAWLERS.search(user_agent) is not None or _is_guess(headers),
        fbp=_match(FBP, cookies.get("_fbp", "")),
        fbc=_choose_fbc(cookies.get("_fbc", ""), click_ids["fbclid"], now),
        parameters=_keep_others(told),
        **utms,
        **click_ids,
    )


def _read_text(values: Sequence[bytes]) -> str:
    return clean(values[0].decode(errors="replace")).strip() if values else ""


def _keep_whole(click_id: str) -> str | None:
    return click_id if 0 < len(click_id) <= LONGEST_CLICK_ID else None


def _keep_others(told: Mapping[str, str]) -> dict[str, str]:
    """Keep what has no column of its own: other networks' click ids, src and sck, ids of ads."""
    others = [(name, value) for name, value in told.items() if value and name not in (*UTMS, *CLICK_IDS)]
    return {name[:LONGEST_NAME]: value[:LONGEST_VALUE] for name, value in others[:MOST_PARAMETERS]}


def _choose_fbc(cookie: str, fbclid: str | None, now: datetime) -> str | None:
    """Give Meta's own cookie, unless this very click is a newer one: then the cookie is of the click before."""
    kept = FBC.fullmatch(cookie) if len(cookie) <= LONGEST_CLICK_ID else None
    if kept and fbclid in (None, kept[1]):
        return cookie
    if fbclid is None or not FBCLID.fullmatch(fbclid):
        return None
    return f"fb.1.{int(now.timestamp() * 1000)}.{fbclid}"


def _match(pattern: re.Pattern[str], text: str) -> str | None:
    return text if pattern.fullmatch(text) else None


def _is_guess(headers: Mapping[str, str]) -> bool:
    """Tell whether a browser fetches ahead, or only to show what is behind the link."""
    return any(GUESSES.search(headers.get(name, "").lower()) for name in GUESS_HEADERS)
