"""The table of guarding lines is true: each line is there, and its test is the one that FAILURES.md names."""

from __future__ import annotations

import pytest

from grimbots.tests.mutations.__main__ import ROOT
from grimbots.tests.mutations.lines import GUARDS, PAYING, TRACKING, Guard
from grimbots.tests.test_failures import read_rows


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: f"{guard.number}-{guard.file}")
def test_line_is_there_once(guard: Guard) -> None:
    assert (ROOT / guard.file).read_text("utf-8").count(guard.text) == 1
    assert guard.text != guard.without


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: f"{guard.number}-{guard.file}")
def test_its_test_is_named_for_its_failure(guard: Guard) -> None:
    path, _, test = guard.test.partition("::")
    assert (path, test) in read_rows()[str(guard.number)]


def test_payments_and_tracking_are_both_there() -> None:
    assert len({guard.number for guard in PAYING}) >= 10
    assert len({guard.number for guard in TRACKING}) >= 5
