"""Coupons: codes of a funnel that take something off a basket. Pure; how often one was used is counted by rows.

A code is no secret and no price: what it takes off says the published version, at the moment of the charge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from grimbots.services.funnels.fields import MAX_PRICE_CENTS, Whole
from grimbots.services.funnels.prices import LEAST_CENTS, PERCENT, find_share
from grimbots.services.funnels.readings import Wrong, join_place, read_text

CODE = re.compile(r"[A-Za-z0-9_-]{3,40}")  # what a start parameter may hold, too
MAX_COUPONS = 100
READERS = {
    "percent": PERCENT.read,
    "amount_cents": Whole(1, MAX_PRICE_CENTS, "bad_price").read,
    "uses": Whole(1, 1_000_000, "bad_count").read,
}
FIELDS = frozenset({"code", "until", *READERS})


@dataclass(frozen=True, slots=True)
class Coupon:
    """A code: `percent` or `amount_cents` off, up to and with the day `until`, `uses` times in all."""

    code: str
    percent: int = 0
    amount_cents: int = 0
    until: date | None = None
    uses: int | None = None

    def is_valid(self, now: datetime, zone: ZoneInfo) -> bool:
        """Tell whether its last day is not over."""
        return self.until is None or now.astimezone(zone).date() <= self.until

    def find_discount(self, full_cents: int) -> int:
        """Give what it takes off: never so much that the rest could not be charged."""
        return max(0, min(self.find_worth(full_cents), full_cents - LEAST_CENTS))

    def find_worth(self, full_cents: int) -> int:
        """Give what it would take off by its own words."""
        return full_cents - find_share(full_cents, 100 - self.percent) if self.percent else self.amount_cents


def read_coupons(raw: Any) -> Mapping[str, Coupon]:
    """Read a funnel's list of coupons, by their codes without regard to capitals. Raises Wrong."""
    if not isinstance(raw, list):
        raise Wrong("not_list")
    if len(raw) > MAX_COUPONS:
        raise Wrong("too_many_coupons", limit=MAX_COUPONS)
    coupons: dict[str, Coupon] = {}
    for place, one in enumerate(raw):
        try:
            coupon = _read_coupon(one)
            if coupon.code.casefold() in coupons:
                raise Wrong("coupon_twice", "code", coupon=coupon.code)
        except Wrong as wrong:
            raise Wrong(wrong.code, join_place(f"[{place}]", wrong.place), **wrong.facts) from None
        coupons[coupon.code.casefold()] = coupon
    return coupons


def _read_coupon(raw: Any) -> Coupon:
    if not isinstance(raw, dict):
        raise Wrong("not_object")
    if unknown := [name for name in raw if name not in FIELDS]:
        raise Wrong("unknown_field", unknown[0])
    if ("percent" in raw) == ("amount_cents" in raw):
        raise Wrong("coupon_worth")
    if not isinstance(raw.get("code"), str) or not CODE.fullmatch(raw["code"]):
        raise Wrong("bad_coupon", "code")
    found = {name: _read(name, raw[name]) for name in READERS if name in raw}
    return Coupon(raw["code"], until=_read_day(raw["until"]) if "until" in raw else None, **found)


def _read(name: str, raw: Any) -> int:
    try:
        return READERS[name](raw)
    except Wrong as wrong:
        raise Wrong(wrong.code, name, **wrong.facts) from None


def _read_day(raw: Any) -> date:
    try:
        return date.fromisoformat(read_text(raw))
    except (Wrong, ValueError):
        raise Wrong("bad_day", "until") from None
