"""From a bench's report to the three files in docs/bench: `<name>.json`, `<name>.svg` and the tables of `<name>.md`."""

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

Results = Sequence[Mapping[str, Any]]
FIGURES = re.compile("(?<=<!-- figures -->\n).*(?=<!-- /figures -->)", re.DOTALL)


def write_pages(folder: Path, name: str, report: Mapping[str, Any], chart: str, tables: str) -> None:
    """Write the three files; `<name>.md` keeps its text, only what stands between its marks changes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    (folder / f"{name}.svg").write_text(chart)
    page = folder / f"{name}.md"
    text = page.read_text() if page.is_file() else "<!-- figures -->\n<!-- /figures -->\n"
    page.write_text(FIGURES.sub(lambda _: tables, text))
    print(tables)


def write_date() -> str:
    """Give today's date."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def find_entries(results: Results, part: str) -> list[Mapping[str, Any]]:
    """Give what is kept of a part, round by round."""
    return [entry for entry in results if entry["part"] == part]


def summarize(entries: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the median of each figure with the lowest and the highest."""
    rounds = [entry["figures"] for entry in entries if "figures" in entry]
    names = dict.fromkeys(name for figures in rounds for name in figures)
    return {name: _spread([figures[name] for figures in rounds if name in figures]) for name in names}


def _spread(values: Sequence[float]) -> dict[str, float]:
    middle, low, high = statistics.median(values), min(values), max(values)
    return {"median": round(middle, 3), "low": round(low, 3), "high": round(high, 3)}


def read_machine() -> dict[str, Any]:
    """Describe this machine."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }


def read_own_versions(*packages: str) -> dict[str, str]:
    """Name the versions of what our own side runs on."""
    shown = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    own = {"python": platform.python_version(), "redis-server": re.search(r"v=([\d.]+)", shown)[1]}  # type: ignore[index]
    return own | {name: version(name) for name in packages}


def tell_machine(report: Mapping[str, Any]) -> str:
    """Say when and where figures were taken."""
    machine, versions = report["machine"], report["versions"]
    return (
        f"{report['date']}, {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"Redis {versions['redis-server']}, Python {versions['python']}."
    )


def tell_figure(row: Mapping[str, Any], name: str, digits: int) -> str:
    """Give a cell: a figure's median, the lowest and the highest in brackets."""
    figure = row["figures"].get(name)
    if figure is None:
        return f"not run here: {row['not_run']}" if "not_run" in row else ""
    middle, low, high = (f"{figure[part]:,.{digits}f}" for part in ("median", "low", "high"))
    return middle if low == high else f"{middle} ({low}–{high})"


def write_table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Lay cells out as markdown."""
    ruler = ["---"] * len(heads)
    return "\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, ruler, *lines))
