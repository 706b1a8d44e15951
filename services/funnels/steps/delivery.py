"""delivery: hands over what was paid for. Only the way from a paid charge leads here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from grimbots.services.funnels.deliveries.base import DeliveryKind
from grimbots.services.funnels.deliveries.message import Message
from grimbots.services.funnels.effects import Say
from grimbots.services.funnels.events import AccessNews, StepEvent, Tapped
from grimbots.services.funnels.fields import Button, Markup, OneButton, Switch, Target
from grimbots.services.funnels.handovers import Gives
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.steps.base import END, Exit, Scene, Turn
from grimbots.services.funnels.steps.showing import Showing
from grimbots.services.funnels.texts import render_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Showing):
    """A text, a link, files: sent until Telegram takes all of it. `protect_content` forbids forwarding and saving.

    `gives` says what is handed over with them (deliveries/): nothing else, or a place in a group.
    """

    kind: ClassVar[str] = "delivery"
    delivers: ClassVar[bool] = True

    text: str = field(default="", metadata={"rule": Markup()})
    link: Button | None = field(default=None, metadata={"rule": OneButton(actions=("url",))})
    gives: DeliveryKind = field(default_factory=Message, metadata={"rule": Gives()})
    protect_content: bool = field(default=False, metadata={"rule": Switch()})
    next: str = field(default="", metadata={"rule": Target()})

    def enter(self, scene: Scene) -> Turn:
        """Deliver; a lead who comes here without having paid (an unchecked funnel) is led on with nothing."""
        said = () if scene.payment_id is None else self._hand_over(scene)
        return Turn(scene.walk, said, go=self.next or END)

    def react(self, event: StepEvent, scene: Scene) -> Turn | None:
        if isinstance(event, AccessNews):
            return Turn(scene.walk, self.gives.tell(self, event, scene))
        return self.gives.take_tap(event, scene) if isinstance(event, Tapped) else None

    def exits(self) -> Iterator[Exit]:
        if self.next:
            yield Exit(self.next, "next", "now")
        yield from self.gives.exits()

    def taps(self) -> Sequence[str]:
        return self.gives.taps()

    def find_group(self) -> int | None:
        return self.gives.find_group()

    def has_buttons(self) -> bool:
        return self.link is not None or self.gives.find_group() is not None

    def check(self) -> Iterator[Finding]:
        yield from Showing.check(self)
        yield from self.gives.check(self)

    def _hand_over(self, scene: Scene) -> tuple[Say, ...]:
        variables, language = scene.variables(), scene.version.language
        rows = list(self.gives.rows(variables, language))
        if self.link:
            rows.append({"text": render_plain(self.link.text, variables), "url": self.link.url})
        text = self.text or self.gives.default_text(language)
        media = self.find_media(scene)
        said = self.say(text, variables, media=media, rows=rows, payment_id=scene.payment_id, delivery=True)
        said = tuple(replace(one, grant=self.gives.grant(self, scene)) if one.delivery else one for one in said)
        if not self.protect_content:
            return said
        return tuple(replace(one, body={**one.body, "protect_content": True}) for one in said)
