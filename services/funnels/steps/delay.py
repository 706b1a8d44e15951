"""delay: waits some time, until a time of the day, for a day of the week, or for all of these in that order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from grimbots.services.funnels.events import StepEvent, Woke
from grimbots.services.funnels.fields import MAX_MINUTES, Clock, Target, Weekdays, Whole
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.steps.base import Exit, Scene, Step, Turn
from grimbots.services.funnels.times import find_next

MAX_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(Step):
    """A wait: `seconds` and `minutes`, then until it is `at` on one of `weekdays`, where the lead lives."""

    kind: ClassVar[str] = "delay"

    seconds: int = field(default=0, metadata={"rule": Whole(1, MAX_SECONDS, "bad_seconds")})
    minutes: int = field(default=0, metadata={"rule": Whole(1, MAX_MINUTES, "bad_minutes")})
    at: str = field(default="", metadata={"rule": Clock()})
    weekdays: tuple[str, ...] = field(default=(), metadata={"rule": Weekdays()})
    next: str = field(metadata={"rule": Target()})

    def enter(self, scene: Scene) -> Turn:
        """Wait; a delay that asks for this very moment is over at once."""
        until = find_next(
            scene.now + timedelta(minutes=self.minutes, seconds=self.seconds), self.at, self.weekdays, scene.zone()
        )
        return self.stay(scene, until)

    def react(self, event: StepEvent, scene: Scene) -> Turn | None:
        return Turn(scene.walk, go=self.next) if isinstance(event, Woke) else None

    def exits(self) -> Iterator[Exit]:
        yield Exit(self.next, "next", "time")

    def check(self) -> Iterator[Finding]:
        if not self.seconds and not self.minutes and not self.at and not self.weekdays:
            yield Finding("minutes", "no_delay")
