"""Searches: whether anything a process said holds what must not be seen. grep looks, in one pass, for all of it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from grimbots.tests.storms.people import Identity

SHOWN = 60  # characters around what was found
MOST_LINES = 500  # with a number in them that looks like one of ours


@dataclass(frozen=True)
class Found:
    """Something that must not be seen, where it was, and what stood around it, itself left out."""

    what: str
    file: str
    around: str


def search(files: Iterable[Path], needles: Mapping[str, str]) -> list[Found]:
    """Find needles (what is looked for -> what it is), however it is written (`write_forms`)."""
    forms = {form.lower(): what for needle, what in needles.items() for form in write_forms(needle)}
    return [
        Found(what, file, _show(line, *place))
        for file, line in _list_lines(files, forms)
        for form, what in forms.items()
        for place in _find(line, form)
    ]


def name_needles(secrets: Mapping[str, str], people: Iterable[Identity]) -> dict[str, str]:
    """Give all that must not be seen, each with what it is."""
    needles = {secret: name for name, secret in secrets.items()}
    for secret, name in list(needles.items()):
        if name.startswith("token of"):
            needles[secret.partition(":")[2]] = f"half of the {name}"
    for person in people:
        needles |= {person.cpf: "a CPF", person.email: "an e-mail", person.phone: "a telephone"}
    return needles


def write_forms(needle: str) -> set[str]:
    """Give the ways a value may be written: as it is, in a URL, and a number without its signs or country."""
    digits = re.sub(r"[\s().+-]", "", needle)
    forms = {needle, quote(needle, safe="")}
    if not digits.isdecimal():
        return forms
    forms |= {digits, digits.removeprefix("55") if len(digits) > 11 else digits}
    local = digits.removeprefix("55") if len(digits) > 11 else digits
    if local[2] == "9" and len(local) == 11:
        forms |= {f"55{local}", f"{local[2:7]}-{local[7:]}"}
    return forms | {f"{local[:3]}.{local[3:6]}.{local[6:9]}-{local[9:]}"}


def _list_lines(files: Iterable[Path], forms: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Give the lines, in small letters, that hold any form, each with its file's name."""
    options = ["--text", "--ignore-case", "--fixed-strings", "--with-filename", "--null", f"--max-count={MOST_LINES}"]
    command = ["grep", *options, "--file=-", *map(str, files)]
    environ = {**os.environ, "LC_ALL": "C"}  # with another, letters of either case take it a hundred times as long
    looked = subprocess.run(command, input="\n".join(forms).encode(), capture_output=True, env=environ, check=False)
    if looked.returncode > 1:
        raise RuntimeError(looked.stderr.decode())
    for found in looked.stdout.decode(errors="replace").splitlines():
        file, _, line = found.partition("\0")
        yield Path(file).name, line.lower()


def _find(line: str, form: str) -> Iterator[tuple[int, int]]:
    """Find where a form stands; a number that is a part of a longer one is another number."""
    if form in line:
        edges = (r"(?<!\d)", r"(?!\d)") if form.isdecimal() else ("", "")
        yield from (found.span() for found in re.finditer(edges[0] + re.escape(form) + edges[1], line))


def _show(line: str, begin: int, end: int) -> str:
    return f"{line[max(0, begin - SHOWN) : begin]}[...]{line[end : end + SHOWN]}"
