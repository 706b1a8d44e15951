"""The ratios that matter, each the median over rounds of what one round measured, and what they should be."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grimbots.tests.bench.queue.growth import SIZES, SOURCES
from grimbots.tests.bench.queue.systems import PEERS

Results = Sequence[Mapping[str, Any]]
Round = Mapping[str, Mapping[str, float]]  # part -> figures

PYTHON_PEERS = [peer.name for peer in PEERS if peer.at_least_once and peer.language == "Python"]


@dataclass(frozen=True, slots=True)
class Aim:
    """A bound of a figure: at least, or at most."""

    text: str
    read: Callable[[Round], float]
    least: float | None = None
    most: float | None = None

    def is_met(self, value: float) -> bool:
        """Tell whether a value is within the bound."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


def find_best_peer(parts: Round) -> str:
    """Name the quickest Python peer that runs a job at least once."""
    known = [name for name in PYTHON_PEERS if name in parts]
    return max(known, key=lambda name: parts[name]["jobs_per_second"])


def _compare(figure: str, other: str) -> Callable[[Round], float]:
    return lambda parts: parts["ours"][figure] / parts[other][figure]


def _compare_pickup(parts: Round) -> float:
    return parts["pickup"]["ours_pickup_p99_ms"] / parts["pickup"]["handoff_pickup_p99_ms"]


def _compare_best(parts: Round) -> float:
    return parts["ours"]["jobs_per_second"] / parts[find_best_peer(parts)]["jobs_per_second"]


def _read_growth(move: str) -> Callable[[Round], float]:
    def read(parts: Round) -> float:
        full, few = SIZES[-1], SIZES[0]
        figures = parts["growth"]
        return max(figures[f"{move}_us_at_{full}_of_{n}"] / figures[f"{move}_us_at_{few}_of_{n}"] for n in SOURCES)

    return read


AIMS = {
    "jobs_per_second_vs_best_peer": Aim("jobs a second / best at-least-once Python peer", _compare_best, least=3),
    "jobs_per_second_vs_bullmq": Aim("jobs a second / BullMQ on node", _compare("jobs_per_second", "bullmq"), least=1),
    "jobs_per_second_vs_ceiling": Aim(
        "jobs a second / our scripts with a bare client", _compare("jobs_per_second", "ceiling"), least=0.6
    ),
    "writes_per_job": Aim("Redis writes a job", lambda parts: parts["ours"]["writes_per_job"], most=12),
    "round_trips_per_job": Aim(
        "round trips a job, worker", lambda parts: parts["ours"]["round_trips_per_run"], most=0.3
    ),
    "pickup_p99_vs_handoff": Aim("idle pickup p99 / bare BRPOP", _compare_pickup, most=2),
    "enqueue_1m_vs_1k": Aim("enqueue p50 at 1 M pending / at 1 k", _read_growth("enqueue"), most=1.5),
    "claim_1m_vs_1k": Aim("claim p50 at 1 M pending / at 1 k", _read_growth("claim"), most=1.5),
    "single_job_p99_ms": Aim(
        "a single job beside 100,000 of another source, p99 ms", lambda parts: parts["crowd"]["single_p99_ms"], most=50
    ),
}


def find_ratios(results: Results) -> dict[str, float]:
    """Return what could be found of the aims' figures."""
    rounds = _group(results)
    found: dict[str, float] = {}
    for name, aim in AIMS.items():
        values = [value for parts in rounds if (value := _try_read(aim, parts)) is not None]
        if values:
            found[name] = round(statistics.median(values), 3)
    return found


def _try_read(aim: Aim, parts: Round) -> float | None:
    try:
        return aim.read(parts)
    except (KeyError, ValueError):  # a part of it was not measured in this round
        return None


def _group(results: Results) -> list[Round]:
    rounds: dict[int, dict[str, Mapping[str, float]]] = {}
    for entry in results:
        if "figures" in entry:
            rounds.setdefault(entry["round"], {})[entry["part"]] = entry["figures"]
    return list(rounds.values())
