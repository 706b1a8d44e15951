"""The chart: a bar per system for jobs that do nothing, and a thinner one for jobs of 5 ms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grimbots.tests.bench.charts import Bar, draw_chart
from grimbots.tests.bench.queue.systems import CEILING, HANDOFF, SAME

Row = Mapping[str, Any]

TITLE = "Jobs a second, one worker process"
LEGEND = "thick: no-op, thin: 5 ms, 500 B each; pale grey: may lose a job when a worker is killed"
REFERENCES = {CEILING.name, HANDOFF.name, SAME.name}


def draw_rows(rows: Sequence[Row]) -> str:
    """Return the chart as SVG, the quickest on top."""
    shown = [row for row in rows if "jobs_per_second" in row["figures"] and row["system"] not in REFERENCES]
    return draw_chart(TITLE, LEGEND, [_make_bar(row) for row in shown])


def _make_bar(row: Row) -> Bar:
    quick, slow = _read(row, "jobs_per_second"), _read(row, "slow_jobs_per_second")
    return Bar(row["title"], quick, slow, own=row["system"] == "ours", weak=not row["at_least_once"])


def _read(row: Row, name: str) -> float:
    return float(row["figures"].get(name, {"median": 0})["median"])
