"""What every bench of the server shares: its arguments, percentiles, medians of runs, the table and the JSON file."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Figures = dict[str, float]


def read_arguments(doc: str, **defaults: Any) -> argparse.Namespace:
    """Read the command line: an option for each default, a flag where that is False, and --json.

    The defaults are the full length.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in defaults.items():
        if default is False:
            parser.add_argument(f"--{name}", action="store_true")
            continue
        read = _read_rates if isinstance(default, list) else type(default)
        parser.add_argument(f"--{name}", default=default, type=read, help=f"{name}, else {default}")
    parser.add_argument("--json", type=Path, help="write every run's figures to this file")
    return parser.parse_args()


def _read_rates(text: str) -> list[float]:
    return [float(rate) for rate in text.split(",")]


def summarize(waits_ms: Sequence[float]) -> Figures:
    """Give p50, p95, p99 of waits."""
    cuts = statistics.quantiles(waits_ms, n=100, method="inclusive")
    return {"p50 ms": cuts[49], "p95 ms": cuts[94], "p99 ms": cuts[98]}


def take_medians(runs: Sequence[Figures]) -> Figures:
    """Give each figure's median over the runs."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def tell(title: str, runs: Sequence[Figures], by: str, path: Path | None) -> None:
    """Print the medians of the runs that have the same figure `by`, a line each; write all runs to `path`."""
    groups: dict[float, list[Figures]] = {}
    for run in runs:
        groups.setdefault(run[by], []).append(run)
    print(f"{title}; medians of {len(runs) // len(groups)}")
    print(_line(runs[0]))
    for group in groups.values():
        print(_line(f"{figure:.2f}" for figure in take_medians(group).values()))
    if path is not None:
        path.write_text(json.dumps(runs, indent=1), encoding="utf-8")


def _line(cells: Iterable[str]) -> str:
    return " ".join(f"{cell:>10}" for cell in cells)
