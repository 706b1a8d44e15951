"""question: asks for something and keeps the answer in a variable. What cannot be taken is asked for again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, ClassVar

from grimbots.services.funnels.answers import LONGEST, READERS, SAMPLES
from grimbots.services.funnels.events import StepEvent, Tapped, Woke, Wrote
from grimbots.services.funnels.fields import MAX_MINUTES, Markup, Name, OneOf, Target, Whole
from grimbots.services.funnels.options import Option, Options
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.steps.base import END, Exit, Scene, Turn
from grimbots.services.funnels.steps.showing import Showing
from grimbots.services.funnels.texts import RESERVED
from grimbots.services.funnels.times import TIME_ZONE, find_zone

if TYPE_CHECKING:
    from grimbots.services.funnels.definitions import Version

CHOICE = "choice"
ANSWERS = (*READERS, CHOICE)
MOST = 1_000_000_000
MAX_TRIES = 10
AGAIN: Mapping[str, Mapping[str, str]] = {
    "pt-BR": {
        "text": "Não consegui entender. Escreva a resposta em poucas palavras, por favor.",
        "number": "Preciso de um número, por exemplo: 42. Pode escrever de novo?",
        "email": "Esse e-mail parece incompleto. Escreva assim: nome@exemplo.com",
        "phone": "Escreva o telefone com DDD, por exemplo: 11 98765-4321",
        "cpf": "Esse CPF não confere. Pode digitar os 11 números de novo?",
        CHOICE: "Toque em um dos botões, por favor 👇",
    },
    "en": {
        "text": "I could not make that out. Please answer in a few words.",
        "number": "I need a number, for example: 42. Could you write it again?",
        "email": "That e-mail looks incomplete. Write it like name@example.com",
        "phone": "Write the phone number with its country, for example: +55 11 98765-4321",
        "cpf": "That CPF is not right. Could you write its 11 digits again?",
        CHOICE: "Tap one of the buttons, please 👇",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Showing):
    """A question. Its answer is whatever the lead writes while it stands here, or one of the options' buttons.

    After `tries` answers that cannot be taken, or `timeout_minutes` without one, it goes on without an answer.
    """

    kind: ClassVar[str] = "question"

    text: str = field(metadata={"rule": Markup()})
    variable: str = field(metadata={"rule": Name(RESERVED)})
    answer: str = field(default="text", metadata={"rule": OneOf(ANSWERS)})
    options: tuple[Option, ...] = field(default=(), metadata={"rule": Options()})
    least: int | None = field(default=None, metadata={"rule": Whole(-MOST, MOST, "bad_bound")})
    most: int | None = field(default=None, metadata={"rule": Whole(-MOST, MOST, "bad_bound")})
    again: str = field(default="", metadata={"rule": Markup()})
    tries: int = field(default=0, metadata={"rule": Whole(1, MAX_TRIES, "bad_count")})
    failed: str = field(default="", metadata={"rule": Target()})
    timeout_minutes: int = field(default=0, metadata={"rule": Whole(1, MAX_MINUTES, "bad_minutes")})
    timeout: str = field(default="", metadata={"rule": Target()})
    next: str = field(metadata={"rule": Target()})

    def enter(self, scene: Scene) -> Turn:
        until = scene.now + timedelta(minutes=self.timeout_minutes) if self.timeout_minutes else None
        said = self.say(self.text, scene.variables(), media=self.find_media(scene), rows=self._rows(scene))
        return self.stay(scene, until, said)

    def react(self, event: StepEvent, scene: Scene) -> Turn | None:
        match event:
            case Tapped() if event.button in self.taps():
                return self._keep(self.options[int(event.button)].value, scene)
            case Wrote():
                value = self._read(event.text, scene.version.language)
                return self._ask_again(scene) if value is None else self._keep(value, scene)
            case Woke():
                return Turn(scene.walk, go=self.timeout or END)
        return None

    def exits(self) -> Iterator[Exit]:
        yield Exit(self.next, "next", "answer", sets=self.variable)
        if self.failed:
            yield Exit(self.failed, "failed", "answer")
        if self.timeout:
            yield Exit(self.timeout, "timeout", "time")

    def taps(self) -> Sequence[str]:
        return [str(place) for place, _ in enumerate(self.options)]

    def has_buttons(self) -> bool:
        return bool(self.options)

    def asks(self) -> Mapping[str, str]:
        values = [option.value for option in self.options]
        return {self.variable: max(values, key=len, default="") if self.answer == CHOICE else LONGEST[self.answer]}

    def sample(self, chance: Random, version: Version) -> str | None:
        if self.answer == "number":
            least = self.least if self.least is not None else 0
            return str(chance.randint(least, self.most if self.most is not None else least + 100))
        return None if self.answer == CHOICE else SAMPLES[self.answer]

    def check(self) -> Iterator[Finding]:
        yield from Showing.check(self)
        if (self.answer == CHOICE) != bool(self.options):
            yield Finding("options", "choice_without_options" if self.answer == CHOICE else "options_without_choice")
        if (self.least is not None or self.most is not None) and self.answer != "number":
            yield Finding("least" if self.least is not None else "most", "bound_without_number")
        if self.least is not None and self.most is not None and self.least > self.most:
            yield Finding("most", "bounds_crossed")
        if bool(self.tries) != bool(self.failed):
            yield Finding("failed" if self.tries else "tries", "tries_without_way")
        if bool(self.timeout_minutes) != bool(self.timeout):
            yield Finding("timeout" if self.timeout_minutes else "timeout_minutes", "timeout_without_way")
        if self.variable == TIME_ZONE and not all(
            find_zone(option.value) for option in self.options or [Option("", "")]
        ):
            yield Finding("options", "zone_options")

    def _rows(self, scene: Scene) -> list[dict[str, str]]:
        variables = scene.variables()
        return [self.press(str(place), option.text, variables) for place, option in enumerate(self.options)]

    def _read(self, typed: str, language: str) -> str | None:
        """Read what was typed; for a choice the words on a button, however they are written."""
        if self.answer == CHOICE:
            wanted = typed.strip().casefold()
            return next((o.value for o in self.options if wanted in (o.text.casefold(), o.value.casefold())), None)
        value = READERS[self.answer](typed, language)
        return value if value is None or self.answer != "number" or self._is_within(Decimal(value)) else None

    def _is_within(self, number: Decimal) -> bool:
        return (self.least is None or number >= self.least) and (self.most is None or number <= self.most)

    def _keep(self, value: str, scene: Scene) -> Turn:
        answers = {**scene.walk.answers, self.variable: value}
        return Turn(replace(scene.walk, answers=answers), go=self.next)

    def _ask_again(self, scene: Scene) -> Turn:
        """Say what is wanted; the end of the wait stays where it was."""
        wait = scene.walk.wait
        tries = wait.tries + 1 if wait else 1
        if self.tries and tries >= self.tries:
            return Turn(scene.walk, go=self.failed)
        walk = replace(scene.walk, wait=replace(wait, tries=tries)) if wait else scene.walk
        text = self.again or AGAIN[scene.version.language][self.answer]
        return Turn(walk, self.say(text, scene.variables(), rows=self._rows(scene)))
