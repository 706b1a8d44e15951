"""Our queue when it is full: single calls at 1 k, 100 k and 1 M pending, and one source that crowds others."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Iterator
from time import perf_counter
from typing import Any

from grimbots.queue.job import Ack, Claim, ClaimReply, Enqueue, Job, Register
from grimbots.queue.store import BATCH_MOVES, Store
from grimbots.tests.bench.queue.contract import PADDING
from grimbots.tests.bench.queue.measures import Figures, find_percentile, time_trickle
from grimbots.tests.bench.queue.peers.ours import GROUP_CAP, TASK
from grimbots.tests.bench.queue.processes import open_stand
from grimbots.tests.bench.queue.systems import OURS
from grimbots.tests.queue.desks import connect, make_job

SIZES = (1_000, 100_000, 1_000_000)
SOURCES = (10, 10_000)
JOBS_OF_A_CHAT = 50
SAMPLES = 1000
CONSUMER = "growth:0:1"

CROWD, CROWD_CHATS, CROWD_MS = 100_000, 1000, 5
SINGLES = 200


async def measure_growth(scale: float = 1.0) -> Figures:
    """Return the median of an enqueue, a claim and an ack in µs for each size and number of sources."""
    figures: Figures = {}
    for sources in SOURCES:
        async with open_stand() as stand:
            store, filled = Store(stand.url), 0
            await connect(store)
            await store.run([Register(CONSUMER)])
            for size in SIZES:
                await _fill(store, (_make_job(n, sources) for n in range(filled, int(size * scale))))
                filled = int(size * scale)
                calls = await _time_calls(store, sources, filled)
                figures |= {f"{move}_us_at_{size}_of_{sources}": us for move, us in calls.items()}
            await store.close()
    return figures


def _make_job(n: int, sources: int, kind: str = "fill") -> Job:
    chat = n // sources // JOBS_OF_A_CHAT
    return make_job(TASK, f"{kind}{n}", chat=str(chat), source=f"b{n % sources}", n=n, ms=0, padding=PADDING)


async def _fill(store: Store, jobs: Iterator[Job]) -> None:
    moves: list[Enqueue] = []
    for job in jobs:
        moves.append(Enqueue(job, GROUP_CAP))
        if len(moves) == BATCH_MOVES:
            await store.run([], moves)
            moves = []
    await store.run([], moves)


async def _time_calls(store: Store, sources: int, size: int) -> dict[str, float]:
    """Enqueue one, claim one, acknowledge it, one call each, again and again: the size stays."""
    spent: dict[str, list[float]] = {"enqueue": [], "claim": [], "ack": []}
    for n in range(SAMPLES):
        extra = Enqueue(_make_job(size + n, sources, f"more{size}:"), GROUP_CAP)
        await _time(spent["enqueue"], store.run([], [extra]))
        number = size + n  # it grows with every call and every size
        claim = (await _time(spent["claim"], store.run([Claim(CONSUMER, number, {"tasks": 1})]))).drain[0]
        assert isinstance(claim, ClaimReply)
        assert claim.claimed, claim
        await _time(spent["ack"], store.run([Ack(CONSUMER, claim.claimed[0].job.id, claim.claimed[0].fence)]))
    return {move: statistics.median(times) for move, times in spent.items()}


async def _time(times: list[float], call: Awaitable[Any]) -> Any:
    began = perf_counter()
    answer = await call
    times.append((perf_counter() - began) * 1e6)
    return answer


async def measure_crowd(scale: float = 1.0) -> Figures:
    """Return how long single jobs of other sources wait while one source has 100,000 jobs of 5 ms pending."""
    jobs, singles = max(3000, int(CROWD * scale)), max(20, int(SINGLES * scale))
    async with open_stand() as stand:
        store = Store(stand.url)
        await connect(store)
        await _fill(store, (_make_crowd_job(n) for n in range(jobs)))
        await store.close()
        async with stand.work(OURS):
            await stand.wait_effects(1000)
            waits = await time_trickle(stand, OURS, singles)
            left = jobs + singles - len(stand.read_effects())
    return {
        "single_p50_ms": find_percentile(waits, 50),
        "single_p99_ms": find_percentile(waits, 99),
        "left_at_end": left,
    }


def _make_crowd_job(n: int) -> Job:
    return make_job(TASK, f"crowd{n}", chat=str(n % CROWD_CHATS), source="crowd", n=n, ms=CROWD_MS, padding=PADDING)
