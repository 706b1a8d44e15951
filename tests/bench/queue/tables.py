"""The tables of `docs/bench/queue.md`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from grimbots.tests.bench.pages import tell_figure, tell_machine, write_table
from grimbots.tests.bench.queue.growth import SIZES, SOURCES
from grimbots.tests.bench.queue.ratios import AIMS, Aim

Row = Mapping[str, Any]

COLUMNS = {
    "jobs/s": ("jobs_per_second", 0),
    "5 ms jobs/s": ("slow_jobs_per_second", 0),
    "jobs/s, fsync always": ("always_jobs_per_second", 0),
    "enqueues/s": ("enqueues_per_second", 0),
    "pickup p50 ms": ("pickup_p50_ms", 1),
    "p99 ms": ("pickup_p99_ms", 1),
    "p99.9 ms": ("pickup_p999_ms", 1),
}
COSTS = {
    "Redis CPU µs: enqueue": ("redis_us_per_enqueue", 0),
    "run": ("redis_us_per_run", 0),
    "round trips: enqueue": ("round_trips_per_enqueue", 2),
    "run ": ("round_trips_per_run", 2),
    "writes": ("writes_per_job", 1),
    "bytes pending": ("bytes_per_pending_job", 0),
}


def write_tables(report: Mapping[str, Any]) -> str:
    """Return all tables as markdown."""
    rows = report["rows"]
    parts = {
        _describe(report): "",
        "What was aimed at": _write_aims(report["ratios"]),
        "Speed": _write_rows(rows, COLUMNS),
        "Cost of a job": _write_rows(rows, COSTS),
        "A worker killed with `kill -9`": _write_recoveries(rows),
        "Growth: the median of a single call, µs": _write_growth(report["growth"]),
    }
    return "".join(f"\n{'### ' if body else ''}{title}\n{body}" for title, body in parts.items()) + "\n"


def _describe(report: Mapping[str, Any]) -> str:
    rounds = sorted({row["rounds"] for row in report["rows"]}) or [0]
    span = f"{rounds[0]} to {rounds[-1]}" if len(rounds) > 1 else f"{rounds[0]}"
    return f"{tell_machine(report)} Medians of {span} interleaved rounds, lowest and highest in brackets."


def _write_aims(ratios: Mapping[str, float]) -> str:
    lines = [
        (aim.text, f"{ratios[name]:.2f}", _tell_bound(aim), "yes" if aim.is_met(ratios[name]) else "**no**")
        for name, aim in AIMS.items()
        if name in ratios
    ]
    return write_table(["figure", "here", "aim", "met"], lines)


def _tell_bound(aim: Aim) -> str:
    return f"at least {aim.least:g}" if aim.least is not None else f"at most {aim.most:g}"


def _write_rows(rows: Iterable[Row], columns: Mapping[str, tuple[str, int]]) -> str:
    lines = [
        (_title(row), _tell_guarantee(row), *(tell_figure(row, name, digits) for name, digits in columns.values()))
        for row in rows
    ]
    return write_table(["system", "at least once", *columns], lines)


def _title(row: Row) -> str:
    return f"**{row['title']}**" if row["system"] == "ours" else str(row["title"])


def _tell_guarantee(row: Row) -> str:
    return "yes" if row["at_least_once"] else "no"


def _write_recoveries(rows: Iterable[Row]) -> str:
    lines = []
    for row in rows:
        lines += [_tell_recovery(_title(row), row["recovery"], row["note"])] if "recovery" in row else []
        if other := row.get("recovery_in_another_slot"):
            lines.append(_tell_recovery(f"{_title(row)}, nobody in its slot", other, "a lease of 10 s"))
    return write_table(["system", "all had run after, s", "had not run", "ran twice", "by its own words"], lines)


def _tell_recovery(title: str, recovery: Mapping[str, float] | str, note: str) -> Sequence[str]:
    if isinstance(recovery, str):
        return (title, f"not run here: {recovery}", "", "", note)
    seconds = f"{recovery['recovery_seconds']:.1f}" if "recovery_seconds" in recovery else ""
    return (title, seconds, f"{recovery['not_run']:.0f}", f"{recovery['repeated']:.0f}", note)


def _write_growth(growth: Mapping[str, Mapping[str, float]]) -> str:
    lines = [
        (f"{move}, {sources:,} sources", *(_tell_call(growth, move, size, sources) for size in SIZES))
        for move in ("enqueue", "claim", "ack")
        for sources in SOURCES
    ]
    return write_table(["", *(f"{size:,} pending" for size in SIZES)], lines)


def _tell_call(growth: Mapping[str, Mapping[str, float]], move: str, size: int, sources: int) -> str:
    figure = growth.get(f"{move}_us_at_{size}_of_{sources}")
    return f"{figure['median']:.0f}" if figure else ""
