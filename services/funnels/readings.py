"""Read values of JSON that a seller wrote: what is wrong is told with its place."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from grimbots.services.funnels.texts import UNSTORABLE


class Wrong(Exception):
    """A value is not of its field's type.

    `code` is a key of problems.MESSAGES; `place` is where in the field it stands.
    """

    def __init__(self, code: str, place: str = "", **facts: Any) -> None:
        super().__init__(code)
        self.code, self.place, self.facts = code, place, facts


def join_place(*parts: str) -> str:
    """Join the parts of a place in a funnel: buttons, [2], text -> buttons[2].text"""
    return ".".join(part for part in parts if part).replace(".[", "[")


def read_text(raw: Any) -> str:
    """Read a text that can be stored. Raises Wrong."""
    if not isinstance(raw, str):
        raise Wrong("not_text")
    if UNSTORABLE.search(raw):
        raise Wrong("bad_text")
    return raw


def read_object(raw: Any, names: Collection[str]) -> dict[str, str]:
    """Read an object whose values are texts and whose names are among `names`. Raises Wrong."""
    if not isinstance(raw, dict):
        raise Wrong("not_object")
    for name, value in raw.items():
        if name not in names:
            raise Wrong("unknown_field", name)
        if not isinstance(value, str) or UNSTORABLE.search(value):
            raise Wrong("not_text" if not isinstance(value, str) else "bad_text", name)
    return raw
