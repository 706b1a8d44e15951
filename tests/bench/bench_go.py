"""How quickly /go answers, whatever is away: `python -m grimbots.tests.bench.bench_go [visits] [per_second]`.

A real server with its own stores; visitors come at a steady rate and their wait counts from the instant they were due.
Where others use the machine, the longest waits are theirs.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from grimbots.tests.e2e.installation import Installation, open_installation, until
from grimbots.tests.e2e.visitors import Ad


async def _go_through_troubles(installation: Installation) -> AsyncIterator[str]:
    """Give the name of each state the stores are in, one after the other."""
    postgres = installation.children["postgres"].process.pid
    yield "all there"
    os.killpg(postgres, signal.SIGSTOP)
    yield "Postgres hangs"
    os.killpg(postgres, signal.SIGCONT)
    await installation.kill("redis")
    yield "Redis killed"
    await installation.kill("postgres")
    yield "both killed"
    await installation.start("redis")
    yield "Postgres killed"
    await installation.start("postgres")


async def measure(visits: int = 1000, per_second: float = 200.0) -> None:
    """Print a line per state, then how long the clicks took to reach Postgres."""
    print(f"{visits} visits at {per_second:g} a second   p50 ms   p99 ms   longest ms")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        async with open_installation(Path(folder)) as installation:
            ad = Ad(installation)
            await ad.make()
            async for state in _go_through_troubles(installation):
                waits = await ad.attract(visits, per_second)
                print(f"{state:32} {waits.p50_ms:8.1f} {waits.p99_ms:8.1f} {waits.longest_ms:12.1f}")
            print(f"{ad.visits} clicks stored {await _time(ad.is_all_stored):.1f} s after Postgres was back")


async def _time(is_done: Callable[[], Awaitable[bool]]) -> float:
    began = asyncio.get_running_loop().time()
    await until(is_done, 120, "the clicks are stored")
    return asyncio.get_running_loop().time() - began


if __name__ == "__main__":
    asyncio.run(measure(*map(int, sys.argv[1:])))
