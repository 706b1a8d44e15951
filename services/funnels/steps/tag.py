"""tag: marks the lead, or takes marks away; a condition asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

from grimbots.services.funnels.fields import Tags, Target
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.steps.base import END, Exit, Scene, Step, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag(Step):
    """Marks that stay with the lead, whatever funnel it walks."""

    kind: ClassVar[str] = "tag"

    add: tuple[str, ...] = field(default=(), metadata={"rule": Tags()})
    remove: tuple[str, ...] = field(default=(), metadata={"rule": Tags()})
    next: str = field(default="", metadata={"rule": Target()})

    def enter(self, scene: Scene) -> Turn:
        kept = [tag for tag in scene.walk.tags if tag not in self.remove]
        return Turn(replace(scene.walk, tags=tuple(dict.fromkeys((*kept, *self.add)))), go=self.next or END)

    def exits(self) -> Iterator[Exit]:
        if self.next:
            yield Exit(self.next, "next", "now")

    def check(self) -> Iterator[Finding]:
        if not self.add and not self.remove:
            yield Finding("add", "no_tags")
        if both := sorted({*self.add} & {*self.remove}):
            yield Finding("remove", "tag_both_ways", {"tag": both[0]})
