"""How fast the queue's loop is: `python -m grimbots.tests.bench.bench_queue_loop [jobs] [rounds]`.

Prints the median and every round. The bare client sends the same moves in full batches with nothing between: the
ceiling that the scripts set. Redis writes its append-only file before each answer, as in production. Where others
use the machine, look at CPU, not at rates.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from grimbots.queue.dispatcher import Queue
from grimbots.queue.job import Ack, Claim, ClaimReply, Drain, Enqueue, Register
from grimbots.queue.store import BATCH_MOVES, Store
from grimbots.tests.queue.desks import connect, make_job, make_task, open_queue, run_worker, wait_until
from grimbots.tests.queue.servers import RedisServer, run_server

SOURCES, CHATS, SLOTS, IDLE_SAMPLES = 5, 200, 50, 200
PADDING = "x" * 450  # with it a payload has about 500 bytes


class Finish:
    """Counts what ran."""

    def __init__(self, jobs: int) -> None:
        self.left = jobs
        self.done = asyncio.Event()


async def _count_down(finish: Finish, *, n: int, padding: str) -> None:
    finish.left -= 1
    if finish.left == 0:
        finish.done.set()


NOOP = make_task(_count_down)


def _make_jobs(jobs: int) -> list[Any]:
    return [
        make_job(NOOP, f"{n}", chat=f"{n % CHATS}", source=f"b{n % SOURCES}", n=n, padding=PADDING) for n in range(jobs)
    ]


async def _fill(server: RedisServer, jobs: int) -> float:
    """Enqueue in full batches; return jobs a second."""
    await server.ask("FLUSHALL")
    store = Store(server.url)
    await connect(store)
    moves, began = [Enqueue(job, 100_000) for job in _make_jobs(jobs)], perf_counter()
    for at in range(0, jobs, BATCH_MOVES):
        await store.run([], moves[at : at + BATCH_MOVES])
    rate = jobs / (perf_counter() - began)
    await store.close()
    return rate


@dataclass(frozen=True)
class Cost:
    """What a run took: jobs a second; CPU of this process and of Redis, reads and commands, each a job."""

    rate: float
    own_us: float
    redis_us: float
    reads: float
    commands: float


@asynccontextmanager
async def _measure(server: RedisServer, jobs: int, costs: list[Cost]) -> AsyncIterator[None]:
    """Add the cost of what happens inside to `costs`."""
    before, own, began = await _read_counters(server), process_time(), perf_counter()
    yield
    spent, own = perf_counter() - began, process_time() - own
    cpu, reads, commands = (now - then for now, then in zip(await _read_counters(server), before, strict=True))
    costs.append(Cost(jobs / spent, own / jobs * 1e6, cpu / jobs * 1e6, reads / jobs, commands / jobs))


async def _read_counters(server: RedisServer) -> tuple[float, float, float]:
    info: Any = await server.ask("INFO", "everything")
    cpu = info["used_cpu_user"] + info["used_cpu_sys"]
    return cpu, info["total_reads_processed"], info["total_commands_processed"]


async def _run_worker(server: RedisServer, jobs: int, costs: list[Cost]) -> None:
    finish = Finish(jobs)
    async with (
        open_queue(server.url, slots={"tasks": SLOTS}) as queue,
        _measure(server, jobs, costs),
        run_worker(queue, NOOP, context=finish),
    ):
        await finish.done.wait()


async def _run_bare_client(server: RedisServer, jobs: int, costs: list[Cost]) -> None:
    """Acknowledge the last claim and claim again, over one connection, with nothing between."""
    consumer, left, number, acks = "bare:0:1", jobs, 0, list[Drain]()
    store = Store(server.url)
    await connect(store)
    await store.run([Register(consumer)])
    async with _measure(server, jobs, costs):
        while left:
            number += 1
            reply = (await store.run([*acks, Claim(consumer, number, {"tasks": SLOTS})])).drain[-1]
            assert isinstance(reply, ClaimReply)
            acks = [Ack(consumer, claimed.job.id, claimed.fence) for claimed in reply.claimed]
            left -= len(acks)
        await store.run(acks)
    await store.close()


async def _time_idle(queue: Queue) -> tuple[float, float]:
    """Return the median and the 99th percentile from enqueue to start in ms, one job at a time on an idle worker."""
    started: asyncio.Queue[float] = asyncio.Queue()

    async def note(context: None) -> None:
        started.put_nowait(perf_counter())

    task, waits = make_task(note, "bench.idle"), []
    async with run_worker(queue, task) as worker:
        await wait_until(worker.is_working)
        for n in range(IDLE_SAMPLES):
            await asyncio.sleep(0.01)
            began = perf_counter()
            await queue.enqueue(make_job(task, f"idle{n}", chat="9"))
            waits.append((await started.get() - began) * 1000)
    cuts = statistics.quantiles(waits, n=100)
    return cuts[49], cuts[98]


def _tell(name: str, figures: Sequence[float]) -> None:
    each = " ".join(f"{figure:.2f}" for figure in figures)
    print(f"{name:38} {statistics.median(figures):10.2f}   ({each})")


async def measure(jobs: int = 5000, rounds: int = 3) -> None:
    """Measure in turns, so that a busy machine slows all alike."""
    gc.freeze()  # as server.py does
    filled, idle, worker, bare = list[float](), list[tuple[float, float]](), list[Cost](), list[Cost]()
    with tempfile.TemporaryDirectory() as folder:
        async with run_server(Path(folder)) as server:
            for _ in range(rounds):
                filled.append(await _fill(server, jobs))
                await _run_worker(server, jobs, worker)
                await _fill(server, jobs)
                await _run_bare_client(server, jobs, bare)
                async with open_queue(server.url) as queue:
                    idle.append(await _time_idle(queue))
    _tell("enqueue, batches of 64, jobs/s", filled)
    _tell("worker, ordered no-op, jobs/s", [cost.rate for cost in worker])
    _tell("bare client, same moves, jobs/s", [cost.rate for cost in bare])
    _tell("worker / bare client", [mine.rate / theirs.rate for mine, theirs in zip(worker, bare, strict=True)])
    _tell("worker's own CPU, us a job", [cost.own_us for cost in worker])
    _tell("bare client's own CPU, us a job", [cost.own_us for cost in bare])
    _tell("Redis CPU under the worker, us a job", [cost.redis_us for cost in worker])
    _tell("socket reads a job", [cost.reads for cost in worker])
    _tell("Redis commands a job", [cost.commands for cost in worker])
    _tell("idle, enqueue to start, p50 ms", [median for median, _ in idle])
    _tell("idle, enqueue to start, p99 ms", [worst for _, worst in idle])


if __name__ == "__main__":
    asyncio.run(measure(*map(int, sys.argv[1:])))
