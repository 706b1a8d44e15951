"""Amounts of money as people type them in."""

from __future__ import annotations

import re
from decimal import Decimal

from grimbots.services.errors import Invalid
from grimbots.services.funnels.effects import STARS

AMOUNT = re.compile(r"(\d{1,9})(?:[.,](\d{2}))?")


def read_amount(text: str, currency: str = "BRL") -> int:
    """Read cents; of Stars, which have none, their number.

    Raises:
        Invalid: it is no amount of money.
    """
    found = AMOUNT.fullmatch(text.strip())
    if found is None:
        raise Invalid("the amount is no amount of money, like 19,90")
    return int(found[1]) if currency == STARS else int(Decimal(f"{found[1]}.{found[2] or '00'}") * 100)
