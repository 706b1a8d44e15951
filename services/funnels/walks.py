"""Where a lead stands in a funnel: `Walk`, kept in leads.step, leads.version_id and leads.state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

ORDERS_KEPT = 10


@dataclass(frozen=True, slots=True)
class Item:
    """Something the lead accepted. `offer` is the step that offered it."""

    offer: str
    name: str
    price_cents: int


@dataclass(frozen=True, slots=True)
class Order:
    """A basket that was sent to a charge step.

    `payment_id` is 0 until the payment's row exists (services/effects.py binds it in the same transaction); `code` is
    "" and `expires_at` None until the provider answered; `closed` once it was paid, refused or has expired. A `coupon`
    took `discount_cents` off.
    """

    step: str
    items: tuple[Item, ...]
    payment_id: int = 0
    code: str = ""
    expires_at: datetime | None = None
    closed: bool = False
    coupon: str = ""
    discount_cents: int = 0

    def is_open(self, now: datetime) -> bool:
        """Tell whether this order can still be paid, or is still being made."""
        return not self.closed and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Tap:
    """The last button this lead pressed: what tells a double tap from a second wish."""

    nonce: str
    button: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Wait:
    """What a lead waits for where it stands: an instant, unless `until` is None, or something else that comes first.

    `number` tells this wait from every other of the lead's; `tries`: answers that could not be taken.
    """

    number: int
    until: datetime | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Walk:
    """One lead's way through a funnel.

    `version_id` 0: never started; `step` "": before the first start and after the end. `variables` is what Telegram
    tells of the lead, `answers` what it answered. `bought`: the offers it has ever paid for, `last_bought` those of its
    latest payment. `waits` counts its waits; until `held_until` a person has the chat. `coupon` is the code it brought.
    `stage` counts what makes earlier downsells pointless, `offered` is where downsells have led it since it began or
    bought (nudges.py).
    """

    version_id: int = 0
    step: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    basket: tuple[Item, ...] = ()
    orders: tuple[Order, ...] = ()
    tap: Tap | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    bought: tuple[str, ...] = ()
    wait: Wait | None = None
    waits: int = 0
    held_until: datetime | None = None
    coupon: str = ""
    stage: int = 0
    offered: tuple[str, ...] = ()
    last_bought: tuple[str, ...] = ()

    def is_held(self, now: datetime) -> bool:
        """Tell whether a person has the chat."""
        return self.held_until is not None and now < self.held_until

    def is_due(self, now: datetime) -> bool:
        """Tell whether the instant it waits for has come."""
        return self.wait is not None and self.wait.until is not None and self.wait.until <= now

    def with_bought(self, items: tuple[Item, ...]) -> Walk:
        """Remember what was paid for; no downsell follows any more."""
        offers = tuple(dict.fromkeys(item.offer for item in items))
        bought = tuple(dict.fromkeys((*self.bought, *offers)))
        return replace(self, bought=bought, last_bought=offers, stage=self.stage + 1, offered=())

    def find_open(self, step: str, items: tuple[Item, ...], coupon: str, now: datetime) -> Order | None:
        """Find the open order of exactly these items by this coupon, whichever version it was made on."""
        wanted = (step, items, coupon)
        return next(
            (
                order
                for order in self.orders
                if (order.step, order.items, order.coupon) == wanted and order.is_open(now)
            ),
            None,
        )

    def find_order(self, payment_id: int) -> Order | None:
        """Find the order of a payment; one that closed long ago may be forgotten."""
        return next((order for order in self.orders if order.payment_id == payment_id), None)

    def with_order(self, order: Order, now: datetime) -> Walk:
        """Add an order; of those that cannot be paid any more only the latest few are remembered."""
        closed = [known for known in self.orders if not known.is_open(now)]
        forgotten = set(map(id, closed[:-ORDERS_KEPT]))
        return replace(self, orders=(*(known for known in self.orders if id(known) not in forgotten), order))

    def change_order(self, payment_id: int, **changes: Any) -> Walk:
        """Change the order of a payment, if it is known."""
        return replace(
            self,
            orders=tuple(
                replace(order, **changes) if order.payment_id == payment_id else order for order in self.orders
            ),
        )


def dump(walk: Walk) -> dict[str, Any]:
    """Make leads.state: everything but version, step and what the lead's own columns hold."""
    state: dict[str, Any] = {
        "basket": [asdict(item) for item in walk.basket],
        "orders": [_dump_order(order) for order in walk.orders],
    }
    if walk.tap is not None:
        state["tap"] = {**asdict(walk.tap), "at": walk.tap.at.isoformat()}
    if walk.wait is not None:
        state["wait"] = {**asdict(walk.wait), "until": _dump_time(walk.wait.until)}
    rare = {
        "answers": dict(walk.answers),
        "tags": list(walk.tags),
        "bought": list(walk.bought),
        "waits": walk.waits,
        "held_until": _dump_time(walk.held_until),
        "coupon": walk.coupon,
        "stage": walk.stage,
        "offered": list(walk.offered),
        "last_bought": list(walk.last_bought),
    }
    return state | {name: value for name, value in rare.items() if value}


def load(state: Mapping[str, Any], *, version_id: int, step: str, variables: Mapping[str, str]) -> Walk:
    """Read a walk back from leads.state."""
    tap, wait = state.get("tap"), state.get("wait")
    return Walk(
        version_id=version_id,
        step=step,
        variables=variables,
        basket=_load_items(state.get("basket", ())),
        orders=tuple(_load_order(order) for order in state.get("orders", ())),
        tap=Tap(tap["nonce"], tap["button"], datetime.fromisoformat(tap["at"])) if tap else None,
        answers=state.get("answers", {}),
        tags=tuple(state.get("tags", ())),
        bought=tuple(state.get("bought", ())),
        wait=Wait(**{**wait, "until": _load_time(wait["until"])}) if wait else None,
        waits=state.get("waits", 0),
        held_until=_load_time(state.get("held_until")),
        coupon=state.get("coupon", ""),
        stage=state.get("stage", 0),
        offered=tuple(state.get("offered", ())),
        last_bought=tuple(state.get("last_bought", ())),
    )


def _dump_order(order: Order) -> dict[str, Any]:
    """Write an order; one without a coupon as it was before there were any: a program of then may still be serving."""
    values = {**asdict(order), "expires_at": _dump_time(order.expires_at)}
    return {name: value for name, value in values.items() if value or name not in ("coupon", "discount_cents")}


def _dump_time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _load_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _load_items(items: Any) -> tuple[Item, ...]:
    return tuple(Item(**item) for item in items)


def _load_order(order: Mapping[str, Any]) -> Order:
    times = {"expires_at": _load_time(order["expires_at"])}
    return Order(**{**order, "items": _load_items(order["items"]), **times})
