"""What the queue's Redis servers tell of their clients and their replicas."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from grimbots.queue.connections import RedisAway
from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.reads import Reads

REPLICA = re.compile(r"^slave\d+:.*?state=(?P<state>\w+),offset=(?P<offset>\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Server:
    """One Redis. `lag_bytes`: how far its slowest replica is behind, None without any; `replicas` that are in step."""

    role: str
    connected_clients: int
    used_memory_human: str
    replicas: int
    lag_bytes: int | None


async def list_servers(queue: Queue) -> list[Server]:
    """Ask every server that holds a part of the queue, each once.

    Raises:
        QueueUnavailable: one of them does not answer.
    """
    try:
        told = await asyncio.gather(*map(_ask, queue.reads.shards))
    except RedisAway as error:
        raise QueueUnavailable(str(error)) from error
    return list(dict(told).values())


async def _ask(shard: Reads) -> tuple[str, Server]:
    (raw,) = await shard._ask([("INFO",)])
    told = raw.decode()
    info = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
    replicas = [int(found["offset"]) for found in REPLICA.finditer(told) if found["state"] == "online"]
    server = Server(
        role=info["role"],
        connected_clients=int(info["connected_clients"]),
        used_memory_human=info["used_memory_human"],
        replicas=len(replicas),
        lag_bytes=max(0, int(info["master_repl_offset"]) - min(replicas)) if replicas else None,
    )
    return info["run_id"], server
