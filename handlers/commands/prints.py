"""What commands print: tables for people, JSON lines for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any


def print_rows(rows: Sequence[Mapping[str, Any]], as_json: bool, nothing: str) -> None:
    """Print rows as a table, or as one JSON object a line; `nothing` is what a person reads when there are none."""
    if as_json:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False, default=datetime.isoformat))
    elif not rows:
        print(nothing)
    else:
        _print_table([list(rows[0]), *([_show(value) for value in row.values()] for row in rows)])


def print_fields(row: Mapping[str, Any], as_json: bool) -> None:
    """Print one row with a line for each of its values that there is, or as a JSON object."""
    if as_json:
        print_rows([row], True, nothing="")
        return
    there = {name: value for name, value in row.items() if value not in (None, "", [])}
    _print_table([[name, _show(value)] for name, value in there.items()])


def pick(rows: Sequence[Any], *columns: str) -> list[dict[str, Any]]:
    """Give the named columns of rows as dictionaries."""
    return [{column: getattr(row, column) for column in columns} for row in rows]


def _show(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)


def _print_table(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
