"""Tables of a description's file: read by key, each mistake noted with its place, and what nobody asked for refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from grimbots.services.gateways.replies import Paths
from grimbots.services.gateways.templates import list_names

PATH = re.compile(r"[^\s.]+(\.[^\s.]+)*")


class Table:
    """One table. What is read of a wrong key is empty: the mistakes decide, once all of the file was read."""

    def __init__(self, raw: Any, place: str, mistakes: list[str]) -> None:
        self._raw: dict[str, Any] = raw if isinstance(raw, dict) else {}
        self._place = place
        self._mistakes = mistakes
        self._unread = set(self._raw)
        if not isinstance(raw, dict):
            self.blame("", "must be a table")

    def __contains__(self, name: str) -> bool:
        return name in self._raw

    def blame(self, name: str, words: str) -> None:
        """Note a mistake."""
        place = ".".join(part for part in (self._place, name) if part)
        self._mistakes.append(f"{place}: {words}" if place else words)

    def close(self) -> None:
        """Refuse every key that was not read."""
        for name in sorted(self._unread):
            self.blame(name, "is unknown; docs/gateways/described.md lists what may stand here")

    def text(self, name: str, default: str | None = None, *, pattern: str = r"(?s).*\S.*", must: str = "") -> str:
        """Read a text; one without a default has to be there."""
        value = self._take(name, default)
        if isinstance(value, str) and (value == default or re.fullmatch(pattern, value)):
            return value
        if value is not None:
            self.blame(name, must or "must be a text, and not an empty one")
        return ""

    def word(self, name: str, words: Sequence[str], default: str | None = None) -> str:
        """Read one of a few words."""
        return self.text(name, default, pattern="|".join(words), must=f"must be one of {', '.join(words)}")

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """Read a whole number."""
        value = self._take(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.blame(name, f"must be a whole number from {least} to {most}")
        return default

    def switch(self, name: str, default: bool) -> bool:
        """Read true or false."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            self.blame(name, "must be true or false")
        return value is True

    def words(self, name: str) -> tuple[str, ...]:
        """Read a list of texts, which may be left out."""
        value = self._take(name, [])
        if isinstance(value, list) and all(isinstance(word, str) and word.strip() for word in value):
            return tuple(value)
        self.blame(name, "must be a list of texts")
        return ()

    def paths(self, name: str, *, is_needed: bool = False) -> Paths:
        """Read where something stands: one path, or a list of them."""
        value = self._take(name, None if is_needed else [])
        listed = [value] if isinstance(value, str) else value
        if isinstance(listed, list) and all(isinstance(path, str) and PATH.fullmatch(path) for path in listed):
            return tuple(tuple(path.split(".")) for path in listed)
        if value is not None:
            self.blame(name, 'must say where it stands, as "data.id" or ["data.id", "id"]')
        return ()

    def template(self, name: str, known: frozenset[str]) -> Any:
        """Read anything that values are put into; `known` are the names of those."""
        value = self._take(name, {})
        self.check_names(name, value, known)
        return value

    def templates(self, name: str, known: frozenset[str]) -> Mapping[str, str]:
        """Read a table of texts that values are put into."""
        value = self._take(name, {})
        if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
            self.blame(name, "must be a table of texts")
            return {}
        self.check_names(name, value, known)
        return value

    def check_names(self, name: str, template: Any, known: frozenset[str]) -> None:
        """Note every name in a template that nothing is put in for."""
        for unknown in sorted({*list_names(template)} - known):
            self.blame(name, f"{{{unknown}}} is nothing that could stand here; use {', '.join(sorted(known))}")

    def table(self, name: str, *, is_needed: bool = True) -> Table:
        """Read a table in this one; one that may be left out is empty then."""
        value = self._take(name, None if is_needed else {})
        return Table({} if value is None else value, self._inside(name), self._mistakes)

    def tables(self, name: str) -> list[Table]:
        """Read a list of tables: at least one."""
        value = self._take(name, None)
        if isinstance(value, list) and value:
            return [Table(one, self._inside(f"{name}[{number}]"), self._mistakes) for number, one in enumerate(value)]
        if value is not None:
            self.blame(name, "must be a list of tables, and not an empty one")
        return []

    def _take(self, name: str, default: Any) -> Any:
        self._unread.discard(name)
        if name not in self._raw and default is None:
            self.blame(name, "is missing")
        return self._raw.get(name, default)

    def _inside(self, name: str) -> str:
        return f"{self._place}.{name}" if self._place else name
