"""Charts of the benches: for each system a thick bar and a thin one below it, the longest on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT, TOP, STEP = 760, 190, 90, 64, 38
OWN, OTHER, WEAK, PALE = "#1f6f54", "#5b6b7b", "#b3bcc5", 0.55
FONT = "font-family='system-ui, sans-serif'"


@dataclass(frozen=True, slots=True)
class Bar:
    """A system's line. `weak`: drawn in pale grey, for what the legend says of it."""

    title: str
    thick: float
    thin: float
    own: bool = False
    weak: bool = False


def draw_chart(title: str, legend: str, bars: Sequence[Bar]) -> str:
    """Return the chart as SVG."""
    shown = sorted(bars, key=lambda bar: -bar.thick)
    most = max((figure for bar in shown for figure in (bar.thick, bar.thin)), default=1)
    height = TOP + STEP * len(shown) + 16
    drawn = "".join(_draw_bar(bar, TOP + STEP * i, (WIDTH - LEFT - RIGHT) / most) for i, bar in enumerate(shown))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}'>"
        f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>"
        + _write(16, 26, title, size=16, weight=600)
        + _write(16, 46, legend, colour=OTHER)
        + f"{drawn}</svg>\n"
    )


def _draw_bar(bar: Bar, y: float, scale: float) -> str:
    colour = OWN if bar.own else WEAK if bar.weak else OTHER
    right = LEFT + max(bar.thick, bar.thin) * scale + 6
    return (
        _write(LEFT - 10, y + 15, bar.title, anchor="end", weight=600 if bar.own else 400)
        + f"<rect x='{LEFT}' y='{y}' width='{bar.thick * scale:.1f}' height='16' fill='{colour}'/>"
        + f"<rect x='{LEFT}' y='{y + 18}' width='{bar.thin * scale:.1f}' height='7' fill='{colour}' opacity='{PALE}'/>"
        + _write(right, y + 14, f"{bar.thick:,.0f}")
        + _write(right, y + 27, f"{bar.thin:,.0f}", size=10, colour=OTHER)
    )


def _write(
    x: float, y: float, text: str, *, size: int = 12, weight: int = 400, colour: str = "#1c2530", anchor: str = "start"
) -> str:
    style = f"font-size='{size}' font-weight='{weight}' fill='{colour}' text-anchor='{anchor}'"
    return f"<text x='{x:.1f}' y='{y:.1f}' {FONT} {style}>{escape(text)}</text>"
