"""Options: the answers among which a choice question lets a lead choose, each a button."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from grimbots.services.funnels.fields import MAX_BUTTONS, Plain, Rule
from grimbots.services.funnels.problems import Finding
from grimbots.services.funnels.readings import Wrong, join_place, read_object
from grimbots.services.funnels.surveys import Survey


@dataclass(frozen=True, slots=True)
class Option:
    """A button that answers with `value`."""

    text: str
    value: str


@dataclass(frozen=True, slots=True)
class Options(Rule):
    """A list of options, each {"text", "value"}; without a value the text is it."""

    def read(self, raw: Any) -> tuple[Option, ...]:
        if not isinstance(raw, list):
            raise Wrong("not_list")
        if len(raw) > MAX_BUTTONS:
            raise Wrong("too_many_buttons", count=len(raw), limit=MAX_BUTTONS)
        return tuple(self._read_one(place, one) for place, one in enumerate(raw))

    def _read_one(self, place: int, raw: Any) -> Option:
        try:
            named = read_object(raw, {"text", "value"})
            if not named.get("text", "").strip():
                raise Wrong("missing", "text")
        except Wrong as wrong:
            raise Wrong(wrong.code, join_place(f"[{place}]", wrong.place), **wrong.facts) from None
        return Option(named["text"], named.get("value") or named["text"])

    def check(self, value: tuple[Option, ...], survey: Survey, step: Any) -> Iterator[Finding]:
        seen: set[str] = set()
        for place, option in enumerate(value):
            for finding in Plain().check(option.text, survey, step):
                yield dataclasses.replace(finding, field=f"[{place}].text")
            if option.value in seen:
                yield Finding(f"[{place}]", "option_twice", {"value": option.value})
            seen.add(option.value)
