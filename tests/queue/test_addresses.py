"""Every form of REDIS_URL: what it is read as, and what is refused with a sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from grimbots.conf.settings import SettingsError
from grimbots.queue.addresses import parse_address
from grimbots.queue.connections import RedisAway
from grimbots.tests.ports import pick_port
from grimbots.tests.queue.deployments import HOST, Node, needs_sentinel

PREFIX = "{q0}:"


@pytest.mark.parametrize(
    ("url", "plain", "shards"),
    [
        ("redis://:secret@h:6379/0", "redis://:secret@h:6379/0", 1),
        ("rediss://h:6379?shards=4&ssl_cert_reqs=none", "rediss://h:6379?ssl_cert_reqs=none", 4),
        ("unix:///run/redis.sock?db=0", "unix:///run/redis.sock?db=0", 1),
        ("unix:///run/redis.sock?shards=2", "unix:///run/redis.sock", 2),
    ],
)
@pytest.mark.gen_test
async def test_a_server_stays_where_it_is(url: str, plain: str, shards: int) -> None:
    address = parse_address(url)
    assert (await address.find(PREFIX), address.shards) == (plain, shards)


@pytest.mark.parametrize(
    "url", ["redis+sentinel://127.0.0.1:1,127.0.0.1:2/m", "redis+cluster://127.0.0.1:1,127.0.0.1:2"]
)
@pytest.mark.gen_test
async def test_says_that_nobody_can_say(url: str) -> None:
    with pytest.raises(RedisAway, match=r"no sentinel|no node"):
        await parse_address(url).find(PREFIX)


@asynccontextmanager
async def _run(folder: Path, port: int, program: str, *options: str) -> AsyncIterator[str]:
    """Run a server that knows of no other; gives where it listens."""
    folder.mkdir()
    node = Node(folder, port, program, options)
    await node.start()
    try:
        yield f"{HOST}:{port}"
    finally:
        await node.kill()


@needs_sentinel
@pytest.mark.gen_test
async def test_asks_the_next_sentinel_where_one_does_not_know_the_master(tmp_path: Path) -> None:
    files = {"ignorant": "", "knowing": f"sentinel monitor shop {HOST} 7000 1"}
    for name, text in files.items():
        (tmp_path / f"{name}.conf").write_text(text)
    ports = pick_port(2)
    async with (
        _run(tmp_path / "1", ports, "redis-sentinel", f"{tmp_path}/ignorant.conf") as ignorant,
        _run(tmp_path / "2", ports + 1, "redis-sentinel", f"{tmp_path}/knowing.conf") as knowing,
    ):
        with pytest.raises(RedisAway, match="no sentinel names the master shop"):
            await parse_address(f"redis+sentinel://{ignorant}/shop").find(PREFIX)
        address = parse_address(f"redis+sentinel://:secret@{ignorant},{knowing}/shop")
        found = [await address.find(PREFIX) for _ in range(2)]  # each of them is asked first once
    assert found == [f"redis://:secret@{HOST}:7000"] * 2


@needs_sentinel
@pytest.mark.gen_test
async def test_asks_the_next_node_where_one_does_not_know_who_has_the_slot(tmp_path: Path) -> None:
    ports = pick_port(4)  # two to serve on, two for the buses
    async with (
        _run(tmp_path / "1", ports, "redis-server", *_in_a_cluster(ports + 2)) as ignorant,
        _run(tmp_path / "2", ports + 1, "redis-server", *_in_a_cluster(ports + 3)) as knowing,
    ):
        await _ask(ignorant, "CLUSTER", "ADDSLOTSRANGE", 0, 1)
        await _ask(knowing, "CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
        with pytest.raises(RedisAway, match="no node of the cluster says who has slot"):
            await parse_address(f"redis+cluster://{ignorant}").find(PREFIX)
        address = parse_address(f"redis+cluster://{ignorant},{knowing}")
        found = [await address.find(PREFIX) for _ in range(2)]
    assert found == [f"redis://{knowing}"] * 2


def _in_a_cluster(bus_port: int) -> tuple[str, ...]:
    return ("--save", "", "--cluster-enabled", "yes", "--cluster-port", str(bus_port))


async def _ask(place: str, *command: str | int) -> None:
    client: Any = redis.asyncio.from_url(f"redis://{place}", protocol=3)
    async with client:
        await client.execute_command(*command)


@pytest.mark.parametrize(
    "url",
    [
        "redis://h?shards=0",
        "redis://h?shards=many",
        "redis://h?shards=65",
        "redis+sentinel://h:26379",
        "redis+sentinel:///master",
        "redis+cluster://",
    ],
)
def test_refuses_what_can_mean_nothing(url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL"):
        parse_address(url)
