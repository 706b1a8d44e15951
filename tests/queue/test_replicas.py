"""Replication lag as it is: a real replica of Redis, held up and let go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.job import Job
from grimbots.queue.replicas import Server, list_servers
from grimbots.tests.ports import pick_port
from grimbots.tests.queue.servers import run_server

WAIT_SECONDS = 30


async def wait_for(look: Callable[[], Awaitable[Any]], is_so: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(WAIT_SECONDS):
        while not is_so(seen := await look()):
            await asyncio.sleep(0.02)
    return seen


@pytest.mark.gen_test
async def test_a_replica_of_redis_that_is_held_up_is_seen_behind(tmp_path: Path) -> None:
    port = pick_port()
    for name in ("primary", "replica"):
        (tmp_path / name).mkdir()
    replica_of = ("--replicaof", "127.0.0.1", str(port))
    async with run_server(tmp_path / "primary", "--port", str(port), "--repl-diskless-sync-delay", "0") as primary:
        queue = Queue(primary.url, consumer_host="test", slot=0, queue_slots={"tasks": 1})
        await queue.start()

        async def look() -> Server:
            (server,) = await list_servers(queue)
            return server

        alone = await look()
        assert (alone.role, alone.replicas, alone.lag_bytes) == ("master", 0, None)
        async with run_server(tmp_path / "replica", *replica_of) as replica:
            await wait_for(look, lambda server: server.lag_bytes == 0)
            replica.freeze()
            await asyncio.gather(*(queue.enqueue(Job(f"u:1:{n}", "x", "tasks", "b1", "1", "5", {})) for n in range(99)))
            lag_bytes = (await look()).lag_bytes
            assert lag_bytes is not None
            assert lag_bytes > 10_000
            replica.thaw()
            await wait_for(look, lambda server: server.lag_bytes == 0)
        await primary.kill()
        with pytest.raises(QueueUnavailable):
            await list_servers(queue)
        await queue.stop()
