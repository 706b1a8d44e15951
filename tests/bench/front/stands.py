"""Servers under test on a core of their own; their stores, a bare Bot API and the load on the other."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import redis.asyncio

from grimbots.handlers.commands.embedded.children import CannotStart, Child, spawn, wait, wait_ready
from grimbots.handlers.commands.supervisors import is_listening
from grimbots.tests.bench.environments import ROOT, Environments, NotRun
from grimbots.tests.bench.front.callers import Update
from grimbots.tests.bench.front.contract import HOST, PATH
from grimbots.tests.bench.front.systems import OURS, System
from grimbots.tests.bench.rigs import SERVER_CORE, START_SECONDS, Rig, open_rig
from grimbots.tests.bench.shops import Shop, Webhook
from grimbots.tests.ports import pick_port
from grimbots.tests.queue.servers import run_server

ENVIRONMENTS = Environments(Path(__file__).resolve().parent, ROOT / "var" / "bench-front")
SECRET = "bench" * 8
# What most run, and kind to those that write with every request; ours has what it ships: fsync before the answer.
PEERS_REDIS = ("--bind", HOST, "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0")


@dataclass
class Door:
    """A server that listens, and the updates that it is sent."""

    port: int
    child: Child
    shop: Shop
    redis_url: str

    def write_updates(self, count: int) -> Iterator[Update]:
        """Write so many updates, each of a chat of its own, beforehand."""
        chats = [next(self.shop.chats) for _ in range(count)]
        return iter([(chat_id, self.shop.start(chat_id)) for chat_id in chats])

    async def clear(self) -> None:
        """Empty its Redis, so that no run weighs on the next."""
        async with redis.asyncio.from_url(self.redis_url, protocol=3) as client:
            await client.flushall()


@dataclass
class Stand:
    """The stores, and what is started on them."""

    rig: Rig
    peers_redis_url: str
    _doors: dict[str, Door] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def find_door(self, system: System) -> Door:
        """Give the server of a system that stays until the bench ends: the idle ones cost nothing."""
        if system.name not in self._doors:
            self._doors[system.name] = await self._stack.enter_async_context(self.serve(system))
        return self._doors[system.name]

    @asynccontextmanager
    async def serve(self, system: System, **environ: str) -> AsyncIterator[Door]:
        """Run a server, killed at the end as a crash would. Raises NotRun."""
        ENVIRONMENTS.prepare(system)
        port = pick_port()
        child = self._spawn(system, "serve", str(port), environ)
        try:
            await wait_ready(child, partial(is_listening, HOST, port), START_SECONDS, self._log(system))
            shop = self.rig.shop if system == OURS else Shop([Webhook(PATH, SECRET)], "", "")
            yield Door(port, child, shop, self._redis_url(system))
        except CannotStart as error:
            raise NotRun(str(error)) from error
        finally:
            await kill(child)

    @asynccontextmanager
    async def work(self, system: System, **environ: str) -> AsyncIterator[None]:
        """Run a worker that executes what was queued."""
        child = self._spawn(system, "work", "", environ)
        try:
            yield
        finally:
            await kill(child)

    async def close(self) -> None:
        """Kill the servers."""
        await self._stack.aclose()

    def _spawn(self, system: System, verb: str, port: str, environ: dict[str, str]) -> Child:
        command, needed = ENVIRONMENTS.make_command(system, verb, *([port] if port else []))
        known = self.rig.environ | {
            "REDIS_URL": self._redis_url(system),
            "BOT_API_URL": self.rig.environ["TELEGRAM_URL"],
        }
        environ = {**known, "SECRET": SECRET, **needed, **environ}
        pinned = ["taskset", "--cpu-list", str(SERVER_CORE), *command]
        return spawn(system.title, pinned, stop_signal=signal.SIGTERM, environ=environ, log=self._log(system))

    def _redis_url(self, system: System) -> str:
        return self.rig.environ["REDIS_URL"] if system == OURS else self.peers_redis_url

    def _log(self, system: System) -> Path:
        return self.rig.folder / f"{system.name}.log"


async def kill(child: Child) -> None:
    """Kill a server and what it started."""
    with suppress(ProcessLookupError):
        os.killpg(child.process.pid, signal.SIGKILL)
    await wait(child)


@asynccontextmanager
async def open_stand() -> AsyncIterator[Stand]:
    """Start everything but the servers."""
    async with open_rig() as rig:
        folder, port = rig.folder / "peers-redis", pick_port()
        folder.mkdir()
        async with run_server(folder, "--port", str(port), *PEERS_REDIS):
            stand = Stand(rig, f"redis://{HOST}:{port}/0")
            try:
                yield stand
            finally:
                await stand.close()
