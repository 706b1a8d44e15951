"""Prices: what a step that sells something asks for it: an amount, or a share of another step's. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from grimbots.services.funnels.fields import MAX_PRICE_CENTS, Plain, Rule, Whole
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.readings import Wrong, read_text

if TYPE_CHECKING:
    from grimbots.services.funnels.steps.base import Step

S = TypeVar("S", bound="Priced")
PERCENT = Whole(1, 99, "bad_percent")
LEAST_CENTS = 50  # several providers make no charge under R$ 0,50: no discount leads below it


@dataclass(frozen=True, slots=True)
class Discount:
    """So much less than what the step `of` asks."""

    percent: int
    of: str


@dataclass(frozen=True, slots=True)
class Discounts(Rule):
    """An object, {"percent": 30, "of": "<id of an offer, bump or pick>"}."""

    def read(self, raw: Any) -> Discount:
        if not isinstance(raw, dict):
            raise Wrong("not_object")
        if unknown := [name for name in raw if name not in ("percent", "of")]:
            raise Wrong("unknown_field", unknown[0])
        if missing := [name for name in ("percent", "of") if not raw.get(name)]:
            raise Wrong("missing", missing[0])
        try:
            return Discount(PERCENT.read(raw["percent"]), read_text(raw["of"]))
        except Wrong as wrong:
            place = "of" if wrong.code in ("not_text", "bad_text") else "percent"
            raise Wrong(wrong.code, place, **wrong.facts) from None


@dataclass(frozen=True, kw_only=True)
class Priced:
    """The fields of every kind of step that sells something. Of one with a discount `price_cents` is what it comes to,
    `full_price_cents` what it is taken of.
    """

    product: str = field(metadata={"rule": Plain()})
    price_cents: int = field(default=0, metadata={"rule": Whole(1, MAX_PRICE_CENTS, "bad_price")})
    discount: Discount | None = field(default=None, metadata={"rule": Discounts()})
    full_price_cents: int = 0

    def priced(self: S, steps: Mapping[str, Step]) -> S:
        """Work the price out."""
        of = steps.get(self.discount.of) if self.discount else None
        item = of.sells() if of else None
        if self.price_cents or self.discount is None or item is None or not item.price_cents:
            return self
        price_cents = cut(item.price_cents, self.discount.percent)
        return dataclasses.replace(self, price_cents=price_cents, full_price_cents=item.price_cents)

    def names_offers(self) -> Iterator[tuple[str, str]]:
        """Give the offer it takes its price of."""
        if self.discount:
            yield self.discount.of, "discount.of"

    def check_price(self) -> Iterator[Finding]:
        """Find a price that is missing, or given twice."""
        if self.discount and self.price_cents and not self.full_price_cents:
            yield Finding("discount", "two_prices")
        elif not self.discount and not self.price_cents:
            yield Finding("price_cents", "missing")


def cut(cents: int, percent: int) -> int:
    """Take so many per cent off, rounded to the cent; what can be charged is left, or all of what is less."""
    return max(min(cents, LEAST_CENTS), find_share(cents, 100 - percent))


def find_share(cents: int, percent: int) -> int:
    """Give so many per cent, rounded to the cent."""
    return (cents * percent + 50) // 100
