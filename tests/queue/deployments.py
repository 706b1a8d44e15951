"""Redis as operators run it, on loopback: a master with replicas and sentinels, and a Cluster."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis.asyncio

from grimbots.tests.ports import pick_port
from grimbots.tests.queue.desks import wait_until

HOST = "127.0.0.1"
START_SECONDS = 30.0
MASTER = "grimbots"

needs_sentinel = pytest.mark.skipif(
    not (shutil.which("redis-server") and shutil.which("redis-sentinel")),
    reason="there is no redis-server with redis-sentinel here: `make redis` installs them",
)


class Node:
    """A server on a port of its own, killed and started again at will."""

    def __init__(self, folder: Path, port: int, program: str, options: Sequence[str]) -> None:
        self.port = port
        self._folder = folder
        self._command = (program, *options, "--port", str(port), "--bind", HOST, "--dir", str(folder))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(*self._command, stdout=log, stderr=log)
        await wait_until(self._answers, START_SECONDS)

    async def kill(self) -> None:
        """Kill it as a crash would (SIGKILL), if it runs."""
        process, self._process = self._process, None
        if process and process.returncode is None:
            process.kill()
            await process.wait()

    def freeze(self) -> None:
        """Stop its clock: nobody hears of it, and it does not know."""
        if self._process:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        if self._process:
            self._process.send_signal(signal.SIGCONT)

    async def ask(self, *command: str | int | bytes) -> Any:
        """Run one command over a connection of its own."""
        client: Any = redis.asyncio.Redis(
            host=HOST, port=self.port, protocol=3, socket_timeout=2, socket_connect_timeout=2
        )
        async with client:
            return await client.execute_command(*command)

    async def cut_off(self, direct_url: str) -> None:
        """Close it to every other server, while who came by `direct_url` goes on."""
        client: Any = redis.asyncio.Redis.from_url(direct_url, protocol=3)
        async with client:
            await client.config_set("port", 0)
            for kind in ("replica", "normal", "pubsub"):
                await client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

    async def rejoin(self, direct_url: str) -> None:
        """Open it again."""
        client: Any = redis.asyncio.Redis.from_url(direct_url, protocol=3)
        async with client:
            await client.config_set("port", self.port)

    async def info(self, section: str) -> dict[str, Any]:
        """Read a section of INFO."""
        return dict(await self.ask("INFO", section))

    async def _answers(self) -> bool:
        try:
            return bool(await self.ask("PING"))
        except (redis.RedisError, OSError):
            return False


@asynccontextmanager
async def _run_nodes(nodes: Sequence[Node]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for node in nodes:
            stack.push_async_callback(node.kill)
        await asyncio.gather(*(node.start() for node in nodes))
        yield


DURABLE = ("--save", "", "--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0")


class Failover:
    """One master, two replicas, three sentinels that fail over after a second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        ports = [pick_port() for _ in range(6)]
        self.servers = [
            Node(_make(folder / f"r{port}"), port, "redis-server", (*DURABLE, "--unixsocket", f"{folder}/{port}.sock"))
            for port in ports[:3]
        ]
        self.sentinels = [_make_sentinel(_make(folder / f"s{port}"), port, ports[0]) for port in ports[3:]]

    @property
    def url(self) -> str:
        """The address, through the sentinels."""
        return f"redis+sentinel://{','.join(f'{HOST}:{node.port}' for node in self.sentinels)}/{MASTER}"

    async def find_master(self) -> Node:
        """Find the server that the sentinels name."""
        _, port = await self.sentinels[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
        return next(node for node in self.servers if node.port == int(port))

    def make_direct_url(self, node: Node) -> str:
        """Give the address of one server that stays open when it is cut off from the other servers."""
        return f"unix://{quote(str(self._folder))}/{node.port}.sock"

    async def settle(self) -> None:
        """Wait until both replicas follow and the sentinels know it all."""
        await wait_until(self._is_settled, START_SECONDS)

    async def _is_settled(self) -> bool:
        master = await self.servers[0].info("replication")
        online = [state for name, state in master.items() if name.startswith("slave") and state["state"] == "online"]
        seen = [await sentinel.ask("SENTINEL", "MASTER", MASTER) for sentinel in self.sentinels]
        return len(online) == 2 and all(
            (_field(one, "num-slaves"), _field(one, "num-other-sentinels")) == (2, 2) for one in seen
        )


def _field(state: Any, name: str) -> int:
    pairs: dict[Any, Any] = dict(zip(state[::2], state[1::2], strict=True)) if isinstance(state, list) else state
    return int(pairs.get(name, pairs.get(name.encode(), -1)))


def _make_sentinel(folder: Path, port: int, master: int) -> Node:
    file = folder / "sentinel.conf"
    file.write_text(
        f"sentinel monitor {MASTER} {HOST} {master} 2\n"
        f"sentinel down-after-milliseconds {MASTER} 1000\n"
        f"sentinel failover-timeout {MASTER} 5000\n"
        f"sentinel parallel-syncs {MASTER} 2\n"
    )
    return Node(folder, port, "redis-sentinel", (str(file),))


def _make(folder: Path) -> Path:
    folder.mkdir()
    return folder


@asynccontextmanager
async def run_failover(folder: Path) -> AsyncIterator[Failover]:
    """Give a master with replicas and sentinels, settled."""
    made = Failover(folder)
    async with _run_nodes(made.servers):
        await asyncio.gather(*(one.ask("REPLICAOF", HOST, made.servers[0].port) for one in made.servers[1:]))
        async with _run_nodes(made.sentinels):
            await made.settle()
            yield made


class Cluster:
    """Three masters with a replica each."""

    def __init__(self, folder: Path) -> None:
        options = (*DURABLE, "--cluster-enabled", "yes", "--cluster-node-timeout", "1500")
        self._bus_ports = {pick_port(): pick_port() for _ in range(6)}
        self.nodes = [
            Node(_make(folder / f"n{port}"), port, "redis-server", (*options, "--cluster-port", str(bus_port)))
            for port, bus_port in self._bus_ports.items()
        ]

    def make_url(self, shards: int) -> str:
        """Give the address with a number of shards."""
        return f"redis+cluster://{','.join(f'{HOST}:{node.port}' for node in self.nodes[:3])}?shards={shards}"

    async def form(self) -> None:
        """Join the nodes and wait until each has its part and says that all is well."""
        masters, replicas = self.nodes[:3], self.nodes[3:]
        bounds = [(0, 5460), (5461, 10922), (10923, 16383)]
        for n, (master, (first, last)) in enumerate(zip(masters, bounds, strict=True)):
            await master.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
            await master.ask("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        first = self.nodes[0].port
        for node in self.nodes[1:]:
            await node.ask("CLUSTER", "MEET", HOST, first, self._bus_ports[first])
        await wait_until(self._all_know_all, START_SECONDS)
        for master, replica in zip(masters, replicas, strict=True):
            await replica.ask("CLUSTER", "REPLICATE", await read_id(master))
        await wait_until(self._is_well, START_SECONDS)

    async def flush(self) -> None:
        """Empty every master."""
        await asyncio.gather(*(node.ask("FLUSHALL") for node in self.nodes[:3]))

    async def find_owner(self, slot: int) -> Node:
        """Find the master of a slot."""
        for node in self.nodes:
            try:
                ranges = await node.ask("CLUSTER", "SLOTS")
            except (redis.RedisError, OSError):
                continue
            for first, last, (_, port, *_), *_ in ranges:
                if first <= slot <= last:
                    return next(one for one in self.nodes if one.port == port)
        raise RuntimeError("nobody owns it")

    async def _all_know_all(self) -> bool:
        known = [(await node.ask("CLUSTER", "INFO")) for node in self.nodes]
        return all(_read(info, "cluster_known_nodes") == "6" for info in known)

    async def _is_well(self) -> bool:
        states = [_read(await node.ask("CLUSTER", "INFO"), "cluster_state") for node in self.nodes]
        linked = [(await node.info("replication")).get("master_link_status") == "up" for node in self.nodes[3:]]
        return set(states) == {"ok"} and all(linked)


def _read(info: Any, name: str) -> str:
    if isinstance(info, dict):
        return str(info[name])
    text = info.decode() if isinstance(info, bytes) else str(info)
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)[name]


async def read_id(node: Node) -> str:
    """Read a node's id."""
    found = await node.ask("CLUSTER", "MYID")
    return found.decode() if isinstance(found, bytes) else str(found)


async def migrate_slot(slot: int, source: Node, target: Node, halfway: Callable[[], Awaitable[None]]) -> int:
    """Move a slot with all its keys, as `redis-cli --cluster reshard` does; `halfway` is awaited after the first ones.

    Returns how many keys went over.
    """
    source_id, target_id = await read_id(source), await read_id(target)
    await target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
    await source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
    moved = 0
    while keys := await source.ask("CLUSTER", "GETKEYSINSLOT", slot, 10):
        await source.ask("MIGRATE", HOST, target.port, "", 0, 5000, "KEYS", *keys)
        if not moved:
            await halfway()
        moved += len(keys)
    for node in (target, source):
        await node.ask("CLUSTER", "SETSLOT", slot, "NODE", target_id)
    return moved


@asynccontextmanager
async def run_cluster(folder: Path) -> AsyncIterator[Cluster]:
    """Give a formed Cluster."""
    made = Cluster(folder)
    async with _run_nodes(made.nodes):
        await made.form()
        yield made
