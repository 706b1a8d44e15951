"""The chart: a bar per system for jobs that do nothing, and a thinner one for jobs of 5 ms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from grimbots.tests.bench.queue.systems import CEILING, HANDOFF, SAME

Row = Mapping[str, Any]

WIDTH, LEFT, RIGHT, TOP, STEP = 760, 190, 90, 64, 38
OWN, OTHER, WEAK, PALE = "#1f6f54", "#5b6b7b", "#b3bcc5", 0.55
LEGEND = "thick: no-op, thin: 5 ms, 500 B each; pale grey: may lose a job when a worker is killed"
FONT = "font-family='system-ui, sans-serif'"


def draw_chart(rows: Sequence[Row]) -> str:
    """Return the chart as SVG, the quickest on top."""
    shown = [row for row in rows if "jobs_per_second" in row["figures"] and not _is_reference(row)]
    shown.sort(key=lambda row: -_read(row, "jobs_per_second"))
    most = max((_read(row, name) for row in shown for name in ("jobs_per_second", "slow_jobs_per_second")), default=1)
    height = TOP + STEP * len(shown) + 16
    bars = "".join(_draw_row(row, TOP + STEP * i, (WIDTH - LEFT - RIGHT) / most) for i, row in enumerate(shown))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}'>"
        f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>"
        + _write(16, 26, "Jobs a second, one worker process", size=16, weight=600)
        + _write(16, 46, LEGEND, colour=OTHER)
        + f"{bars}</svg>\n"
    )


def _is_reference(row: Row) -> bool:
    return row["system"] in {CEILING.name, HANDOFF.name, SAME.name}


def _read(row: Row, name: str) -> float:
    return float(row["figures"].get(name, {"median": 0})["median"])


def _draw_row(row: Row, y: float, scale: float) -> str:
    colour = OWN if row["system"] == "ours" else OTHER if row["at_least_once"] else WEAK
    quick, slow = _read(row, "jobs_per_second"), _read(row, "slow_jobs_per_second")
    return (
        _write(LEFT - 10, y + 15, row["title"], anchor="end", weight=600 if row["system"] == "ours" else 400)
        + f"<rect x='{LEFT}' y='{y}' width='{quick * scale:.1f}' height='16' fill='{colour}'/>"
        + f"<rect x='{LEFT}' y='{y + 18}' width='{slow * scale:.1f}' height='7' fill='{colour}' opacity='{PALE}'/>"
        + _write(LEFT + max(quick, slow) * scale + 6, y + 14, f"{quick:,.0f}")
        + _write(LEFT + max(quick, slow) * scale + 6, y + 27, f"{slow:,.0f}", size=10, colour=OTHER)
    )


def _write(
    x: float, y: float, text: str, *, size: int = 12, weight: int = 400, colour: str = "#1c2530", anchor: str = "start"
) -> str:
    style = f"font-size='{size}' font-weight='{weight}' fill='{colour}' text-anchor='{anchor}'"
    return f"<text x='{x:.1f}' y='{y:.1f}' {FONT} {style}>{escape(text)}</text>"
