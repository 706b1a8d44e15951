"""The Bot API as documented (tests/data/bot-api-slice.json): finds what is wrong with a call or an object."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from functools import cache
from pathlib import Path
from typing import Any

SLICE = Path(__file__).parents[1] / "data" / "bot-api-slice.json"
PLAIN: dict[str, tuple[type, ...]] = {"String": (str,), "Integer": (int,), "Boolean": (bool,), "Float": (int, float)}
FILES = {"InputFile"}


@cache
def read_slice() -> Any:
    """Give the slice."""
    return json.loads(SLICE.read_text(encoding="utf-8"))


def find_call_mistakes(method: str, params: Mapping[str, Any], files: Container[str] = ()) -> list[str]:
    """Tell where a call is not what the Bot API documents; `files` are the fields uploaded beside `params`."""
    described = read_slice()["methods"].get(method)
    if described is None:
        return [f"{method} is not in {SLICE.name}"]
    fields = described.get("fields", {})
    missing = [
        f"{method}.{name} is missing"
        for name, kinds in fields.items()
        if kinds.startswith("*") and name not in params and name not in files
    ]
    unknown = [f"{method}.{name} is unknown" for name in params if name not in fields]
    known = {name: value for name, value in params.items() if name in fields}
    wrong = [found for name, value in known.items() for found in find_mistakes(value, fields[name], f"{method}.{name}")]
    return missing + unknown + wrong


def read_form(method: str, form: Mapping[str, str]) -> dict[str, Any]:
    """Give the values of a multipart form: all but texts are written as JSON there."""
    fields = read_slice()["methods"].get(method, {}).get("fields", {})
    return {name: _read_field(value, fields.get(name, "String")) for name, value in form.items()}


def find_mistakes(value: Any, kinds: str, path: str = "") -> list[str]:
    """Tell where a value is none of the types `kinds`: `Integer|String`, `Array of PhotoSize`."""
    each = [_find_mistakes_of(value, kind, path) for kind in kinds.removeprefix("*").split("|")]
    return min(each, key=len)


def _find_mistakes_of(value: Any, kind: str, path: str) -> list[str]:
    if kind.startswith("Array of "):
        return _find_array_mistakes(value, kind.removeprefix("Array of "), path)
    if kind in PLAIN or kind in FILES:
        is_right = isinstance(value, PLAIN.get(kind, (str,))) and (kind == "Boolean" or not isinstance(value, bool))
        return [] if is_right else [f"{path} is no {kind}"]
    if not isinstance(value, dict):
        return [f"{path} is no {kind}"]
    described = read_slice()["types"][kind]
    if "subtypes" in described:
        return find_mistakes(value, "|".join(described["subtypes"]), path)
    return _find_object_mistakes(value, kind, described.get("fields", {}), path)


def _find_array_mistakes(value: Any, kind: str, path: str) -> list[str]:
    if not isinstance(value, list):
        return [f"{path} is no list"]
    return [mistake for at, item in enumerate(value) for mistake in find_mistakes(item, kind, f"{path}[{at}]")]


def _find_object_mistakes(value: Mapping[str, Any], kind: str, fields: Mapping[str, str], path: str) -> list[str]:
    mistakes = [
        f"{path}.{name} is missing" for name, kinds in fields.items() if kinds.startswith("*") and name not in value
    ]
    mistakes += [f"{path}.{name} is unknown to {kind}" for name in value if name not in fields]
    for name in sorted(set(value) & set(fields)):
        mistakes += find_mistakes(value[name], fields[name], f"{path}.{name}")
    return mistakes


def _read_field(value: str, kinds: str) -> Any:
    if {"String", "InputFile"} & {*kinds.removeprefix("*").split("|")}:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
