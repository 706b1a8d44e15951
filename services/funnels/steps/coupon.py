"""coupon: asks for a coupon's code. With one or without, the lead goes on to the same step; the charge counts it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from grimbots.services.funnels.events import StepEvent, Tapped, Wrote
from grimbots.services.funnels.fields import Markup, Plain, Target
from grimbots.services.funnels.steps.base import Exit, Scene, Turn
from grimbots.services.funnels.steps.showing import Showing

if TYPE_CHECKING:
    from random import Random

    from grimbots.services.funnels.definitions import Version

SKIP = "skip"
SHARE_WITH_CODE = 0.5  # of made-up leads
TEXTS: Mapping[str, Mapping[str, str]] = {
    "pt-BR": {
        SKIP: "Não tenho cupom",
        "again": "Não encontrei este cupom, ou ele já venceu. Confira o código e escreva de novo, "
        "ou toque no botão para seguir sem cupom.",
        "applied": "✅ Cupom <b>{{coupon}}</b> aplicado!",
    },
    "en": {
        SKIP: "I have no coupon",
        "again": "There is no such coupon, or it is over. Check the code and write it again, "
        "or tap the button to go on without one.",
        "applied": "✅ Coupon <b>{{coupon}}</b> applied!",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon(Showing):
    """A question whose answer is the code of one of the funnel's coupons; a button leads on without one."""

    kind: ClassVar[str] = "coupon"
    redeems: ClassVar[bool] = True

    text: str = field(metadata={"rule": Markup()})
    skip: str = field(default="", metadata={"rule": Plain()})
    again: str = field(default="", metadata={"rule": Markup()})
    applied: str = field(default="", metadata={"rule": Markup()})
    next: str = field(metadata={"rule": Target()})

    def enter(self, scene: Scene) -> Turn:
        said = self.say(self.text, scene.variables(), media=self.find_media(scene), rows=self._rows(scene))
        return self.stay(scene, None, said)

    def react(self, event: StepEvent, scene: Scene) -> Turn | None:
        if isinstance(event, Tapped) and event.button == SKIP and scene.stands_at(self.id):
            return Turn(scene.walk, go=self.next)
        return self._read(event.text, scene) if isinstance(event, Wrote) else None

    def exits(self) -> Iterator[Exit]:
        yield Exit(self.next, "next", "answer")

    def taps(self) -> Sequence[str]:
        return (SKIP,)

    def sample(self, chance: Random, version: Version) -> str | None:
        codes = [coupon.code for coupon in version.coupons.values()]
        return chance.choice(codes) if codes and chance.random() < SHARE_WITH_CODE else None

    def _read(self, typed: str, scene: Scene) -> Turn:
        with_code = replace(scene, walk=replace(scene.walk, coupon=typed.strip()))
        coupon = with_code.find_coupon()
        if coupon is None:
            text = self.again or TEXTS[scene.version.language]["again"]
            return Turn(scene.walk, self.say(text, scene.variables(), rows=self._rows(scene)))
        text = self.applied or TEXTS[scene.version.language]["applied"]
        walk = replace(scene.walk, coupon=coupon.code)
        return Turn(walk, self.say(text, replace(scene, walk=walk).variables()), go=self.next)

    def _rows(self, scene: Scene) -> list[dict[str, str]]:
        return [self.press(SKIP, self.skip or TEXTS[scene.version.language][SKIP], scene.variables())]
