"""Spreadsheets: rows as CSV (RFC 4180) in which no text is a formula to whoever opens it.

Sources and campaigns come out of links, so anybody writes them. A cell that begins as a formula does is given an
apostrophe (OWASP, "CSV Injection", read 2026-11): spreadsheets show it as text, and programs see that it was changed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
Cell = str | int | float | date | None


def write(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Write rows under a head. Numbers are numbers with a point; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows([disarm(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()


def disarm(text: str) -> str:
    """Give a text that no spreadsheet takes for a formula, blanks before it or not."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) or text.lstrip().startswith(FORMULA_SIGNS) else text
