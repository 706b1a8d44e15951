"""The old downsells and upsells as steps: an offer at a fixed price, or every product at a discount."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from grimbots.services.funnels.moving.drafts import Draft, Fields
from grimbots.services.funnels.moving.remarks import Remark
from grimbots.services.funnels.moving.sales import LANGUAGE, Product, write_bumps
from grimbots.services.funnels.moving.words import (
    LONGEST_PRODUCT,
    read_audio,
    read_cents,
    read_flag,
    read_media,
    read_minutes,
    read_number,
    read_text,
    round_cents,
    write_html,
    write_plain,
)
from grimbots.services.funnels.prices import LEAST_CENTS
from grimbots.services.funnels.texts import format_money

DEFAULT_CENTS = {"downsell": 997, "upsell": 9700}  # what the old system charged where no price could be found
DEFAULT_MINUTES, DEFAULT_PERCENT = 5, 50
PRICE = re.compile(r"\s*\b(?:por\s+)?(?:R\$\s*)?\d+[.,]\d+", re.IGNORECASE)
BUY = "🛒 Comprar por {{price}}"


@dataclass(frozen=True, slots=True)
class Sale:
    """An old downsell or upsell: `kind` says which, `place` is its place in its list."""

    kind: str
    place: int
    raw: Fields
    charges: dict[int, str]

    @property
    def where(self) -> str:
        """Where it stood."""
        return f"{self.kind}s[{self.place}]"

    @property
    def name(self) -> str:
        """What its steps are called by."""
        return f"{self.kind}-{self.place + 1}"

    @property
    def is_percentage(self) -> bool:
        """Tell whether it gives a discount on every product."""
        return self.raw.get("pricing_mode") == "percentage"

    def wait(self, draft: Draft) -> int:
        """Give the minutes it waits."""
        return read_minutes(self.raw.get("delay_minutes"), DEFAULT_MINUTES, self.where, draft.note)

    def says(self) -> bool:
        """Tell whether there is anything to send."""
        return bool(read_text(self.raw.get("message")) or read_text(self.raw.get("media_url")))

    def show(self, draft: Draft) -> dict[str, str]:
        """Give what it shows."""
        shown = read_media(self.raw.get("media_url"), self.raw.get("media_type"), self.where, draft.note)
        return shown | read_audio(self.raw.get("audio_enabled"), self.raw.get("audio_url"), self.where, draft.note)

    def text(self, draft: Draft) -> str:
        """Give what it says."""
        return write_html(self.raw.get("message"), self.where, draft.note) or "🔥"

    def bumps(self) -> Sequence[Fields]:
        """Give its order bump; upsells never showed theirs."""
        bump = self.raw.get("order_bump")
        if not isinstance(bump, dict) or self.kind != "downsell":
            return []
        return [bump] if read_flag(bump.get("enabled")) and read_cents(bump.get("price")) else []


def write_fixed(draft: Draft, sale: Sale, product: Product, price_cents: int) -> str:
    """Write an offer of one product at a price of its own, its bump and the way to its charge. Returns the first."""
    step = f"{sale.name}-{product.number}"
    entries = write_bumps(draft, step, sale.where, sale.bumps(), sale.charges[product.place])
    entry = draft.say(
        step,
        "offer",
        sale.where,
        sale.show(draft),
        product=write_plain(sale.raw.get("product_name"), LONGEST_PRODUCT) or product.name,
        price_cents=price_cents,
        text=sale.text(draft),
        accept={"text": write_plain(sale.raw.get("button_text")) or BUY, "next": entries[0]},
    )
    _remember(draft, sale, product, step, entries)
    return entry


def find_price(draft: Draft, sale: Sale) -> int:
    """Give a fixed price; without one, what the old system charged then."""
    price_cents = read_cents(sale.raw.get("price"))
    if price_cents >= LEAST_CENTS:
        return price_cents
    fallback = DEFAULT_CENTS[sale.kind]
    draft.note(Remark("offer_without_price", sale.where, {"price": format_money(fallback, LANGUAGE)}))
    return fallback


def write_discounted(draft: Draft, sale: Sale, products: Sequence[Product]) -> str:
    """Write one message with a button for each product at its discount; returns the first, "" where none is left."""
    percent = read_number(sale.raw.get("discount_percentage"))
    percent = min(Decimal(95), max(Decimal(1), Decimal(DEFAULT_PERCENT) if percent is None else percent))
    buttons = [_write_pick(draft, sale, product, percent) for product in products]
    shown = [button for button in buttons if button is not None]
    if not shown:
        draft.note(Remark("no_buttons_to_discount", sale.where))
        return ""
    return draft.say(sale.name, "message", sale.where, sale.show(draft), text=sale.text(draft), buttons=shown)


def _write_pick(draft: Draft, sale: Sale, product: Product, percent: Decimal) -> Fields | None:
    price_cents = round_cents(product.price_cents * (100 - percent) / 100)
    if price_cents < LEAST_CENTS:
        draft.note(Remark("price_too_low", f"{sale.where}, main_buttons[{product.place}]"))
        return None
    step = f"{sale.name}-{product.number}"
    entries = write_bumps(draft, step, sale.where, sale.bumps(), sale.charges[product.place])
    whole = percent == int(percent)
    discount = {"percent": int(percent), "of": f"produto-{product.number}"}
    price: Fields = {"discount": discount} if whole else {"price_cents": price_cents}
    draft.add(step, "pick", product=product.name, **price, next=entries[0])
    _remember(draft, sale, product, step, entries)
    return {"text": _write_label(product, price_cents, percent), "next": step}


def _write_label(product: Product, price_cents: int, percent: Decimal) -> str:
    """Give a discounted product's button: the newer system put the new price where the old one stood."""
    if product.label == product.words:
        return f"🔥 {product.words} ({int(percent)}% OFF)"
    plain = PRICE.sub("", product.words).strip() or product.name
    return f"{plain} por {format_money(price_cents, LANGUAGE)} ({int(percent)}% OFF)"


def _remember(draft: Draft, sale: Sale, product: Product, step: str, entries: Sequence[str]) -> None:
    """Write what the buttons of old messages do; those of a bump do not say which product they are for."""
    draft.remember(f"{sale.kind}_{sale.place}_{product.place}", entries[0], [step])
    if f"{sale.kind}_{sale.place}" not in draft.old_buttons:
        draft.remember(f"{sale.kind}_{sale.place}", entries[0], [step])
    if len(entries) < 2:
        return
    yes, no = (f"{sale.kind}_bump_{word}_{sale.place}" for word in ("yes", "no"))
    if yes not in draft.old_buttons:
        draft.remember(yes, entries[1], [step, f"bump-{step}-1"])
        draft.remember(no, entries[1], [step])
