"""Templates of described gateways: values are put where {names} stand. Nothing else can be said in one.

    "{amount}"            the value itself, a number where it is one
    "Pedido {key}"        a text with the value in it
    "{description:100}"   its first 100 characters

What a value is missing for is left out, with the object or list that has nothing else in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

PLACE = re.compile(r"\{([a-z][a-z_]*(?:\.[a-z_]+)?)(?::([1-9]\d{0,3}))?\}")
Values = Mapping[str, str | int | float | None]


def list_names(template: Any) -> Iterator[str]:
    """Give every name a template puts a value for."""
    if isinstance(template, str):
        yield from (place[1] for place in PLACE.finditer(template))
    elif isinstance(template, dict):
        for part in template.values():
            yield from list_names(part)
    elif isinstance(template, list):
        for part in template:
            yield from list_names(part)


def fill(template: Any, values: Values) -> Any:
    """Put the values in; None for what is to be left out. Keys are never filled in."""
    if isinstance(template, str):
        return _fill_text(template, values)
    if isinstance(template, dict):
        filled = {name: fill(part, values) for name, part in template.items()}
        return {name: part for name, part in filled.items() if part is not None} or (None if template else {})
    if isinstance(template, list):
        return [part for item in template if (part := fill(item, values)) is not None] or (None if template else [])
    return template


def fill_texts(template: Mapping[str, str], values: Values) -> dict[str, str]:
    """Put the values into texts by name: headers, a query, a form."""
    return {name: str(part) for name, text in template.items() if (part := fill(text, values)) is not None}


def fill_address(path: str, query: Mapping[str, str], values: Values) -> str:
    """Put the values into a path and its query; none of them can lead out of its place."""
    quoted = {name: None if value is None else quote(str(value), safe="") for name, value in values.items()}
    asked = urlencode(fill_texts(query, values))
    return f"{fill(path, quoted) or ''}{'?' if asked else ''}{asked}"


def _fill_text(template: str, values: Values) -> str | int | float | None:
    whole = PLACE.fullmatch(template)
    if whole and not whole[2]:
        value = values.get(whole[1])
        return None if value == "" else value
    if any(values.get(place[1]) in (None, "") for place in PLACE.finditer(template)):
        return None
    return PLACE.sub(lambda place: str(values[place[1]])[: int(place[2] or 10_000)], template)
