"""message: says something. With buttons that lead to steps it waits for a tap; without, the funnel goes on at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from grimbots.services.funnels.events import StepEvent, Tapped
from grimbots.services.funnels.fields import Button, Buttons, Markup, Target
from grimbots.services.funnels.nudges import Timed, Timetable, What, begin_downsells
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.steps.base import END, Exit, Scene, Turn, list_later
from grimbots.services.funnels.steps.showing import Showing
from grimbots.services.funnels.texts import render_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Showing):
    """A text, something to see or hear, or both. A button's id is its place in the list."""

    kind: ClassVar[str] = "message"

    text: str = field(default="", metadata={"rule": Markup()})
    buttons: tuple[Button, ...] = field(default=(), metadata={"rule": Buttons()})
    downsells: tuple[Timed, ...] = field(default=(), metadata={"rule": Timetable()})
    next: str = field(default="", metadata={"rule": Target()})

    def enter(self, scene: Scene) -> Turn:
        variables = scene.variables()
        rows = [self._row(place, button, variables) for place, button in enumerate(self.buttons)]
        said = self.say(self.text, variables, media=self.find_media(scene), rows=rows)
        walk, later = begin_downsells(self, scene)
        return Turn(walk, (*said, *later), go=None if self.taps() else self.next or END)

    def react(self, event: StepEvent, scene: Scene) -> Turn | None:
        if isinstance(event, Tapped) and event.button in self.taps():
            return Turn(scene.walk, go=self.buttons[int(event.button)].next)
        return None

    def exits(self) -> Iterator[Exit]:
        if self.next and not self.taps():
            yield Exit(self.next, "next", "now")
        for place, button in enumerate(self.buttons):
            if button.next:
                yield Exit(button.next, f"buttons[{place}].next", "tap")
        yield from list_later(self)

    def timetable(self, what: What) -> Sequence[Timed]:
        return self.downsells if what == "downsell" else ()

    def taps(self) -> Sequence[str]:
        return [str(place) for place, button in enumerate(self.buttons) if button.next]

    def has_buttons(self) -> bool:
        return bool(self.buttons)

    def check(self) -> Iterator[Finding]:
        yield from Showing.check(self)
        if not self.text and not self.list_shown():
            yield Finding("text", "nothing_said")
        if self.album and self.buttons and not self.text:
            yield Finding("text", "album_without_text")
        if self.next and self.taps():
            yield Finding("next", "next_with_buttons")

    def _row(self, place: int, button: Button, variables: dict[str, str]) -> dict[str, Any]:
        if button.url:
            return {"text": render_plain(button.text, variables), "url": button.url}
        return self.press(str(place), button.text, variables)
