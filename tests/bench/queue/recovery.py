"""What a worker's `kill -9` costs: how long until its jobs have run, how many never do, how many run twice."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from grimbots.tests.bench.environments import NotRun
from grimbots.tests.bench.queue.environments import ENVIRONMENTS
from grimbots.tests.bench.queue.processes import Stand, open_stand
from grimbots.tests.bench.queue.systems import System

Figures = dict[str, float]

JOBS, JOB_MS = 200, 100
OTHER_SLOT = 1
TRAFFIC_GAP_SECONDS = 0.04  # mean of the contract's


async def measure_recovery(system: System, patience_seconds: float, slot: int = OTHER_SLOT) -> Figures:
    """Kill a worker in the middle of 200 jobs of 100 ms and start another; light traffic goes on all the while."""
    ENVIRONMENTS.prepare(system)
    async with open_stand() as stand:
        await stand.ask(system, "burst", 0, JOBS, JOB_MS)
        async with stand.work(system, 0):
            await stand.wait_effects(JOBS // 4)
        killed_at = time.monotonic_ns()
        async with stand.work(system, slot):
            traffic = asyncio.create_task(_send_traffic(stand, system, patience_seconds))
            with suppress(NotRun):
                await stand.wait_runs(range(JOBS), patience_seconds)
            traffic.cancel()
            await asyncio.gather(traffic, return_exceptions=True)
        return _read_figures(stand, killed_at)


async def _send_traffic(stand: Stand, system: System, seconds: float) -> None:
    await stand.ask(system, "trickle", 10_000_000, int(seconds / TRAFFIC_GAP_SECONDS))


def _read_own(stand: Stand) -> dict[int, list[int]]:
    runs: dict[int, list[int]] = {}
    for n, at in stand.read_effects():
        if n < JOBS:
            runs.setdefault(n, []).append(at)
    return runs


def _read_figures(stand: Stand, killed_at: int) -> Figures:
    runs = _read_own(stand)
    missing = JOBS - len(runs)
    figures: Figures = {"not_run": missing, "repeated": sum(len(instants) > 1 for instants in runs.values())}
    if not missing:
        figures["recovery_seconds"] = (max(min(instants) for instants in runs.values()) - killed_at) / 1e9
    return figures
