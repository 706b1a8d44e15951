"""Small charts of bars, drawn here: numbers become rectangles of an SVG, whose colours are the page's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 600.0, 120.0
GAP = 0.25  # of a day's room
LEAST_HEIGHT = 2.0  # so that little is not nothing


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle; `label` is what it says when it is pointed at, `series` which of the chart's numbers it shows."""

    x: float
    y: float
    width: float
    height: float
    series: int
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars in a field of WIDTH by HEIGHT; `most` is the number that reaches its top."""

    bars: list[Bar]
    most: int


def draw(series: Sequence[Sequence[int]], labels: Sequence[Sequence[str]]) -> Chart:
    """Draw one bar per number, side by side where several numbers belong to one place; all on one scale."""
    most = max((number for numbers in series for number in numbers), default=0)
    places = len(series[0]) if series else 0
    room = WIDTH / max(places, 1)
    width = room * (1 - GAP) / max(len(series), 1)
    bars = []
    for which, numbers in enumerate(series):
        for place, number in enumerate(numbers):
            if number <= 0:
                continue
            height = max(HEIGHT * number / most, LEAST_HEIGHT)
            x, y = place * room + room * GAP / 2 + which * width, HEIGHT - height
            bars.append(Bar(round(x, 2), round(y, 2), round(width, 2), round(height, 2), which, labels[which][place]))
    return Chart(bars, most)
