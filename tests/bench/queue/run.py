"""`make bench-queue`: the queue beside its peers (`--help` says what may be chosen; docs/bench/queue.md).

Parts take turns, round by round, so that a busy machine slows all alike. What was measured stays in
`var/bench-queue/results.json`: stopped at any point, the same command goes on. It ends with the report.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from grimbots.tests.bench.environments import ROOT, NotRun
from grimbots.tests.bench.queue.environments import ENVIRONMENTS
from grimbots.tests.bench.queue.growth import measure_crowd, measure_growth
from grimbots.tests.bench.queue.measures import measure_system
from grimbots.tests.bench.queue.pickups import measure_pickups
from grimbots.tests.bench.queue.processes import PYTHON_CORE
from grimbots.tests.bench.queue.recovery import measure_recovery
from grimbots.tests.bench.queue.report import write_report
from grimbots.tests.bench.queue.systems import OURS, PEERS, SYSTEMS
from grimbots.tests.bench.results import Kept, Measure, take_fingerprint

DOCS = ROOT / "docs" / "bench"


def list_parts(scale: float) -> dict[str, Measure]:
    """Name everything that a round measures."""
    systems = {name: partial(measure_system, system, scale) for name, system in SYSTEMS.items() if system.measures}
    others = {"pickup": measure_pickups, "crowd": measure_crowd, "growth": measure_growth}
    return {**systems, **{name: partial(measure, scale) for name, measure in others.items()}}


def install(chosen: Sequence[str]) -> None:
    """Install before anything is measured; what cannot be is told where it is missed."""
    for system in SYSTEMS.values():
        with suppress(NotRun):
            if system.name in chosen:
                ENVIRONMENTS.prepare(system)


async def run_rounds(kept: Kept, rounds: int, chosen: Sequence[str], scale: float) -> None:
    """Measure what is missing."""
    for number in range(1, rounds + 1):
        for name, measure in list_parts(scale).items():
            if name in chosen and not kept.has(name, number):
                await kept.measure(name, number, measure)


async def run_recoveries(kept: Kept, chosen: Sequence[str], patience_seconds: float) -> None:
    """Kill each system's worker once: ours alone, in its slot and in another, then the peers side by side."""
    measures = {"recovery_ours": partial(measure_recovery, OURS, patience_seconds, slot=0)}
    measures["recovery_other"] = partial(measure_recovery, OURS, patience_seconds)
    peers = {f"recovery_{peer.name}": partial(measure_recovery, peer, patience_seconds) for peer in PEERS}
    for name, measure in measures.items():
        if not kept.has(name, 1):
            await kept.measure(name, 1, measure)
    missing = (name for name in peers if name.removeprefix("recovery_") in chosen and not kept.has(name, 1))
    await asyncio.gather(*(kept.measure(name, 1, peers[name]) for name in missing))


def _read_arguments() -> argparse.Namespace:
    everything = [*list_parts(1), "recovery"]
    parser = argparse.ArgumentParser(prog="make bench-queue", description="measure the queue beside its peers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", type=lambda names: names.split(","), default=everything, help=",".join(everything))
    parser.add_argument("--fresh", action="store_true", help="forget what was measured")
    parser.add_argument("--scale", type=float, default=1.0, help="0.01: see that it runs; no figures")
    parser.add_argument("--patience", type=float, default=120, help="seconds that a killed worker's jobs may take")
    parser.add_argument("--results", type=Path, default=ENVIRONMENTS.folder / "results.json")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where queue.json, queue.svg and queue.md go")
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - set(everything):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return arguments


async def main() -> None:
    """Measure what is missing, then report."""
    arguments = _read_arguments()
    os.sched_setaffinity(0, {PYTHON_CORE})
    code = take_fingerprint([*(ROOT / "queue").rglob("*.*"), *ENVIRONMENTS.list_files()])
    kept = Kept(arguments.results, code, fresh=arguments.fresh)
    install(arguments.only)
    if "recovery" in arguments.only:
        await run_recoveries(kept, arguments.only, arguments.patience)
    await run_rounds(kept, arguments.rounds, arguments.only, arguments.scale)
    write_report(kept.results, arguments.docs)


if __name__ == "__main__":
    asyncio.run(main())
