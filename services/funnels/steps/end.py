"""end: the funnel is over for this lead; its buttons still work, and /start begins anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from grimbots.services.funnels.steps.base import END, Exit, Scene, Step, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class End(Step):
    """The end: what was in the basket and never charged is forgotten."""

    kind: ClassVar[str] = "end"

    def enter(self, scene: Scene) -> Turn:
        return Turn(replace(scene.walk, basket=()), go=END)

    def exits(self) -> Iterator[Exit]:
        yield from ()
