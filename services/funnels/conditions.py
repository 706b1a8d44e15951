"""Conditions: what a case of a condition step asks of a lead. Pure and total."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from grimbots.services.funnels.fields import Clock, Name, Rule, Weekdays, Whole
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.readings import Wrong, join_place, read_text
from grimbots.services.funnels.surveys import Survey
from grimbots.services.funnels.times import WEEKDAYS, is_between

if TYPE_CHECKING:
    from grimbots.services.funnels.steps.base import Scene

MOST = 1_000_000_000
MAX_CASES = 50
SUBJECTS = ("variable", "tag", "bought", "last_bought", "hours", "weekdays")
COMPARISONS = ("is", "contains", "at_least", "at_most")
FIELDS = frozenset({*SUBJECTS, *COMPARISONS, "not", "next"})


@dataclass(frozen=True, slots=True)
class Case:
    """One question about a lead and where a yes leads. Exactly one subject is set.

    A variable without a comparison only has to have a value; `hours` is a begin and an end; `negated` turns it around.
    """

    next: str
    variable: str = ""
    comparison: str = ""
    wanted: str | int = ""
    tag: str = ""
    bought: str = ""
    last_bought: str = ""
    hours: tuple[str, str] | tuple[()] = ()
    weekdays: tuple[str, ...] = ()
    negated: bool = False

    def holds(self, scene: Scene) -> bool:
        """Tell whether the answer is yes."""
        return self._asks(scene) is not self.negated

    def _asks(self, scene: Scene) -> bool:
        walk, zone = scene.walk, scene.zone()
        if self.variable:
            return compare(scene.variables().get(self.variable, ""), self.comparison, self.wanted)
        if self.tag:
            return self.tag in walk.tags
        if self.bought:
            return self.bought in walk.bought
        if self.last_bought:
            return self.last_bought in walk.last_bought
        if self.hours:
            return is_between(scene.now, *self.hours, zone)
        return WEEKDAYS[scene.now.astimezone(zone).weekday()] in self.weekdays


def compare(value: str, comparison: str, wanted: str | int) -> bool:
    """Compare a variable's value; one that is missing, or no number where one is wanted, compares with nothing."""
    text, other = value.strip().casefold(), str(wanted).strip().casefold()
    match comparison:
        case "is":
            return text == other
        case "contains":
            return other in text
        case "at_least" | "at_most":
            number = _read_number(text)
            return number is not None and (number >= int(wanted) if comparison == "at_least" else number <= int(wanted))
    return bool(text)


def _read_number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


@dataclass(frozen=True, slots=True)
class Cases(Rule):
    """A list of cases, asked one after the other: the first yes decides."""

    def read(self, raw: Any) -> tuple[Case, ...]:
        if not isinstance(raw, list):
            raise Wrong("not_list")
        if len(raw) > MAX_CASES:
            raise Wrong("too_many_cases", limit=MAX_CASES)
        return tuple(self._read_at(place, one) for place, one in enumerate(raw))

    def _read_at(self, place: int, raw: Any) -> Case:
        try:
            return _read_case(raw)
        except Wrong as wrong:
            raise Wrong(wrong.code, join_place(f"[{place}]", wrong.place), **wrong.facts) from None

    def check(self, value: tuple[Case, ...], survey: Survey, step: Any) -> Iterator[Finding]:
        asked: dict[Case, int] = {}
        for place, case in enumerate(value):
            question = dataclasses.replace(case, next="")
            if question in asked:
                yield Finding(f"[{place}]", "case_twice", {"first": asked[question] + 1})
            asked.setdefault(question, place)


def _read_case(raw: Any) -> Case:
    if not isinstance(raw, dict):
        raise Wrong("not_object")
    if unknown := [name for name in raw if name not in FIELDS]:
        raise Wrong("unknown_field", unknown[0])
    subjects = [name for name in SUBJECTS if name in raw]
    if len(subjects) != 1:
        raise Wrong("case_subject", subjects=", ".join(SUBJECTS))
    if not isinstance(raw.get("not", False), bool):
        raise Wrong("not_switch", "not")
    if not _read_field(raw, "next", read_text).strip():
        raise Wrong("missing", "next")
    found = {subjects[0]: _read_field(raw, subjects[0], READERS[subjects[0]])}
    return Case(raw["next"], **found, **_read_comparison(raw), negated=raw.get("not", False))


def _read_comparison(raw: Mapping[str, Any]) -> dict[str, Any]:
    given = [name for name in COMPARISONS if name in raw]
    if not given:
        return {}
    if "variable" not in raw or len(given) > 1:
        raise Wrong("case_comparison", given[-1], comparisons=", ".join(COMPARISONS))
    name = given[0]
    read = Whole(-MOST, MOST, "bad_bound").read if name in ("at_least", "at_most") else _read_word
    return {"comparison": name, "wanted": _read_field(raw, name, read)}


def _read_field(raw: Mapping[str, Any], name: str, read: Any) -> Any:
    if name not in raw:
        raise Wrong("missing", name)
    try:
        return read(raw[name])
    except Wrong as wrong:
        raise Wrong(wrong.code, join_place(name, wrong.place), **wrong.facts) from None


def _read_word(raw: Any) -> str:
    if not read_text(raw).strip():
        raise Wrong("missing")
    return str(raw)


def _read_hours(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, list) or len(raw) != 2:
        raise Wrong("bad_hours")
    return tuple(Clock().read(one) for one in raw)


def _read_days(raw: Any) -> Sequence[str]:
    if not (days := Weekdays().read(raw)):
        raise Wrong("missing")
    return days


READERS = {
    "variable": Name().read,
    "tag": _read_word,
    "bought": _read_word,
    "last_bought": _read_word,
    "hours": _read_hours,
    "weekdays": _read_days,
}
