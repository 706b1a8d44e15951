"""Idle pickup: ours, ours enqueued where it runs, and a bare hand-off, in turns on one Redis."""

from __future__ import annotations

from collections.abc import Sequence

from grimbots.tests.bench.queue.environments import ENVIRONMENTS
from grimbots.tests.bench.queue.measures import Figures, find_percentile, time_pickups
from grimbots.tests.bench.queue.processes import open_stand
from grimbots.tests.bench.queue.systems import HANDOFF, OURS, SAME

BLOCKS, PICKUPS = 5, 200  # of each: a block is too short for the machine to change in it


async def measure_pickups(scale: float = 1.0) -> Figures:
    """Take turns in short blocks; what is compared shares the machine, Redis and the minute."""
    ENVIRONMENTS.prepare(OURS)
    waits: dict[str, list[float]] = {system.name: [] for system in (OURS, HANDOFF, SAME)}
    async with open_stand() as stand:
        for _ in range(max(1, int(BLOCKS * scale))):
            for system in (OURS, HANDOFF, SAME):
                waits[system.name] += await time_pickups(stand, system, max(20, int(PICKUPS * scale)))
    return {f"{name}_{figure}": value for name, times in waits.items() for figure, value in summarize(times).items()}


def summarize(waits: Sequence[float]) -> Figures:
    """Return the percentiles that a row of the tables shows."""
    percents = {"p50": 50, "p99": 99, "p999": 99.9}
    return {f"pickup_{name}_ms": find_percentile(waits, percent) for name, percent in percents.items()}
