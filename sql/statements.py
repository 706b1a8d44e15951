"""Named statements: the files of `sql/queries/`, read and checked once.

A file is one aggregate's, its statements in alphabetical order, each a block:

    -- name: find_by_key :one
    -- What it is for, where the name does not say it. A line `-- hot` marks the statements of the busy roads.
    SELECT id
    FROM bots
    WHERE key = %(key)s

`:one` gives a row or None, `:many` a list of rows, `:value` the first column of the first row or None, `:exec` the
number of rows. `:later` gives nothing: a transaction sends it along with its next statement, or with its COMMIT, which
saves a round trip and is where its error is raised. A sign for per cent is written `%%`.

Columns named `lead.id`, `lead.step`, behind all others, are a row of their own in the row: `row.lead.id`.
"""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any

Catalog = Mapping[str, Mapping[str, "Statement"]]
"""Aggregate -> name -> statement."""

HEADER = re.compile(r"-- name: (?P<name>\S+)(?: :(?P<kind>\S+))?\s*")
PARAMETER = re.compile(r"%\((\w+)\)s")
STRAY_PERCENT = re.compile(r"%(?!%|\(\w+\)s)")


LATER = "later"
VERBS = ("select", "insert", "update", "delete", "other")
COMMAND = re.compile(rf"(?m)^({'|'.join(VERBS[:-1])})\b", re.IGNORECASE)


class QueryFileError(Exception):
    """A file of named statements breaks a rule; the message begins with file and line."""


@dataclass(frozen=True)
class Statement:
    """One named statement: `title` is `<aggregate>.<name>`, `doc` the comment above its SQL."""

    title: str
    kind: str
    doc: str
    sql: str
    parameters: frozenset[str]

    @property
    def prepare_sql(self) -> str:
        """What makes a session know the statement under its title, its parameters by place, in alphabetical order."""
        places = {name: f"${place}" for place, name in enumerate(sorted(self.parameters), 1)}
        numbered = PARAMETER.sub(lambda match: places[match[1]], self.sql)
        return f'PREPARE "{self.title}" AS {numbered.replace("%%", "%") if places else numbered}'

    @cached_property
    def verb(self) -> str:
        """What it does, in one word of VERBS; a statement that begins by naming others does what it ends with."""
        found: list[str] = COMMAND.findall(self.sql)
        return found[-1].lower() if found else "other"

    @cached_property
    def is_preparable(self) -> bool:
        """Tell whether Postgres can PREPARE it: what reads or writes rows."""
        return self.verb != "other"

    @cached_property
    def execute_sql(self) -> str:
        """What runs the statement in a session that knows it, where it can be prepared."""
        if not self.is_preparable:
            return self.sql
        values = ", ".join(f"%({name})s" for name in sorted(self.parameters))
        return f'EXECUTE "{self.title}" ({values})' if values else f'EXECUTE "{self.title}"'

    def check(self, given: Mapping[str, Any]) -> None:
        """Raise TypeError unless exactly the statement's parameters are given."""
        if given.keys() == self.parameters:
            return
        wrong = [f"misses {name}" for name in sorted(self.parameters - given.keys())]
        wrong += [f"does not take {name}" for name in sorted(given.keys() - self.parameters)]
        taken = ", ".join(sorted(self.parameters)) or "nothing"
        raise TypeError(f"{self.title}() {', '.join(wrong)}; it takes {taken}")

    def read(self, cursor: Any) -> Any:
        """Turn what psycopg2's cursor received into what the statement's kind promises."""
        return READERS[self.kind](self, cursor)


def _read_one(statement: Statement, cursor: Any) -> Any:
    values = cursor.fetchone()
    return None if values is None else _row_class(statement, cursor)._make(values)


def _read_many(statement: Statement, cursor: Any) -> list[Any]:
    return list(map(_row_class(statement, cursor)._make, cursor.fetchall()))


