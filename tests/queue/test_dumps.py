"""A saved queue is the same queue in other servers: one, or a Cluster's masters with their shards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from grimbots.handlers.commands.embedded.children import stop
from grimbots.handlers.commands.embedded.redis import start_redis
from grimbots.queue import dumps
from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.job import Job
from grimbots.tests.deploy.programs import make_path
from grimbots.tests.ports import pick_port
from grimbots.tests.queue.deployments import Cluster, needs_sentinel

JOBS, SHARDS = 1500, 3  # several pages each


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", make_path())


@asynccontextmanager
async def open_queue(url: str) -> AsyncIterator[Queue]:
    queue = Queue(url, consumer_host="test", slot=0, queue_slots={})
    await queue.start()
    yield queue
    await queue.stop()


async def fill(url: str) -> None:
    """Put jobs of several accounts in, some in chats, some for later, one dead."""
    async with open_queue(url) as queue:
        for number in range(JOBS):
            chat = str(number % 7) if number % 2 else ""
            job = Job(str(number), "t", "tasks", f"b{number % 5}", str(number % 11), chat, {"n": "é" * 9})
            await queue.enqueue(job, hold_ms=60_000 if number % 3 else 0)
        await queue.bury(Job("dead", "t", "tasks", "b1", "1"), "junk")


async def read_all(urls: list[str]) -> dict[Any, tuple[Any, bool]]:
    """Read every key: its value, and whether its time is limited."""
    found: dict[Any, tuple[Any, bool]] = {}
    for url in urls:
        async with Redis.from_url(url) as client:
            for key in await client.keys("{q*"):
                found[key] = (await client.dump(key), await client.ttl(key) > 0)
    return found


async def bring_over(url: str, folder: Path) -> int:
    """Copy what was saved, file by file, as a restore does."""
    count = 0
    for file in sorted(folder.glob("redis-*.rdb")):
        private = file.with_suffix("")
        private.mkdir()
        file.rename(private / "dump.rdb")
        source, child = await start_redis(private, private / "redis.log", durable=False)
        count += await dumps.copy(source, url)
        await stop(child)
    return count


@pytest.mark.gen_test
async def test_queue_of_one_server_comes_back_whole(flushed_redis_url: str, tmp_path: Path) -> None:
    url = f"{flushed_redis_url}&shards={SHARDS}"
    await fill(url)
    before = await read_all([flushed_redis_url])
    assert [file.name for file in await dumps.dump(url, tmp_path)] == ["redis-0.rdb"]
    async with Redis.from_url(flushed_redis_url) as client:
        await client.flushall()
    assert await bring_over(url, tmp_path) == len(before) > JOBS
    assert await read_all([flushed_redis_url]) == before
    assert await dumps.count_keys(url) == len(before)


@needs_sentinel
@pytest.mark.gen_test
async def test_queue_of_a_cluster_comes_back_whole(cluster: Cluster, tmp_path: Path) -> None:
    await cluster.flush()
    url, masters = cluster.make_url(SHARDS), cluster.nodes[:3]
    for node in masters:
        await node.ask("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    await fill(url)
    urls = [f"redis://127.0.0.1:{node.port}" for node in masters]
    before = await read_all(urls)
    await dumps.dump(url, tmp_path)
    await cluster.flush()
    assert await bring_over(url, tmp_path) == len(before)
    assert await read_all(urls) == before


@pytest.mark.gen_test
async def test_redis_away_is_said(tmp_path: Path) -> None:
    with pytest.raises(QueueUnavailable):
        await dumps.count_keys(f"unix://{tmp_path}/nothing.sock")


@pytest.mark.gen_test
async def test_sentinels_away_are_said() -> None:
    with pytest.raises(QueueUnavailable, match="no sentinel"):
        await dumps.count_keys(f"redis+sentinel://127.0.0.1:{pick_port()}/mymaster")


@pytest.mark.gen_test
async def test_key_whose_time_ended_meanwhile_is_left_out(flushed_redis_url: str) -> None:
    async with Redis.from_url(flushed_redis_url) as client:
        await dumps._copy_keys(client, client, [b"{q0}:gone"])
        assert await client.dbsize() == 0


@pytest.mark.parametrize(
    ("url", "arguments", "secret"),
    [
        ("unix:///run/a%20b.sock?db=0", "-s /run/a b.sock", {}),
        ("redis://localhost", "-h localhost -p 6379", {}),
        ("rediss://ana:p%40ss@db:7000/0", "-h db -p 7000 --tls --user ana", {"REDISCLI_AUTH": "p@ss"}),
        ("redis://:secret@db:7000/0", "-h db -p 7000", {"REDISCLI_AUTH": "secret"}),
    ],
)
def test_password_is_not_in_the_command_line(url: str, arguments: str, secret: dict[str, str]) -> None:
    told, environ = dumps._describe(url)
    assert (" ".join(told), environ) == (arguments, secret)
