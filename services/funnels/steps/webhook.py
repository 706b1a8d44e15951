"""webhook: tells a server of the seller's that a lead has come here, signed and repeated (services/posts.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from grimbots.services.funnels.effects import Post
from grimbots.services.funnels.fields import Address, Target, Values
from grimbots.services.funnels.steps.base import END, Exit, Scene, Step, Turn
from grimbots.services.funnels.texts import render_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Step):
    """A POST of `values`; without any, of everything known of the lead. The lead waits for no answer."""

    kind: ClassVar[str] = "webhook"

    url: str = field(metadata={"rule": Address()})
    values: Mapping[str, str] = field(default_factory=dict, metadata={"rule": Values()})
    next: str = field(default="", metadata={"rule": Target()})

    def enter(self, scene: Scene) -> Turn:
        variables = scene.variables()
        values = {name: render_plain(text, variables) for name, text in self.values.items()}
        return Turn(scene.walk, (Post(self.id, self.url, values or variables),), go=self.next or END)

    def exits(self) -> Iterator[Exit]:
        if self.next:
            yield Exit(self.next, "next", "now")
