"""delivery: hands over what was paid for. Only the way from a paid charge leads here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from grimbots.services.funnels.effects import Say
from grimbots.services.funnels.fields import Button, Markup, OneButton, Switch, Target
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.steps.base import END, Exit, Scene, Turn
from grimbots.services.funnels.steps.showing import Showing
from grimbots.services.funnels.texts import render_plain

TEXTS: Mapping[str, str] = {
    "pt-BR": "🎁 Aqui está o seu acesso a <b>{{product|seu pedido}}</b>. Bom proveito!",
    "en": "🎁 Here is your access to <b>{{product|your order}}</b>. Enjoy!",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Showing):
    """A text, a link, files: sent until Telegram takes all of it. `protect_content` forbids forwarding and saving."""

    kind: ClassVar[str] = "delivery"
    delivers: ClassVar[bool] = True

    text: str = field(default="", metadata={"rule": Markup()})
    link: Button | None = field(default=None, metadata={"rule": OneButton(actions=("url",))})
    protect_content: bool = field(default=False, metadata={"rule": Switch()})
    next: str = field(default="", metadata={"rule": Target()})

    def enter(self, scene: Scene) -> Turn:
        """Deliver; a lead who comes here without having paid (an unchecked funnel) is led on with nothing."""
        said = () if scene.payment_id is None else self._hand_over(scene)
        return Turn(scene.walk, said, go=self.next or END)

    def exits(self) -> Iterator[Exit]:
        if self.next:
            yield Exit(self.next, "next", "now")

    def has_buttons(self) -> bool:
        return self.link is not None

    def check(self) -> Iterator[Finding]:
        yield from Showing.check(self)
        if not self.text and not self.link and not self.list_media():
            yield Finding("text", "nothing_delivered")

    def _hand_over(self, scene: Scene) -> tuple[Say, ...]:
        variables = scene.variables()
        rows = [{"text": render_plain(self.link.text, variables), "url": self.link.url}] if self.link else []
        text = self.text or TEXTS[scene.version.language]
        media = self.find_media(scene)
        said = self.say(text, variables, media=media, rows=rows, payment_id=scene.payment_id, delivery=True)
        if not self.protect_content:
            return said
        return tuple(replace(one, body={**one.body, "protect_content": True}) for one in said)
