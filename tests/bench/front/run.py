"""`make bench-front`: the front door beside its peers (`--help` says what may be chosen; docs/bench/front.md).

Servers take turns, round by round and in an order that moves on, so that a busy machine slows all alike. What was
measured stays in `var/bench-front/results.json`: stopped at any point, the same command goes on. It ends with the
report.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from grimbots.tests.bench.environments import ROOT, NotRun
from grimbots.tests.bench.front.measures import (
    CONNECTIONS,
    HELD,
    STEADY_SHARE,
    measure_kill,
    measure_memory,
    measure_soak,
    measure_speed,
    measure_steady,
)
from grimbots.tests.bench.front.ratios import name_part
from grimbots.tests.bench.front.report import write_report
from grimbots.tests.bench.front.stands import ENVIRONMENTS, Stand, open_stand
from grimbots.tests.bench.front.systems import AIOGRAM, OURS, SYSTEMS, System
from grimbots.tests.bench.results import Kept, Measure, take_fingerprint

DOCS = ROOT / "docs" / "bench"
KINDS = ("speed", "steady", "kill", "memory", "soak")
ROOMS = ("conf", "handlers", "queue", "services", "sql")


class Bench:
    """What is to be measured, and what is kept."""

    def __init__(self, kept: Kept, stand: Stand, arguments: argparse.Namespace) -> None:
        self.kept, self.stand = kept, stand
        self.scale: float = arguments.scale
        self.systems = [SYSTEMS[name] for name in SYSTEMS if name in arguments.only]

    async def measure_round(self, number: int, kinds: Sequence[str]) -> None:
        """Measure what is missing of a round: every server with few connections, then with many, then at 70 %."""
        first = number % len(self.systems)
        for connections in CONNECTIONS if "speed" in kinds else ():
            for system in [*self.systems[first:], *self.systems[:first]]:
                measure = partial(measure_speed, self.stand, system, connections, self.scale)
                await self._measure(name_part(f"speed_{connections}", system), number, measure)
        if "steady" in kinds and (per_second := self._find_rate(number)):
            for system in (OURS, AIOGRAM)[:: 1 if number % 2 else -1]:
                measure = partial(measure_steady, self.stand, system, per_second, self.scale)
                await self._measure(name_part("steady", system), number, measure)

    async def measure_once(self, kinds: Sequence[str], kills: int, held: int, soak_seconds: float) -> None:
        """Measure what is no matter of rounds."""
        for system in self.systems:
            for number in range(1, kills + 1) if "kill" in kinds and system.name != "bare" else ():
                await self._measure(name_part("kill", system), number, partial(measure_kill, self.stand, system))
            if "memory" in kinds:
                await self._measure(name_part("memory", system), 1, partial(measure_memory, self.stand, system, held))
        if "soak" in kinds and (accepts := self._find_accepts(OURS, 1)):
            await self._measure("soak", 1, partial(measure_soak, self.stand, accepts / 2, soak_seconds))

    async def _measure(self, part: str, number: int, measure: Measure) -> None:
        if not self.kept.has(part, number):
            await self.kept.measure(part, number, measure)

    def _find_rate(self, number: int) -> float:
        """Give 70 % of what the slower of both did in this round; 0 where one was not measured."""
        accepts = [self._find_accepts(system, number) for system in (OURS, AIOGRAM)]
        return min(accepts) * STEADY_SHARE

    def _find_accepts(self, system: System, number: int) -> float:
        entry = self.kept.find(name_part(f"speed_{CONNECTIONS[0]}", system), number) or {}
        return float(entry.get("figures", {}).get("accepts_per_second", 0.0))


def _read_arguments() -> argparse.Namespace:
    def names(text: str) -> list[str]:
        return text.split(",")

    parser = argparse.ArgumentParser(prog="make bench-front", description="measure the front door beside its peers")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", type=names, default=list(SYSTEMS), help=",".join(SYSTEMS))
    parser.add_argument("--kinds", type=names, default=list(KINDS), help=",".join(KINDS))
    parser.add_argument("--kills", type=int, default=5, help="of each server")
    parser.add_argument("--held", type=int, default=HELD, help="kept-alive connections")
    parser.add_argument("--soak", type=float, default=1800, help="seconds at half load")
    parser.add_argument("--fresh", action="store_true", help="forget what was measured")
    parser.add_argument("--scale", type=float, default=1.0, help="0.1: see that it runs; no figures")
    parser.add_argument("--results", type=Path, default=ENVIRONMENTS.folder / "results.json")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where front.json, front.svg and front.md go")
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - set(SYSTEMS) | set(arguments.kinds) - set(KINDS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    return arguments


async def main() -> None:
    """Measure what is missing, then report."""
    arguments = _read_arguments()
    code = [path for room in ROOMS for path in (ROOT / room).rglob("*.*")]
    kept = Kept(
        arguments.results,
        take_fingerprint([*code, ROOT / "server.py", *ENVIRONMENTS.list_files()]),
        fresh=arguments.fresh,
    )
    for name in arguments.only:
        with suppress(NotRun):  # told where it is missed
            ENVIRONMENTS.prepare(SYSTEMS[name])
    async with open_stand() as stand:
        bench = Bench(kept, stand, arguments)
        for number in range(1, arguments.rounds + 1):
            await bench.measure_round(number, arguments.kinds)
        await bench.measure_once(arguments.kinds, arguments.kills, arguments.held, arguments.soak)
    write_report(kept.results, arguments.docs)


if __name__ == "__main__":
    asyncio.run(main())
