"""pick: the product that a button elsewhere has named: who comes here has chosen it, and goes on with a new basket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

from grimbots.services.funnels.fields import Target
from grimbots.services.funnels.prices import Priced
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.steps.base import Exit, Scene, Step, Turn
from grimbots.services.funnels.walks import Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick(Priced, Step):
    """A product for a price, without a word: of a message that offers several, one for each button."""

    kind: ClassVar[str] = "pick"

    next: str = field(metadata={"rule": Target()})

    def sells(self) -> Item:
        return Item(self.id, self.product, self.price_cents)

    def enter(self, scene: Scene) -> Turn:
        return Turn(replace(scene.walk, basket=(self.sells(),)), go=self.next)

    def exits(self) -> Iterator[Exit]:
        yield Exit(self.next, "next", "take")

    def check(self) -> Iterator[Finding]:
        yield from self.check_price()
