"""From results to `front.json`, `front.svg` and the tables of `front.md`: medians, with the spread beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from grimbots.tests.bench.charts import Bar, draw_chart
from grimbots.tests.bench.front.measures import CONNECTIONS
from grimbots.tests.bench.front.ratios import Finding, find_ratios, name_part
from grimbots.tests.bench.front.stands import ENVIRONMENTS
from grimbots.tests.bench.front.systems import OURS, SYSTEMS, System
from grimbots.tests.bench.front.tables import write_tables
from grimbots.tests.bench.pages import (
    Results,
    find_entries,
    read_machine,
    read_own_versions,
    summarize,
    write_date,
    write_pages,
)

STORES = "append-only file; ours: appendfsync always, as shipped; the peers': everysec"
TITLE = "Updates accepted a second, one process on one core"
LEGEND = "thick: 40 connections, thin: 500; pale grey: forgets what it accepted when it is killed"


def write_report(results: Results, folder: Path) -> None:
    """Write the three files."""
    found = find_ratios(results)
    report = make_report(results, found)
    chart = draw_chart(TITLE, LEGEND, [_make_bar(row) for row in report["rows"] if row["rounds"]])
    write_pages(folder, "front", report, chart, write_tables(report, found))


def make_report(results: Results, found: Mapping[str, Finding]) -> dict[str, Any]:
    """Put together what `front.json` holds."""
    rows = [_make_row(results, system) for system in SYSTEMS.values()]
    ratios = {name: round(finding.median, 3) for name, finding in found.items()}
    ours = next(row for row in rows if row["system"] == OURS.name)
    lost = {"lost_after_kill": ours["kill"]["lost"]} if "kill" in ours else {}
    return {
        "date": write_date(),
        "machine": read_machine(),
        "versions": _read_versions(),
        "redis": STORES,
        "rows": [row for row in rows if row["figures"] or "not_run" in row],
        "ratios": ratios | lost,
        "intervals": {
            name: {part: round(value, 3) for part, value in asdict(it).items()} for name, it in found.items()
        },
        "soak": find_entries(results, "soak")[-1].get("figures") if find_entries(results, "soak") else None,
    }


def _make_row(results: Results, system: System) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for connections in CONNECTIONS:
        speeds = find_entries(results, name_part(f"speed_{connections}", system))
        figures |= {f"{name}_{connections}": figure for name, figure in summarize(speeds).items()}
    for kind in ("steady", "memory"):
        figures |= summarize(find_entries(results, name_part(kind, system)))
    row: dict[str, Any] = {
        "system": system.name,
        "title": system.title,
        "durable": system.durable,
        "before_200": system.before_200,
        "rounds": len(find_entries(results, name_part(f"speed_{CONNECTIONS[0]}", system))),
        "figures": figures,
    }
    if kills := _add_up(find_entries(results, name_part("kill", system))):
        row["kill"] = kills
    if reasons := [entry["not_run"] for entry in results if entry["part"].endswith(system.name) and "not_run" in entry]:
        row["not_run"] = reasons[-1]
    return row


def _add_up(kills: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    figures = [kill["figures"] for kill in kills if "figures" in kill]
    sums = {name: int(sum(one[name] for one in figures)) for name in ("accepted", "lost")}
    return {"kills": len(figures), **sums} if figures else {}


def _make_bar(row: Mapping[str, Any]) -> Bar:
    few, many = (row["figures"].get(f"accepts_per_second_{n}", {"median": 0.0})["median"] for n in CONNECTIONS)
    return Bar(row["title"], few, many, own=row["system"] == OURS.name, weak=not row["durable"])


def _read_versions() -> dict[str, Any]:
    peers = {system.name: pins for system in SYSTEMS.values() if (pins := ENVIRONMENTS.read_versions(system))}
    return {**read_own_versions("tornado", "redis", "hiredis"), **peers}
