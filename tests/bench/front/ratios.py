"""The ratios that matter: the median over rounds of what two servers did one after the other, with its interval."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from grimbots.tests.bench.front.measures import CONNECTIONS
from grimbots.tests.bench.front.systems import AIOGRAM, AIOHTTP_ARQ, BARE, FLASK_RQ, OURS, PTB, System
from grimbots.tests.bench.pages import Results, find_entries

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours by another's. `least` and `most` bound the interval's lower and upper end."""

    text: str
    figure: str
    part: str  # of the round, before the system's name
    other: System
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a ratio is: between `low` and `high` with 95 % confidence (from 6 pairs on; before, all of them)."""

    median: float
    low: float
    high: float
    pairs: int

    def meets(self, ratio: Ratio) -> bool:
        """Tell whether the interval keeps the ratio's bound."""
        return (ratio.least is None or self.low >= ratio.least) and (ratio.most is None or self.high <= ratio.most)


def name_part(kind: str, system: System) -> str:
    """Name what a round measures of a system: "speed_40_ours"."""
    return f"{kind}_{system.name}"


def _list_accepts() -> dict[str, Ratio]:
    few, many = CONNECTIONS
    others = {"bare_tornado": (BARE, 0.85), "aiogram": (AIOGRAM, 1.0), "flask_rq": (FLASK_RQ, None)}
    others |= {"python_telegram_bot": (PTB, None), "aiohttp_arq": (AIOHTTP_ARQ, None)}
    ratios = {}
    for connections, suffix in ((few, ""), (many, f"_at_{many}")):
        for name, (other, least) in others.items():
            text = f"accepts a second / {other.title}, {connections} connections"
            part = f"speed_{connections}"
            ratios[f"accepts_vs_{name}{suffix}"] = Ratio(text, "accepts_per_second", part, other, least=least)
    return ratios


RATIOS = _list_accepts() | {
    "p99_vs_aiogram_at_70_percent": Ratio(
        "p99 at 70 % of the slower one's accepts / aiogram's", "steady_p99_ms", "steady", AIOGRAM, most=1.0
    )
}


def find_ratios(results: Results) -> dict[str, Finding]:
    """Return what could be found."""
    found = {name: _find_pairs(results, ratio) for name, ratio in RATIOS.items()}
    return {name: judge(pairs) for name, pairs in found.items() if pairs}


def judge(pairs: Sequence[float]) -> Finding:
    """Give the median and the interval between two of the values that holds it, whatever their distribution."""
    values, rank = sorted(pairs), _find_rank(len(pairs))
    return Finding(statistics.median(values), values[rank], values[-1 - rank], len(values))


def _find_rank(count: int) -> int:
    """Count the values that may be left out at each end: a fair coin tossed `count` times falls so with 2.5 %."""
    rank, tail = 0, 0.5**count
    while tail + math.comb(count, rank + 1) * 0.5**count <= (1 - CONFIDENCE) / 2:
        rank += 1
        tail += math.comb(count, rank) * 0.5**count
    return rank


def _find_pairs(results: Results, ratio: Ratio) -> list[float]:
    ours, others = (_read(results, name_part(ratio.part, system), ratio.figure) for system in (OURS, ratio.other))
    return [ours[number] / others[number] for number in sorted(ours.keys() & others.keys())]


def _read(results: Results, part: str, figure: str) -> dict[int, float]:
    entries = (entry for entry in find_entries(results, part) if "figures" in entry)
    return {entry["round"]: entry["figures"][figure] for entry in entries}
