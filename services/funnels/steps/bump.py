"""bump: an order bump, one more product on the way from an accepted offer to its charge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from grimbots.services.funnels.events import StepEvent, Tapped
from grimbots.services.funnels.fields import Markup, Plain, Target
from grimbots.services.funnels.prices import Priced
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.steps.base import Exit, Scene, Turn
from grimbots.services.funnels.steps.showing import Showing
from grimbots.services.funnels.walks import Item

ACCEPT, DECLINE = "accept", "decline"
LABELS: Mapping[str, Mapping[str, str]] = {
    "pt-BR": {ACCEPT: "✅ Sim, quero por mais {{price}}", DECLINE: "Não, obrigado"},
    "en": {ACCEPT: "✅ Yes, for {{price}} more", DECLINE: "No, thanks"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bump(Priced, Showing):
    """One more product for the basket.

    Its buttons act only while the lead stands here: afterwards the basket is already charged for.
    """

    kind: ClassVar[str] = "bump"
    needs_basket: ClassVar[bool] = True

    text: str = field(metadata={"rule": Markup()})
    accept: str = field(default="", metadata={"rule": Plain()})
    decline: str = field(default="", metadata={"rule": Plain()})
    next: str = field(metadata={"rule": Target()})

    def enter(self, scene: Scene) -> Turn:
        variables, labels = self._variables(scene), LABELS[scene.version.language]
        accept = self.press(ACCEPT, self.accept or labels[ACCEPT], variables)
        decline = self.press(DECLINE, self.decline or labels[DECLINE], variables)
        return Turn(scene.walk, self.say(self.text, variables, media=self.find_media(scene), rows=[accept, decline]))

    def react(self, event: StepEvent, scene: Scene) -> Turn | None:
        if not isinstance(event, Tapped) or not scene.stands_at(self.id):
            return None
        if event.button == ACCEPT:
            return Turn(replace(scene.walk, basket=(*scene.walk.basket, self.sells())), go=self.next)
        return Turn(scene.walk, go=self.next) if event.button == DECLINE else None

    def exits(self) -> Iterator[Exit]:
        yield Exit(self.next, "next", "tap")

    def taps(self) -> Sequence[str]:
        return ACCEPT, DECLINE

    def sells(self) -> Item:
        return Item(self.id, self.product, self.price_cents)

    def check(self) -> Iterator[Finding]:
        yield from Showing.check(self)
        yield from self.check_price()

    def _variables(self, scene: Scene) -> dict[str, str]:
        """Give its price as what the basket costs more with it: a coupon counts for the whole basket."""
        item, basket = self.sells(), scene.walk.basket
        off, before = scene.find_discount((*basket, item)), scene.find_discount(basket)
        so_far = sum(one.price_cents for one in basket) - before
        sums = {"so_far": so_far, "total": so_far + item.price_cents - off + before}
        named = {name: scene.write_money(cents) for name, cents in sums.items()}
        return {**scene.variables([item], off - before), **named}
