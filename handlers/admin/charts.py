"""Small charts as inline SVG, drawn here: no script, no style in the page, every colour a class of charts.css."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

Points = Sequence[tuple[datetime, float | None]]

WIDTH, HEIGHT = 300.0, 60.0
ROOM = 3.0  # above and below, so that a line's thickness is not cut off
GAP = timedelta(seconds=35)  # nobody looked for so long: the line is broken off
LEAST_SPAN = timedelta(minutes=2)
STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a chart shows: from when to when, from 0 to `top`."""

    begin: datetime
    end: datetime
    top: float

    def place(self, at: datetime, value: float) -> tuple[float, float]:
        """Return where a point lies, in the drawing's units."""
        x = (at - self.begin) / (self.end - self.begin) * WIDTH
        y = HEIGHT - ROOM - value / self.top * (HEIGHT - 2 * ROOM)
        return round(x, 1), round(y, 1)


def make_frame(end: datetime, *lines: Points) -> Frame:
    """Return a frame that holds lines up to now, however few points there are."""
    instants = [at for line in lines for at, _ in line]
    values = [value for line in lines for _, value in line if value is not None]
    begin = min([*instants, end - LEAST_SPAN])
    return Frame(begin, end, round_up(max([*values, 1.0])))


def round_up(value: float) -> float:
    """Return a round number that is not less: 1, 2, 2.5, 5 and their multiples by ten."""
    size = 1.0
    while value > 10 * size:
        size *= 10
    return next(step * size for step in STEPS if value <= step * size)


def draw_line(frame: Frame, label: str, *lines: tuple[str, Points]) -> str:
    """Draw lines over time, each with the name of its class; the first one is filled below."""
    drawn = []
    for place, (name, points) in enumerate(lines):
        runs = _split(frame, points)
        if place == 0:
            drawn += [f'<path class="area {name}" d="{_close(run)}"/>' for run in runs if len(run) > 1]
        drawn += [f'<path class="line {name}" d="{_trace(run)}"/>' for run in runs]
    rules = "".join(f'<path class="rule" d="M0 {y:g}H{WIDTH:g}"/>' for y in (ROOM, HEIGHT / 2, HEIGHT - ROOM))
    return _wrap(label, rules + "".join(drawn))


def draw_spark(frame: Frame, label: str, points: Points) -> str:
    """Draw one small line without rules."""
    runs = _split(frame, points)
    areas = [f'<path class="area main" d="{_close(run)}"/>' for run in runs if len(run) > 1]
    lines = [f'<path class="line main" d="{_trace(run)}"/>' for run in runs]
    return _wrap(label, "".join([*areas, *lines]))


def draw_bars(label: str, bars: Sequence[tuple[float, float]]) -> str:
    """Draw bars of two parts, one above the other."""
    top = round_up(max([1.0, *(sum(bar) for bar in bars)]))
    step = WIDTH / max(1, len(bars))
    drawn = [f'<path class="rule" d="M0 {HEIGHT:g}H{WIDTH:g}"/>']
    for place, parts in enumerate(bars):
        base = HEIGHT
        for name, part in zip(("main", "other"), parts, strict=True):
            height = max(1.5, part / top * (HEIGHT - ROOM)) if part else 0
            base -= height
            if height:
                size = f'x="{place * step + step * 0.12:.1f}" y="{base:.1f}" width="{step * 0.76:.1f}"'
                drawn.append(f'<rect class="bar {name}" {size} height="{height:.1f}"/>')
    return _wrap(label, "".join(drawn))


def _wrap(label: str, inside: str) -> str:
    return (
        f'<svg class="chart" role="img" aria-label="{escape(label)}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}"'
        f' preserveAspectRatio="none">{inside}</svg>'
    )


def _split(frame: Frame, points: Points) -> list[list[tuple[float, float]]]:
    """Place the points; where one is missing or nobody looked for long, another run begins."""
    runs: list[list[tuple[float, float]]] = []
    last: datetime | None = None
    for at, value in points:
        if value is None:
            last = None
            continue
        if last is None or at - last > GAP:
            runs.append([])
        runs[-1].append(frame.place(at, value))
        last = at
    return runs


def _trace(run: Sequence[tuple[float, float]]) -> str:
    """Write a run as a path; a single point is a dot: a line of no length with round ends."""
    (x, y), *rest = run
    return f"M{x:g} {y:g}" + ("".join(f"L{x:g} {y:g}" for x, y in rest) or "h0")


def _close(run: Sequence[tuple[float, float]]) -> str:
    """Write the area below a run."""
    return f"{_trace(run)}V{HEIGHT:g}H{run[0][0]:g}Z"
