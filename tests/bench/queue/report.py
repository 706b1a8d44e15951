"""From results to `queue.json`, `queue.svg` and the tables of `queue.md`: medians, with the spread beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grimbots.tests.bench.pages import (
    Results,
    find_entries,
    read_machine,
    read_own_versions,
    summarize,
    write_date,
    write_pages,
)
from grimbots.tests.bench.queue.chart import draw_rows
from grimbots.tests.bench.queue.environments import ENVIRONMENTS
from grimbots.tests.bench.queue.ratios import find_ratios
from grimbots.tests.bench.queue.systems import SYSTEMS, System
from grimbots.tests.bench.queue.tables import write_tables


def write_report(results: Results, folder: Path) -> None:
    """Write the three files."""
    report = make_report(results)
    write_pages(folder, "queue", report, draw_rows(report["rows"]), write_tables(report))


def make_report(results: Results) -> dict[str, Any]:
    """Put together what `queue.json` holds."""
    return {
        "date": write_date(),
        "machine": read_machine(),
        "versions": _read_versions(),
        "redis": "append-only file, appendfsync everysec (`always_` figures: always); no rewrite while measuring",
        "rows": [row for system in SYSTEMS.values() if (row := _make_row(results, system))["rounds"]],
        "growth": summarize(find_entries(results, "growth")),
        "crowd": summarize(find_entries(results, "crowd")),
        "ratios": find_ratios(results),
    }


def _make_row(results: Results, system: System) -> dict[str, Any]:
    entries = [*find_entries(results, system.name), *_find_pickups(results, system)]
    row: dict[str, Any] = {
        "system": system.name,
        "title": system.title,
        "language": system.language,
        "at_least_once": system.at_least_once,
        "note": system.note,
        "jobs": system.jobs,
        "rounds": len({entry["round"] for entry in entries}),
        "figures": summarize(entries),
    }
    if reasons := [entry["not_run"] for entry in entries if "not_run" in entry]:
        row["not_run"] = reasons[-1]
    if recoveries := find_entries(results, f"recovery_{system.name}"):
        row["recovery"] = recoveries[-1].get("figures") or recoveries[-1]["not_run"]
    if system.name == "ours" and (others := find_entries(results, "recovery_other")):
        row["recovery_in_another_slot"] = others[-1]["figures"]
    return row


def _find_pickups(results: Results, system: System) -> list[Mapping[str, Any]]:
    """Find what the part `pickup` says of one system."""
    mark, entries = f"{system.name}_", find_entries(results, "pickup")
    figures = [entry.get("figures", {}) for entry in entries]
    own = [{name.removeprefix(mark): part[name] for name in part if name.startswith(mark)} for part in figures]
    return [{**entry, "figures": part} for entry, part in zip(entries, own, strict=True) if part]


def _read_versions() -> dict[str, Any]:
    peers = {system.name: pins for system in SYSTEMS.values() if (pins := ENVIRONMENTS.read_versions(system))}
    return {**read_own_versions("redis", "hiredis"), **peers}
