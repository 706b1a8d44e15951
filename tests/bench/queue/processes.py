"""Redis on one core, a system's worker and its callers on another: started, watched and killed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from grimbots.tests.bench.environments import NotRun
from grimbots.tests.bench.queue.environments import ENVIRONMENTS
from grimbots.tests.bench.queue.systems import System
from grimbots.tests.queue.servers import RedisServer, run_server

CORES = sorted(os.sched_getaffinity(0))
PYTHON_CORE, REDIS_CORE = CORES[0], CORES[-1]
REDIS_OPTIONS = (
    *("--bind", "127.0.0.1", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0"),
    *("--server_cpulist", str(REDIS_CORE), "--bio_cpulist", str(REDIS_CORE)),
)
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.01


class Stand:
    """A Redis of its own and the file in which jobs note that they ran."""

    def __init__(self, folder: Path, server: RedisServer, port: int) -> None:
        self.server = server
        self.url = f"redis://127.0.0.1:{port}/0"
        self.effects = folder / "effects"
        self.effects.touch()

    async def ask(self, system: System, verb: str, *numbers: int) -> str:
        """Run a verb of the contract to its end; return what it printed. Raises NotRun."""
        process = await self._spawn(system, verb, *numbers)
        try:
            out, err = await process.communicate()
        finally:
            await _kill(process)
        if process.returncode:
            raise NotRun(f"{verb}: {(err.decode().strip() or 'it said nothing').splitlines()[-1][:200]}")
        return out.decode()

    @asynccontextmanager
    async def work(self, system: System, *slot: int) -> AsyncIterator[None]:
        """Run a worker; at the end it is killed as a crash would."""
        process = await self._spawn(system, "work", *slot)
        try:
            yield
        finally:
            await _kill(process)

    async def clear(self) -> None:
        """Empty Redis and forget what ran."""
        await self.server.ask("FLUSHALL")
        self.effects.write_bytes(b"")

    def read_effects(self) -> list[tuple[int, int]]:
        """Return (n, at in ns) of every run so far, in order."""
        lines = self.effects.read_bytes().splitlines()
        return [(int(n), int(at)) for n, at in (line.split() for line in lines)]

    async def wait_effects(self, jobs: int) -> None:
        """Wait until so many runs are noted. Raises NotRun."""
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while (ran := self.effects.read_bytes().count(b"\n")) < jobs:
            if time.monotonic() > ends_at:
                raise NotRun(f"{ran} of {jobs} jobs had run after {PATIENCE_SECONDS:.0f} s")
            await asyncio.sleep(LOOK_SECONDS)

    async def wait_runs(self, numbers: Collection[int], seconds: float = PATIENCE_SECONDS) -> dict[int, int]:
        """Wait until each of these jobs has run; return when, in ns. Raises NotRun."""
        ends_at = time.monotonic() + seconds
        while len(ran := {n: at for n, at in reversed(self.read_effects()) if n in numbers}) < len(numbers):
            if time.monotonic() > ends_at:
                raise NotRun(f"{len(ran)} of {len(numbers)} jobs had run after {seconds:.0f} s")
            await asyncio.sleep(LOOK_SECONDS * 5)
        return ran

    async def _spawn(self, system: System, verb: str, *numbers: int) -> asyncio.subprocess.Process:
        command, needed = ENVIRONMENTS.make_command(system, verb, self.url, *numbers)
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *("taskset", "--cpu-list", str(PYTHON_CORE), *command),
            env={"PATH": os.environ["PATH"], "EFFECTS": str(self.effects), **needed},
            stdout=asyncio.subprocess.DEVNULL if verb == "work" else pipe,
            stderr=asyncio.subprocess.DEVNULL if verb == "work" else pipe,
            start_new_session=True,
            cwd=self.effects.parent,
        )


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a process and those it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


@asynccontextmanager
async def open_stand(*options: str) -> AsyncIterator[Stand]:
    """Give a stand whose Redis has the same configuration for every system."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        async with run_server(Path(folder), "--port", str(port), *REDIS_OPTIONS, *options) as server:
            yield Stand(Path(folder), server, port)
