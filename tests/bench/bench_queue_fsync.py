"""What an append-only file costs: `python -m grimbots.tests.bench.bench_queue_fsync [jobs] [rounds]`.

The same moves on servers with `appendfsync always`, `everysec` and no file, in turns, so that a busy machine slows all
alike: what counts are the ratios.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter

from grimbots.queue.connections import RedisAway
from grimbots.queue.job import Ack, Claim, ClaimReply, Drain, Enqueue, Register
from grimbots.queue.store import BATCH_MOVES, Replies, Store
from grimbots.tests.queue.desks import connect, make_job, make_task
from grimbots.tests.queue.servers import RedisServer, run_server

POLICIES = {
    "always": ("--appendfsync", "always"),
    "everysec": ("--appendfsync", "everysec"),
    "no file": ("--appendonly", "no"),
}
SOURCES, CHATS, BATCH_CLAIMS = 5, 200, 16
PADDING = "x" * 450  # with it a payload has about 500 bytes


async def _nothing(context: None, *, n: int, padding: str) -> None: ...


NOOP = make_task(_nothing)


async def _run(server: RedisServer, jobs: int) -> tuple[float, float]:
    """Enqueue, then claim and acknowledge; return both rates, jobs a second."""
    await server.ask("FLUSHALL")
    store = Store(server.url)
    await connect(store)
    await store.run([Register("bench:0:1")])
    began = perf_counter()
    for at in range(0, jobs, BATCH_MOVES):
        await _carry(store, [], [_make(n) for n in range(at, min(jobs, at + BATCH_MOVES))])
    filled, number, left, acks = perf_counter(), 0, jobs, list[Drain]()
    while left:
        number += 1
        reply = (await _carry(store, [*acks, Claim("bench:0:1", number, {"tasks": BATCH_CLAIMS})])).drain[-1]
        assert isinstance(reply, ClaimReply)
        acks = [Ack("bench:0:1", claimed.job.id, claimed.fence) for claimed in reply.claimed]
        left -= len(acks)
    await _carry(store, acks)
    ended = perf_counter()
    await store.close()
    return jobs / (filled - began), jobs / (ended - filled)


async def _carry(store: Store, drain: Sequence[Drain], intake: Sequence[Enqueue] = ()) -> Replies:
    """Run moves; again where the disk stood still for longer than a call may take. The time counts."""
    while True:
        try:
            return await store.run(drain, intake)
        except RedisAway:
            await connect(store)


def _make(n: int) -> Enqueue:
    job = make_job(NOOP, f"{n}", chat=f"{n % CHATS}", source=f"b{n % SOURCES}", n=n, padding=PADDING)
    return Enqueue(job, 100_000)


async def measure(jobs: int = 5000, rounds: int = 5) -> None:
    """Measure the policies in turns, and print each one's medians and its part of the rate without a file."""
    rates: dict[str, list[tuple[float, float]]] = {policy: [] for policy in POLICIES}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers: dict[str, RedisServer] = {}
        for n, (policy, options) in enumerate(POLICIES.items()):
            (folder / f"{n}").mkdir()
            servers[policy] = await stack.enter_async_context(run_server(folder / f"{n}", *options))
        for _ in range(rounds):
            for policy, server in servers.items():
                rates[policy].append(await _run(server, jobs))
    for at, what in enumerate(("enqueue, batches of 64", f"claim+ack, batches of {BATCH_CLAIMS}")):
        medians = {policy: statistics.median(one[at] for one in found) for policy, found in rates.items()}
        for policy, median in medians.items():
            each = " ".join(f"{one[at]:.0f}" for one in rates[policy])
            print(f"{what:30} {policy:10} {median:8.0f}/s  {median / medians['no file']:.2f} of no file   ({each})")
        print(f"{what:30} always / everysec {medians['always'] / medians['everysec']:.2f}")


if __name__ == "__main__":
    asyncio.run(measure(*map(int, sys.argv[1:])))
