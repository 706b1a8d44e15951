"""offer: shows a product and its price. Accepting it starts a new basket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from grimbots.services.funnels.events import StepEvent, Tapped
from grimbots.services.funnels.fields import MAX_PRICE_CENTS, Button, Markup, OneButton, Plain, Whole
from grimbots.services.funnels.steps.base import Exit, Scene, Turn
from grimbots.services.funnels.steps.showing import Showing
from grimbots.services.funnels.walks import Item

ACCEPT, DECLINE = "accept", "decline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer(Showing):
    """A product for a price. Its buttons work wherever the lead stands now: whoever scrolls up and wants it gets it."""

    kind: ClassVar[str] = "offer"

    product: str = field(metadata={"rule": Plain()})
    price_cents: int = field(metadata={"rule": Whole(least=1, most=MAX_PRICE_CENTS, code="bad_price")})
    text: str = field(metadata={"rule": Markup()})
    accept: Button = field(metadata={"rule": OneButton(actions=("next",))})
    decline: Button | None = field(default=None, metadata={"rule": OneButton(actions=("next",))})

    def sells(self) -> Item:
        return Item(self.id, self.product, self.price_cents)

    def enter(self, scene: Scene) -> Turn:
        variables = scene.variables([self.sells()])
        rows = [self.press(ACCEPT, self.accept.text, variables)]
        if self.decline:
            rows.append(self.press(DECLINE, self.decline.text, variables))
        return Turn(scene.walk, self.say(self.text, variables, media=self.find_media(scene), rows=rows))

    def react(self, event: StepEvent, scene: Scene) -> Turn | None:
        if isinstance(event, Tapped) and event.button == ACCEPT:
            return Turn(replace(scene.walk, basket=(self.sells(),)), go=self.accept.next)
        if isinstance(event, Tapped) and event.button == DECLINE and self.decline:
            return Turn(replace(scene.walk, basket=()), go=self.decline.next)
        return None

    def exits(self) -> Iterator[Exit]:
        yield Exit(self.accept.next, "accept.next", "accept")
        if self.decline:
            yield Exit(self.decline.next, "decline.next", "tap")

    def taps(self) -> Sequence[str]:
        return [ACCEPT, DECLINE] if self.decline else [ACCEPT]
