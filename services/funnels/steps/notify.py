"""notify: tells the seller, in the chat that `grimbots chat notices` named, that a lead has come here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from grimbots.services.funnels.effects import Notify as Tell
from grimbots.services.funnels.fields import Markup, Target
from grimbots.services.funnels.steps.base import END, Exit, Scene, Step, Turn
from grimbots.services.funnels.texts import render_html


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify(Step):
    """A message to the seller; the lead sees nothing of it."""

    kind: ClassVar[str] = "notify"

    text: str = field(metadata={"rule": Markup()})
    next: str = field(default="", metadata={"rule": Target()})

    def enter(self, scene: Scene) -> Turn:
        told = Tell(self.id, render_html(self.text, scene.variables()))
        return Turn(scene.walk, (told,), go=self.next or END)

    def exits(self) -> Iterator[Exit]:
        if self.next:
            yield Exit(self.next, "next", "now")
