"""condition: sends the lead on by what is known of it: answers, tags, what it bought, the hour where it lives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from grimbots.services.funnels.conditions import Case, Cases
from grimbots.services.funnels.fields import Target
from grimbots.services.funnels.steps.base import Exit, Scene, Step, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition(Step):
    """The first case that holds decides; where none does, `next`."""

    kind: ClassVar[str] = "condition"

    cases: tuple[Case, ...] = field(metadata={"rule": Cases()})
    next: str = field(metadata={"rule": Target()})

    def enter(self, scene: Scene) -> Turn:
        return Turn(scene.walk, go=next((case.next for case in self.cases if case.holds(scene)), self.next))

    def exits(self) -> Iterator[Exit]:
        for place, case in enumerate(self.cases):
            sets = case.variable if case.variable and not case.negated else ""
            yield Exit(case.next, f"cases[{place}].next", "now", sets=sets)
        yield Exit(self.next, "next", "now")

    def reads(self) -> Iterator[tuple[str, str]]:
        for place, case in enumerate(self.cases):
            if case.variable:
                yield case.variable, f"cases[{place}].variable"

    def names_offers(self) -> Iterator[tuple[str, str]]:
        for place, case in enumerate(self.cases):
            for subject in ("bought", "last_bought"):
                if offer := getattr(case, subject):
                    yield offer, f"cases[{place}].{subject}"
