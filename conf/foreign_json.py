"""JSON that somebody else wrote: a value, or a ValueError, whatever it holds and whichever Python reads it."""

from __future__ import annotations

import json
from typing import Any

DEEPEST = 64  # levels; a Telegram update stays under 20. Each Python has a limit of its own, some of tens of thousands


def read_json(text: str | bytes) -> Any:
    """Return the value.

    Raises:
        ValueError: it is no JSON (json.JSONDecodeError), has a number of thousands of digits, or is nested too deep to
            be handed on: what walks it, or writes it again, would stop half-way.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if _count_openings(text) > DEEPEST and _is_too_deep(value):
        raise ValueError("nested too deep")
    return value


def read_object(text: str | bytes) -> dict[str, Any] | None:
    """Return a JSON object, or None for anything else."""
    try:
        value = read_json(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _count_openings(text: str | bytes) -> int:
    """Count the brackets that open; the usual text has fewer than the levels it may have."""
    if isinstance(text, str):
        return text.count("{") + text.count("[")
    return text.count(b"{") + text.count(b"[")


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return False
    return True
