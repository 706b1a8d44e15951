"""The Central Bank's own schemas of its API Pix, and what breaks them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from grimbots.tests.fakes.bank import Said

SLICE = Path(__file__).parents[2] / "data" / "pix-api-slice.json"


@cache
def read_slice() -> dict[str, Any]:
    """Read the slice of the description (tests/data/slice_pix_api.py)."""
    sliced: dict[str, Any] = json.loads(SLICE.read_text(encoding="utf-8"))
    return sliced


def find_faults(schema: dict[str, Any], value: Any) -> list[str]:
    """Return what of a value breaks a schema of the slice."""
    whole = {**schema, "$defs": read_slice()["$defs"]}
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(whole).iter_errors(value)]


def judge(talk: Iterable[Said]) -> Iterator[str]:
    """Return what of a talk with a bank breaks the standard. Its answers are judged where they are no refusals."""
    for said in talk:
        name = find_call(said.method, said.path)
        call = read_slice()["calls"].get(name)
        if call is None:
            yield f"{name} is no call of the slice"
            continue
        faults = find_faults(call["request"], said.asked) if call["request"] else []
        if str(said.status) in call["answers"]:
            faults += find_faults(call["answers"][str(said.status)], said.answer)
        elif said.status < 400:
            faults.append(f"{said.status} is no answer of it")
        else:
            faults += find_faults({"$ref": "#/$defs/Problema"}, said.answer)
        yield from (f"{name}: {fault}" for fault in faults)


def find_call(method: str, path: str) -> str:
    """Return a call's name in the slice."""
    for name in read_slice()["calls"]:
        known_method, known_path = name.split(" ")
        if method == known_method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known_path), path):
            return str(name)
    return f"{method} {path}"
