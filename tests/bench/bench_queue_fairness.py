"""What a noisy neighbour costs others: the time from enqueue to start of single jobs beside a great backlog.

    python tests/bench/bench_queue_fairness.py [pending] [samples]

One worker with 50 slots and jobs of 5 ms. First the backlog is of one source; then of 10,000 sources of one account,
which may hold three quarters of the slots. `first`: the single job that comes while the worker meets the backlog.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from grimbots.queue.dispatcher import Queue
from grimbots.queue.job import Enqueue, Job
from grimbots.queue.operators import Operator
from grimbots.queue.store import BATCH_MOVES, Store
from grimbots.queue.task import Task
from grimbots.tests.queue.desks import connect, make_task, run_worker
from grimbots.tests.queue.servers import RedisServer, run_server

SLOTS, RUN_SECONDS, PAUSE_SECONDS, NOISY_SOURCES = 50, 0.005, 0.02, 10_000


async def _sleep(context: None) -> None:
    await asyncio.sleep(RUN_SECONDS)


NOISY = make_task(_sleep, "bench.noisy")


async def _fill(server: RedisServer, jobs: Sequence[Job]) -> None:
    store = Store(server.url)
    await connect(store)
    for at in range(0, len(jobs), BATCH_MOVES):
        await store.run([], [Enqueue(job, 100_000) for job in jobs[at : at + BATCH_MOVES]])
    await store.close()


async def _time_singles(server: RedisServer, samples: int, account: str, share: float) -> list[float]:
    """Return the time from enqueue to start, in ms, of single jobs of another source, one after the other."""
    started: asyncio.Queue[float] = asyncio.Queue()

    async def note(context: None) -> None:
        started.put_nowait(perf_counter())

    single: Task[...] = make_task(note, "bench.single")
    queue = Queue(server.url, consumer_host="bench", slot=0, queue_slots={"tasks": SLOTS}, account_share=share)
    await queue.start()
    waits = []
    async with run_worker(queue, NOISY, single):
        for n in range(samples):
            began = perf_counter()
            await queue.enqueue(single.job(id=f"single{n}", source="quiet", account=account, group="1"))
            waits.append((await started.get() - began) * 1000)
            await asyncio.sleep(PAUSE_SECONDS)
        depth = (await queue.reads.count_jobs())["tasks"]
        print(f"    {depth.enqueued - depth.settled} jobs were left at the end")
        await Operator(queue).pause("queue", "tasks")  # nobody waits for the rest
    await queue.stop()
    await server.ask("FLUSHALL")
    return waits


def _tell(name: str, waits: Sequence[float]) -> None:
    cuts = statistics.quantiles(waits, n=100)
    print(
        f"{name:58} first {waits[0]:7.1f}  p50 {cuts[49]:6.1f}  p99 {cuts[98]:6.1f}  max {max(waits):6.1f} ms",
        flush=True,
    )


async def main(pending: int = 100_000, samples: int = 300) -> None:
    """Measure both."""
    with tempfile.TemporaryDirectory() as folder:
        async with run_server(Path(folder), "--appendfsync", "everysec") as server:
            await _fill(server, [NOISY.job(id=f"{n}", source="noisy", account="1") for n in range(pending)])
            _tell(f"{pending} pending of one source", await _time_singles(server, samples, "1", 1.0))
            jobs = [NOISY.job(id=f"{n}", source=f"b{n % NOISY_SOURCES}", account="1") for n in range(pending)]
            await _fill(server, jobs)
            waits = await _time_singles(server, samples, "2", 0.75)
            _tell(f"{pending} pending of {NOISY_SOURCES} sources of one account", waits)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
