"""Landings: the page a tracked link may show on the way to the bot. What a seller writes, checked; nothing is asked.

The page needs no script: its button is a link, and the browser goes on by itself. A pixel is the seller's own choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grimbots.services.errors import Invalid

LONGEST_TITLE, LONGEST_TEXT, LONGEST_BUTTON = 80, 1000, 40
LONGEST_WAIT_SECONDS = 30
PIXEL = re.compile(r"[0-9]{5,20}")


@dataclass(frozen=True, slots=True)
class Landing:
    """A page before the bot. `seconds`: then the browser goes on by itself. `pixel_id`: of Meta; "" for none."""

    title: str
    text: str = ""
    button: str = ""
    seconds: int = 2
    pixel_id: str = ""


def read(given: Mapping[str, Any]) -> Landing:
    """Read what a seller wrote.

    Raises:
        Invalid: with all that is wrong with it.
    """
    wrong = [f"{name!r} is none of {', '.join(Landing.__slots__)}" for name in given if name not in Landing.__slots__]
    wrong += [
        f"{name!r} must be a text of {least} to {most} characters"
        for name, least, most in (("title", 1, LONGEST_TITLE), ("text", 0, LONGEST_TEXT), ("button", 0, LONGEST_BUTTON))
        if not _is_text(given.get(name, ""), least, most)
    ]
    seconds = given.get("seconds", 2)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds <= LONGEST_WAIT_SECONDS:
        wrong.append(f"'seconds' must be a whole number up to {LONGEST_WAIT_SECONDS}")
    pixel_id = given.get("pixel_id", "")
    if pixel_id and not (isinstance(pixel_id, str) and PIXEL.fullmatch(pixel_id)):
        wrong.append("'pixel_id' must be the digits of a Meta pixel, in quotes")
    if wrong:
        raise Invalid(f"the landing page is not in order: {'; '.join(wrong)}")
    return Landing(**given)


def load(stored: Mapping[str, Any] | None) -> Landing | None:
    """Give the landing of a row; what another version of the program wrote besides is left out."""
    if stored is None:
        return None
    return Landing(**{name: value for name, value in stored.items() if name in Landing.__slots__})


def _is_text(value: Any, least: int, most: int) -> bool:
    return isinstance(value, str) and least <= len(value.strip()) and len(value) <= most and "\0" not in value
