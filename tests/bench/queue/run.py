"""`make bench-queue`: the queue beside its peers (`--help` says what may be chosen; docs/bench/queue.md).

Parts take turns, round by round, so that a busy machine slows all alike. What was measured stays in
`var/bench-queue/results.json`: stopped at any point, the same command goes on. It ends with the report.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from grimbots.tests.bench.queue.environments import FOLDER, ROOT, NotRun, prepare
from grimbots.tests.bench.queue.growth import measure_crowd, measure_growth
from grimbots.tests.bench.queue.measures import Figures, measure_system
from grimbots.tests.bench.queue.processes import PYTHON_CORE
from grimbots.tests.bench.queue.recovery import measure_recovery
from grimbots.tests.bench.queue.report import write_report
from grimbots.tests.bench.queue.systems import OURS, PEERS, SYSTEMS

DOCS = ROOT / "docs" / "bench"
Results = list[dict[str, Any]]
Measure = Callable[[], Awaitable[Figures]]


def list_parts(scale: float) -> dict[str, Measure]:
    """Name everything that a round measures."""
    systems = {name: partial(measure_system, system, scale) for name, system in SYSTEMS.items()}
    return {**systems, "crowd": partial(measure_crowd, scale), "growth": partial(measure_growth, scale)}


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


def _tell(entry: dict[str, Any]) -> str:
    if "not_run" in entry:
        return f"not run here: {entry['not_run']}"
    return ", ".join(f"{name} {figure:,.2f}" for name, figure in entry["figures"].items())


class Kept:
    """What was measured so far, in a file: of one state of the code only."""

    def __init__(self, path: Path, fresh: bool) -> None:
        """Read the file, unless its figures are of other code."""
        self.results: Results = []
        self._path = path
        self._code = _fingerprint()
        if fresh or not path.is_file():
            return
        kept = json.loads(path.read_text())
        if kept["code"] == self._code:
            self.results = kept["results"]
        else:
            print("the queue or a peer has changed since the last figures: starting over")

    def has(self, part: str, number: int) -> bool:
        """Tell whether a part of a round is there."""
        return any(entry["part"] == part and entry["round"] == number for entry in self.results)

    async def measure(self, part: str, number: int, measure: Measure) -> None:
        """Measure a part of a round and keep it."""
        began = time.monotonic()
        entry: dict[str, Any] = {"part": part, "round": number}
        try:
            if system := SYSTEMS.get(part.removeprefix("recovery_")):
                prepare(system)
            entry["figures"] = await measure()
        except NotRun as reason:
            entry["not_run"] = str(reason)
        self.results.append(entry)
        self._save()
        print(f"round {number}: {part} in {time.monotonic() - began:.0f} s: {_tell(entry)}", flush=True)

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps({"code": self._code, "results": self.results}, indent=1))
        fresh.replace(self._path)


def _fingerprint() -> str:
    here = Path(__file__).parent
    files = sorted([*(ROOT / "queue").rglob("*.*"), *(here / "peers").glob("*.*"), *(here / "requirements").glob("*")])
    texts = (file.read_bytes() for file in files if file.suffix in {".py", ".lua", ".cjs", ".txt", ".json"})
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:16]


def _read_arguments() -> argparse.Namespace:
    everything = [*list_parts(1), "recovery"]
    parser = argparse.ArgumentParser(prog="make bench-queue", description="measure the queue beside its peers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", type=lambda names: names.split(","), default=everything, help=",".join(everything))
    parser.add_argument("--fresh", action="store_true", help="forget what was measured")
    parser.add_argument("--scale", type=float, default=1.0, help="0.01: see that it runs; no figures")
    parser.add_argument("--patience", type=float, default=120, help="seconds that a killed worker's jobs may take")
    parser.add_argument("--results", type=Path, default=FOLDER / "results.json")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where queue.json, queue.svg and queue.md go")
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - set(everything):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return arguments


async def main() -> None:
    """Measure what is missing, then report."""
    arguments = _read_arguments()
    os.sched_setaffinity(0, {PYTHON_CORE})
    kept = Kept(arguments.results, arguments.fresh)
    if "recovery" in arguments.only:
        await run_recoveries(kept, arguments.only, arguments.patience)
    await run_rounds(kept, arguments.rounds, arguments.only, arguments.scale)
    write_report(kept.results, arguments.docs)


if __name__ == "__main__":
    asyncio.run(main())
