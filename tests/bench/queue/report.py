"""From results to `queue.json`, `queue.svg` and the tables of `queue.md`: medians, with the spread beside them."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from grimbots.tests.bench.queue.chart import draw_chart
from grimbots.tests.bench.queue.environments import read_versions
from grimbots.tests.bench.queue.ratios import find_ratios
from grimbots.tests.bench.queue.systems import SYSTEMS, System
from grimbots.tests.bench.queue.tables import write_tables

Results = Sequence[Mapping[str, Any]]
FIGURES = re.compile("(?<=<!-- figures -->\n).*(?=<!-- /figures -->)", re.DOTALL)


def write_report(results: Results, folder: Path) -> None:
    """Write the three files; `queue.md` keeps its text, only what stands between its marks changes."""
    folder.mkdir(parents=True, exist_ok=True)
    report = make_report(results)
    (folder / "queue.json").write_text(json.dumps(report, indent=1) + "\n")
    (folder / "queue.svg").write_text(draw_chart(report["rows"]))
    page = folder / "queue.md"
    text = page.read_text() if page.is_file() else "<!-- figures -->\n<!-- /figures -->\n"
    page.write_text(FIGURES.sub(lambda _: write_tables(report), text))
    print(write_tables(report))


def make_report(results: Results) -> dict[str, Any]:
    """Put together what `queue.json` holds."""
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": _read_machine(),
        "versions": _read_versions(),
        "redis": "append-only file, appendfsync everysec (`always_` figures: always); no rewrite while measuring",
        "rows": [row for system in SYSTEMS.values() if (row := _make_row(results, system))["rounds"]],
        "growth": summarize(_find(results, "growth")),
        "crowd": summarize(_find(results, "crowd")),
        "ratios": find_ratios(results),
    }


def summarize(entries: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the median of each figure with the lowest and the highest."""
    rounds = [entry["figures"] for entry in entries if "figures" in entry]
    names = dict.fromkeys(name for figures in rounds for name in figures)
    return {name: _spread([figures[name] for figures in rounds if name in figures]) for name in names}


def _spread(values: Sequence[float]) -> dict[str, float]:
    middle, low, high = statistics.median(values), min(values), max(values)
    return {"median": round(middle, 3), "low": round(low, 3), "high": round(high, 3)}


def _make_row(results: Results, system: System) -> dict[str, Any]:
    entries = [*_find(results, system.name), *_find_pickups(results, system)]
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
    if recoveries := _find(results, f"recovery_{system.name}"):
        row["recovery"] = recoveries[-1].get("figures") or recoveries[-1]["not_run"]
    if system.name == "ours" and (others := _find(results, "recovery_other")):
        row["recovery_in_another_slot"] = others[-1]["figures"]
    return row


def _find_pickups(results: Results, system: System) -> list[Mapping[str, Any]]:
    """Find what the part `pickup` says of one system."""
    mark, entries = f"{system.name}_", _find(results, "pickup")
    figures = [entry.get("figures", {}) for entry in entries]
    own = [{name.removeprefix(mark): part[name] for name in part if name.startswith(mark)} for part in figures]
    return [{**entry, "figures": part} for entry, part in zip(entries, own, strict=True) if part]


def _find(results: Results, part: str) -> list[Mapping[str, Any]]:
    return [entry for entry in results if entry["part"] == part]


def _read_machine() -> dict[str, Any]:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }


def _read_versions() -> dict[str, Any]:
    shown = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    own = {"python": platform.python_version(), "redis-server": re.search(r"v=([\d.]+)", shown)[1]}  # type: ignore[index]
    own |= {name: version(name) for name in ("redis", "hiredis")}
    peers = {system.name: pins for system in SYSTEMS.values() if (pins := read_versions(system))}
    return {**own, **peers}
