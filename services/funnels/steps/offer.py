"""offer: shows a product and its price. Accepting it starts a new basket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from grimbots.services.funnels.events import StepEvent, Tapped
from grimbots.services.funnels.fields import Button, Markup, OneButton
from grimbots.services.funnels.nudges import Timed, Timetable, What, begin_downsells
from grimbots.services.funnels.prices import Priced
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.steps.base import Exit, Scene, Turn, list_later
from grimbots.services.funnels.steps.showing import Showing
from grimbots.services.funnels.walks import Item

ACCEPT, DECLINE = "accept", "decline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer(Priced, Showing):
    """A product for a price. Its buttons work wherever the lead stands now: whoever scrolls up and wants it gets it."""

    kind: ClassVar[str] = "offer"

    text: str = field(metadata={"rule": Markup()})
    accept: Button = field(metadata={"rule": OneButton(actions=("next",))})
    decline: Button | None = field(default=None, metadata={"rule": OneButton(actions=("next",))})
    downsells: tuple[Timed, ...] = field(default=(), metadata={"rule": Timetable()})

    def sells(self) -> Item:
        return Item(self.id, self.product, self.price_cents)

    def enter(self, scene: Scene) -> Turn:
        variables = scene.variables([self.sells()])
        rows = [self.press(ACCEPT, self.accept.text, variables)]
        if self.decline:
            rows.append(self.press(DECLINE, self.decline.text, variables))
        walk, later = begin_downsells(self, scene)
        return Turn(walk, (*self.say(self.text, variables, media=self.find_media(scene), rows=rows), *later))

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
        yield from list_later(self)

    def timetable(self, what: What) -> Sequence[Timed]:
        return self.downsells if what == "downsell" else ()

    def check(self) -> Iterator[Finding]:
        yield from Showing.check(self)
        yield from self.check_price()

    def taps(self) -> Sequence[str]:
        return [ACCEPT, DECLINE] if self.decline else [ACCEPT]
