"""CSV: nothing that a stranger wrote is a formula, and everything comes back as it was."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grimbots.services import spreadsheets

SIGNS = "=+-@\t\r\n＝＋－＠"


@pytest.mark.parametrize("beginning", [*SIGNS, " =", "\N{NO-BREAK SPACE}+", "  @"])
def test_formula_becomes_text(beginning: str) -> None:
    assert spreadsheets.disarm(f"{beginning}HYPERLINK(A1)") == f"'{beginning}HYPERLINK(A1)"


@pytest.mark.parametrize("text", ["", "ig", "C|1", "a=b", "1-2", "'=x"])
def test_text_stays(text: str) -> None:
    assert spreadsheets.disarm(text) == text


def test_numbers_days_and_nothing_are_themselves() -> None:
    assert spreadsheets.write(["a", "b", "c", "d"], [(-5, 0.25, date(2026, 3, 2), None)]) == (
        "a,b,c,d\r\n-5,0.25,2026-03-02,\r\n"
    )


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_any_texts_come_back_and_none_is_a_formula(rows: list[tuple[str, str]]) -> None:
    written = spreadsheets.write(["a", "b"], rows)
    found = list(csv.reader(io.StringIO(written, newline="")))[1:]
    assert found == [[spreadsheets.disarm(cell) for cell in row] for row in rows]
    assert not any(cell.startswith(tuple(SIGNS)) for row in found for cell in row)
