"""FAILURES.md names, for each failure of the system before, tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).with_name("FAILURES.md")
ROW = re.compile(r"^\| (\d+) \| .+ \| (.+) \|$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
NUMBERS = range(1, 56)


def read_rows() -> dict[str, list[tuple[str, str]]]:
    """Give the tests of each number."""
    return {number: NAMED.findall(tests) for number, tests in ROW.findall(TABLE.read_text("utf-8"))}


def test_every_row_names_tests_that_exist() -> None:
    rows = read_rows()
    assert len(rows) > 40
    missing = [
        f"{number}: {path}::{test}"
        for number, tests in rows.items()
        for path, test in tests or [("", "")]
        if not (ROOT / path).is_file() or (test and f"def {test}(" not in (ROOT / path).read_text("utf-8"))
    ]
    assert missing == []


def test_every_number_is_a_failures_and_stands_once() -> None:
    found = [int(number) for number, _ in ROW.findall(TABLE.read_text("utf-8"))]
    assert sorted(set(found)) == sorted(found)
    assert set(found) <= set(NUMBERS)
