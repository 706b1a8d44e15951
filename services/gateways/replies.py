"""What stands where in a described provider's replies and events: read by paths, never guessed.

A path names keys and places: `data.pix.qrcode`, `items.0.externalRef`. Of several the first that leads anywhere is it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

Paths = tuple[tuple[str, ...], ...]

MOST_CENTS = 10**12
BRASILIA = timedelta(hours=-3)  # of an instant without a zone; Brazil has no summer time since 2019


def find(value: Any, paths: Paths) -> Any:
    """Return what the first path leads to that leads to something; None when none does."""
    for path in paths:
        found = _follow(value, path)
        if found is not None and found != "":
            return found
    return None


def find_text(value: Any, paths: Paths) -> str | None:
    """Return a text on one line, or a whole number as one: ids come as either."""
    found = find(value, paths)
    if isinstance(found, bool) or not isinstance(found, str | int):
        return None
    text = str(found).strip()
    return text if text and text.isprintable() else None


def find_cents(value: Any, paths: Paths, unit: str) -> int | None:
    """Return an amount above zero in whole cents, told in `unit` (cents, reais) as a number or a text."""
    found = find(value, paths)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return None
    try:
        told = Decimal(str(found).strip())
        cents = told * (100 if unit == "reais" else 1)
        is_whole = 0 < cents <= MOST_CENTS and cents == cents.to_integral_value()
    except ArithmeticError:  # no number, or one that cannot be reckoned with
        return None
    return int(cents) if is_whole else None


def find_whole(value: Any, paths: Paths) -> int | None:
    """Return a whole number above zero; it may be written as a text."""
    return find_cents(value, paths, "cents")


def find_instant(value: Any, paths: Paths) -> datetime | None:
    """Return an instant written by ISO 8601; one without a zone is Brasília's."""
    found = find(value, paths)
    try:
        instant = datetime.fromisoformat(found.strip()) if isinstance(found, str) else None
        if instant is None or instant.tzinfo is not None:
            return instant and instant.astimezone(UTC)
        return (instant - BRASILIA).replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _follow(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isascii() and name.isdigit():
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return None
    return value
