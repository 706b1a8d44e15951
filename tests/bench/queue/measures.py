"""What is measured of one system in one round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from grimbots.tests.bench.queue.counters import read_counters
from grimbots.tests.bench.queue.environments import ENVIRONMENTS
from grimbots.tests.bench.queue.processes import Stand, open_stand
from grimbots.tests.bench.queue.systems import System

Figures = dict[str, float]

SLOW_MS = 5
PICKUPS = 150
PICKUP_WARM_UPS = 10  # not counted: connections are opened, code is run for the first time
PICKUP_FIRST = 10_000_000  # their numbers are no other job's


async def measure_system(system: System, scale: float = 1.0) -> Figures:
    """Enqueue, work off, work off jobs of 5 ms, then pick up single jobs; a Redis of its own, as the others have."""
    ENVIRONMENTS.prepare(system)
    jobs, slow_jobs, pickups = (max(50, int(n * scale)) for n in (system.jobs, system.slow_jobs, PICKUPS))
    figures: Figures = {}
    async with open_stand() as stand:
        if "load" in system.measures:
            figures |= await _measure_load(stand, system, jobs)
        if "slow" in system.measures:
            figures["slow_jobs_per_second"] = await _measure_rate(stand, system, slow_jobs, SLOW_MS)
        if "pickup" in system.measures:
            waits = await time_pickups(stand, system, pickups)
            figures |= {"pickup_p50_ms": find_percentile(waits, 50), "pickup_p99_ms": find_percentile(waits, 99)}
        if "always" in system.measures:
            await stand.server.ask("CONFIG", "SET", "appendfsync", "always")
            figures["always_jobs_per_second"] = await _measure_rate(stand, system, max(50, jobs // 2), 0)
    return figures


async def _measure_load(stand: Stand, system: System, jobs: int) -> Figures:
    await stand.clear()
    empty = await read_counters(stand.server)
    seconds = float(await stand.ask(system, "burst", 0, jobs, 0))
    full = await read_counters(stand.server)
    async with stand.work(system):
        await stand.wait_effects(jobs)
        done = await read_counters(stand.server)
    enqueued, worked = full.per_job(empty, jobs), done.per_job(full, jobs)
    return {
        "enqueues_per_second": jobs / seconds,
        "bytes_per_pending_job": (full.data_bytes - empty.data_bytes) / jobs,
        "jobs_per_second": read_rate(stand.read_effects()),
        "redis_us_per_enqueue": enqueued["redis_us"],
        "redis_us_per_run": worked["redis_us"],
        "round_trips_per_enqueue": enqueued["round_trips"],
        "round_trips_per_run": worked["round_trips"],
        "writes_per_job": enqueued["writes"] + worked["writes"],
    }


async def _measure_rate(stand: Stand, system: System, jobs: int, ms: int) -> float:
    await stand.clear()
    await stand.ask(system, "burst", 0, jobs, ms)
    async with stand.work(system):
        await stand.wait_effects(jobs)
    return read_rate(stand.read_effects())


async def time_pickups(stand: Stand, system: System, pickups: int) -> list[float]:
    """Time single jobs of another process in ms, from before its call to the job's run, with the worker idle."""
    await stand.clear()
    await stand.ask(system, "burst", 0, 1, 0)
    async with stand.work(system):
        await stand.wait_effects(1)
        waits = await time_trickle(stand, system, PICKUP_WARM_UPS + pickups)
    return waits[PICKUP_WARM_UPS:]


async def time_trickle(stand: Stand, system: System, jobs: int) -> list[float]:
    """Send single jobs beside whatever else runs; return the wait of each in ms, from before its call to its run."""
    printed = await stand.ask(system, "trickle", PICKUP_FIRST, jobs)
    sent = {int(n): int(at) for n, at in (line.split() for line in printed.splitlines())}
    ran = await stand.wait_runs(sent)
    return [(ran[n] - sent[n]) / 1e6 for n in sent]


def read_rate(effects: Sequence[tuple[int, int]]) -> float:
    """Return jobs a second from the first run to the last; a worker's start does not count."""
    instants = [at for _, at in effects]
    return (len(instants) - 1) / (max(instants) - min(instants)) * 1e9


def find_percentile(waits: Sequence[float], percent: float) -> float:
    """Return a percentile, to a tenth of one, of at least two waits."""
    return statistics.quantiles(waits, n=1000, method="inclusive")[round(percent * 10) - 1]
