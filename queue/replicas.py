"""What the queue's Redis servers tell of their clients and their replicas."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from grimbots.queue.connections import RedisAway
from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.reads import Reads

REPLICA = re.compile(r"^slave\d+:.*?state=(?P<state>\w+),offset=(?P<offset>\d+)", re.MULTILINE)
FIELD = r"^{}:(\S+)"


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
    info = raw.decode()
    offset = int(_read(info, "master_repl_offset"))
    replicas = [int(found["offset"]) for found in REPLICA.finditer(info) if found["state"] == "online"]
    server = Server(
        role=_read(info, "role"),
        connected_clients=int(_read(info, "connected_clients")),
        used_memory_human=_read(info, "used_memory_human"),
        replicas=len(replicas),
        lag_bytes=max(0, offset - min(replicas)) if replicas else None,
    )
    return _read(info, "run_id"), server


def _read(info: str, name: str) -> str:
    found = re.search(FIELD.format(name), info, re.MULTILINE)
    return found[1] if found else "0"
