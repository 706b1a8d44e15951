"""jump: goes on elsewhere in the funnel; what several ways lead to stands once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from grimbots.services.funnels.fields import Target
from grimbots.services.funnels.steps.base import Exit, Scene, Step, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump(Step):
    """A way to another step."""

    kind: ClassVar[str] = "jump"

    to: str = field(metadata={"rule": Target()})

    def enter(self, scene: Scene) -> Turn:
        return Turn(scene.walk, go=self.to)

    def exits(self) -> Iterator[Exit]:
        yield Exit(self.to, "to", "now")
