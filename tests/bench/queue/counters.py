"""What Redis counts of its own work, and the difference that some jobs made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grimbots.tests.queue.servers import RedisServer


@dataclass(frozen=True, slots=True)
class Counters:
    """`reads`: of its sockets, one per round trip unless a pipeline is long. `writes`: commands, in scripts too."""

    cpu_us: float
    reads: int
    writes: int
    data_bytes: int

    def per_job(self, before: Counters, jobs: int) -> dict[str, float]:
        """Return the difference from `before`, a job."""
        return {
            "redis_us": (self.cpu_us - before.cpu_us) / jobs,
            "round_trips": (self.reads - before.reads) / jobs,
            "writes": (self.writes - before.writes) / jobs,
        }


async def read_counters(server: RedisServer) -> Counters:
    """Read them. Buffers of clients and of the append-only file are no data."""
    info: Any = await server.ask("INFO", "everything")
    commands: Any = await server.ask("COMMAND")
    writing = {f"cmdstat_{name}" for name, command in commands.items() if "write" in command["flags"]}
    return Counters(
        cpu_us=(info["used_cpu_user"] + info["used_cpu_sys"]) * 1e6,
        reads=info["total_reads_processed"],
        writes=sum(stat["calls"] for name, stat in info.items() if name in writing),
        data_bytes=info["used_memory"] - info["mem_aof_buffer"] - info["mem_clients_normal"],
    )
