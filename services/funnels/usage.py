"""Usage: the variables that a step's texts name, wherever in its fields they stand. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from grimbots.services.funnels.readings import join_place
from grimbots.services.funnels.steps.base import Step
from grimbots.services.funnels.texts import VARIABLE

Used = tuple[str, str, bool]  # the variable, where it is named, whether with a fallback


def list_used(step: Step) -> Iterator[Used]:
    """Give each variable that a step looks at."""
    for item in dataclasses.fields(step):
        if "rule" in item.metadata:
            yield from _list_in(getattr(step, item.name), item.name)
    for name, place in step.reads():
        yield name, place, True


def _list_in(value: Any, place: str) -> Iterator[Used]:
    if isinstance(value, str):
        for found in VARIABLE.finditer(value):
            yield found[1], place, found[2] is not None
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _list_in(one, join_place(place, str(name)))
    elif isinstance(value, tuple):
        for number, one in enumerate(value):
            yield from _list_in(one, f"{place}[{number}]")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for item in dataclasses.fields(value):
            yield from _list_in(getattr(value, item.name), join_place(place, item.name))
