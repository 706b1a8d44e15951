"""What every kind of step is: fields, ways out, and what it does when a lead arrives or something happens to it.

A kind is one file of this folder with one subclass of `Step`: a frozen dataclass whose `kind` is its name in a funnel's
JSON and whose fields are declared with `declare(<rule of fields.py>)`. Nothing else has to be told: kinds.py finds it.
All of it is pure.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from grimbots.services.funnels.bodies import Shown, compose
from grimbots.services.funnels.effects import NONCE, Effect, Say, Wake
from grimbots.services.funnels.events import StepEvent
from grimbots.services.funnels.media import Medium
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.texts import format_money, render_html, render_plain
from grimbots.services.funnels.times import TIME_ZONE, find_zone
from grimbots.services.funnels.walks import Item, Wait, Walk

if TYPE_CHECKING:
    from grimbots.services.funnels.coupons import Coupon
    from grimbots.services.funnels.definitions import Version
    from grimbots.services.funnels.nudges import Timed, What

END = ""


@dataclass(frozen=True, slots=True)
class Exit:
    """A way out of a step. `by`: at once, at a tap, at a tap that puts something in the basket, at once with something
    put there (take), at a payment, at an answer that can be taken, by the passing of time; or beside where the lead
    stands then (nudges.py): `later` with nothing bought, as an `upsell` after a payment.

    `sets`: the variable that has a value on this way.
    """

    target: str
    field: str
    by: Literal["now", "tap", "accept", "take", "paid", "answer", "time", "later", "upsell"]
    sets: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a step makes of an arrival or an event.

    `go` is the step to enter at once, END to end the funnel, None to stay.
    """

    walk: Walk
    effects: Sequence[Effect] = ()
    go: str | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What a step sees. `payment_id` is set while what follows a payment is carried out."""

    version: Version
    walk: Walk
    now: datetime
    payment_id: int | None = None

    def stands_at(self, step: str) -> bool:
        """Tell whether the lead stands at this step of this version."""
        return (self.walk.version_id, self.walk.step) == (self.version.id, step)

    def zone(self) -> ZoneInfo:
        """Give the lead's time zone, where an answer told it; else the funnel's."""
        return find_zone(self.walk.answers.get(TIME_ZONE, "")) or self.version.find_zone()

    def find_coupon(self) -> Coupon | None:
        """Give the coupon the lead came with, while it counts."""
        coupon = self.version.coupons.get(self.walk.coupon.casefold())
        return coupon if coupon is not None and coupon.is_valid(self.now, self.version.find_zone()) else None

    def find_discount(self, items: Sequence[Item]) -> int:
        """Give what the coupon takes off these items."""
        coupon = self.find_coupon()
        return coupon.find_discount(sum(item.price_cents for item in items)) if coupon and items else 0

    def variables(self, items: Sequence[Item] | None = None, discount_cents: int | None = None) -> dict[str, str]:
        """Give what a text may name: the lead's own data, and the product and price of `items` (the basket), less what
        the coupon takes off unless `discount_cents` says how much.
        """
        named = self.walk.basket if items is None else items
        off = self.find_discount(named) if discount_cents is None else discount_cents
        coupon = self.find_coupon()
        return {
            **self.walk.answers,
            **self.walk.variables,
            "product": " + ".join(item.name for item in named),
            "price": self.write_money(sum(item.price_cents for item in named) - off) if named else "",
            "full_price": self.write_money(sum(map(self._find_full_price, named))) if named else "",
            "coupon": coupon.code if coupon else "",
        }

    def write_money(self, cents: int) -> str:
        """Write an amount as the funnel's language does."""
        return format_money(cents, self.version.language)

    def _find_full_price(self, item: Item) -> int:
        """Give what an item costs without its step's discount."""
        step = self.version.steps.get(item.offer)
        return max(getattr(step, "full_price_cents", 0), item.price_cents)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(ABC):
    """One step of a funnel.

    `delivers`, `charges` and `redeems` (coupons) tell the check what a kind is there for; `needs_basket`: only after an
    offer; `speaks`: the lead is told something.
    """

    kind: ClassVar[str]
    delivers: ClassVar[bool] = False
    charges: ClassVar[bool] = False
    redeems: ClassVar[bool] = False
    needs_basket: ClassVar[bool] = False
    speaks: ClassVar[bool] = False

    id: str

    @abstractmethod
    def enter(self, scene: Scene) -> Turn:
        """Do what this step does when a lead arrives."""

    @abstractmethod
    def exits(self) -> Iterator[Exit]:
        """Give every way out."""

    def react(self, event: StepEvent, scene: Scene) -> Turn | None:
        """Do what follows from an event meant for this step; None where nothing does."""
        return None

    def taps(self) -> Sequence[str]:
        """Give the ids of this step's buttons that come back to it."""
        return ()

    def asks(self) -> Mapping[str, str]:
        """Give the variables that this step fills, each with the longest value it can have."""
        return {}

    def reads(self) -> Iterator[tuple[str, str]]:
        """Give the variables it looks at besides those in its texts, each with the field that names it."""
        yield from ()

    def sample(self, chance: Random, version: Version) -> str | None:
        """Give something a lead may write here, for a simulation; None where no words are waited for."""
        return None

    def names_offers(self) -> Iterator[tuple[str, str]]:
        """Give the offers it speaks of (whose purchase it asks for, or whose price it lowers), each with its field."""
        yield from ()

    def priced(self, steps: Mapping[str, Step]) -> Step:
        """Work out what it asks, where that hangs on another step."""
        return self

    def timetable(self, what: What) -> Sequence[Timed]:
        """Give what it has for later (nudges.py)."""
        return ()

    def sells(self) -> Item | None:
        """Give what accepting this step puts into the basket."""
        return None

    def find_group(self) -> int | None:
        """Give the group or channel it lets into, by Telegram's id."""
        return None

    def check(self) -> Iterator[Finding]:
        """Give what is wrong between its fields."""
        yield from ()

    def list_media(self) -> Sequence[Medium]:
        """Give the files it shows."""
        return ()

    def captions(self) -> bool:
        """Tell whether its text is the caption of what it shows."""
        return False

    def press(self, button: str, text: str, variables: Mapping[str, str]) -> dict[str, Any]:
        """Make a keyboard button that comes back to this step."""
        return {"text": render_plain(text, variables), "callback_data": write_callback(self.id, button)}

    def stay(self, scene: Scene, until: datetime | None, said: Sequence[Effect] = (), tries: int = 0) -> Turn:
        """Wait here; where `until` is given, to be woken then."""
        number = scene.walk.waits + 1
        walk = replace(scene.walk, waits=number, wait=Wait(number, until, tries))
        return Turn(walk, (*said, Wake(self.id, number, until)) if until else said)

    def say(
        self,
        text: str,
        variables: Mapping[str, str],
        *,
        media: Sequence[Shown] = (),
        rows: Sequence[Mapping[str, Any]] = (),
        payment_id: int | None = None,
        delivery: bool = False,
    ) -> tuple[Say, ...]:
        """Make the messages of a template: mostly one, more where it does not fit into one; one button a row.

        Of several the last with text bears the buttons, and is the delivery.
        """
        calls = compose(render_html(text, variables), media, rows)
        last = [call for call in calls if not call.follows][-1]
        return tuple(
            Say(self.id, call.method, call.body, payment_id=payment_id, delivery=delivery and call is last)
            for call in calls
        )


def write_callback(step: str, button: str, nonce: str = NONCE) -> str:
    """Write a button's callback_data; it carries names only, never a price or a person."""
    return f"v1:{step}:{button}:{nonce}"


def list_later(step: Step) -> Iterator[Exit]:
    """Give the ways of a step's downsells and upsells."""
    for place, one in enumerate(step.timetable("downsell")):
        yield Exit(one.next, f"downsells[{place}].next", "later")
    for place, one in enumerate(step.timetable("upsell")):
        yield Exit(one.next, f"upsells[{place}].next", "upsell")
