"""Single roads: each act on money is called from one place, whatever asked for it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from grimbots.services import payments

ROOT = Path(__file__).parents[2]
ACTS = {
    r"\bpayments\.open\(": "services/effects.py",
    r"\bpayments\.add\(": "services/payments.py",
    r"\bgateway\.create\(": "services/charges.py",
    r"\bgateway\.refund\(": "services/refunds.py",
    r"\bpayments\.note_charge\(": "services/payments.py",
    r"\bpayments\.add_receipt\(": "services/receipts.py",
    r"\bpayments\.mark_paid\(": "services/receipts.py",
    r"\bdeliveries\.plan\(": "services/effects.py",
}


@pytest.mark.parametrize("act", ACTS)
def test_each_act_on_money_has_one_place(act: str) -> None:
    sources = [path for room in ("handlers", "services") for path in sorted((ROOT / room).rglob("*.py"))]
    found = [str(path.relative_to(ROOT)) for path in sources for _ in re.finditer(act, path.read_text("utf-8"))]
    assert found == [ACTS[act]]


def test_a_payment_is_opened_with_all_there_is_to_say() -> None:
    """A default is what one of its callers forgets."""
    said = list(inspect.signature(payments.open).parameters.values())
    assert [one.name for one in said if one.default is not one.empty] == []