def _read_value(_: Statement, cursor: Any) -> Any:
    values = cursor.fetchone()
    return None if values is None else values[0]


def _read_count(_: Statement, cursor: Any) -> int:
    return int(cursor.rowcount)


READERS: Mapping[str, Callable[[Statement, Any], Any]] = {
    "one": _read_one,
    "many": _read_many,
    "value": _read_value,
    "exec": _read_count,
    LATER: lambda statement, cursor: None,
}


def _row_class(statement: Statement, cursor: Any) -> Any:
    return _make_row_class(statement.title, tuple(column.name for column in cursor.description))


@cache
def _make_row_class(title: str, columns: tuple[str, ...]) -> Any:
    own = tuple(takewhile(lambda column: "." not in column, columns))
    plain = namedtuple(title.replace(".", "_"), own)
    if own == columns:
        return plain
    prefixes, names = zip(*(column.split(".") for column in columns[len(own) :]), strict=True)
    (prefix,) = set(prefixes)
    inner, outer = _make_row_class(f"{title}.{prefix}", names), namedtuple(plain.__name__, (*own, prefix))
    return _Nested(outer, inner, len(own))


@dataclass(frozen=True)
class _Nested:
    """Makes a row whose last field is a row."""

    outer: Any
    inner: Any
    count: int

    def _make(self, values: tuple[Any, ...]) -> Any:
        return self.outer._make((*values[: self.count], self.inner._make(values[self.count :])))


def load(folder: Path) -> Catalog:
    """Read every `*.sql` of `folder`.

    Raises:
        QueryFileError: a block without a name or a known kind; names repeated or out of order; a stray `%`.
    """
    return {path.stem: _read_file(path) for path in sorted(folder.glob("*.sql"))}


def _read_file(path: Path) -> dict[str, Statement]:
    statements: dict[str, Statement] = {}
    last = ""
    for line, block in _split(path):
        try:
            name, statement = _read_block(path.stem, block)
            _check_order(last, name)
        except ValueError as error:
            raise QueryFileError(f"{path}:{line}: {error}") from None
        statements[name] = statement
        last = name
    return statements


def _split(path: Path) -> list[tuple[int, list[str]]]:
    """Give (number of its first line, lines) of each block. What stands above the first is the file's own comment."""
    blocks: list[tuple[int, list[str]]] = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if text.startswith("-- name:"):
            blocks.append((number, []))
        if blocks:
            blocks[-1][1].append(text)
        elif text.strip() and not text.startswith("--"):
            raise QueryFileError(f"{path}:{number}: SQL before the first `-- name: <name> :<kind>`")
    return blocks


def _read_block(aggregate: str, block: list[str]) -> tuple[str, Statement]:
    header = HEADER.fullmatch(block[0])
    if header is None or header["kind"] not in READERS:
        kinds = ", ".join(f":{kind}" for kind in READERS)
        raise ValueError(f"{block[0]!r} must be `-- name: <name> :<kind>`, kind one of {kinds}")
    name = header["name"]
    doc = list(takewhile(lambda line: line.startswith("--"), block[1:]))
    sql = "\n".join(block[1 + len(doc) :]).strip()
    if not name.isidentifier() or name.startswith("_"):
        raise ValueError(f"{name!r} cannot be called from Python")
    if not sql:
        raise ValueError(f"{name} has no SQL")
    if STRAY_PERCENT.search(sql.replace("%%", "")):
        raise ValueError(f"{name}: a `%` that begins no parameter is written `%%`")
    parameters = frozenset(PARAMETER.findall(sql))
    if not parameters:
        sql = sql.replace("%%", "%")  # psycopg2 formats only where there are parameters
    return name, Statement(f"{aggregate}.{name}", header["kind"], "\n".join(doc), sql, parameters)


def _check_order(last: str, name: str) -> None:
    if name == last:
        raise ValueError(f"{name} is there twice")
    if name < last:
        raise ValueError(f"{name} must stand before {last}: names are in alphabetical order")
