"""The server on one core and everything else on another: Postgres and Redis, durable as shipped, a bare Bot API."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from grimbots.handlers.commands.embedded.children import Child, spawn, stop, wait_ready
from grimbots.handlers.commands.embedded.postgres import start_postgres
from grimbots.handlers.commands.embedded.redis import start_redis
from grimbots.handlers.commands.supervisors import is_listening
from grimbots.server import now
from grimbots.sql.migrate import migrate
from grimbots.tests import rows
from grimbots.tests.bench.loads import Client
from grimbots.tests.bench.shops import Shop, open_shop
from grimbots.tests.fakes.provider import FakeProvider
from grimbots.tests.ports import pick_port

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
START_SECONDS, STOP_SECONDS, PATIENCE_SECONDS = 60.0, 40.0, 120.0
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, OTHER_CORE = CORES[0], CORES[-1]  # on a machine of one core they share it, and the figures say little
T = TypeVar("T")
WHOLE_SERVER = (HERE.parents[1] / "server.py", "serve")
FRONT_DOOR = (HERE / "front_door.py",)


@dataclass
class Rig:
    """What runs. `pids` are the processes to be measured, the bench's own as `generator`."""

    folder: Path
    environ: dict[str, str]
    pids: dict[str, int]
    port: int
    receiver: Client
    shop: Shop

    @asynccontextmanager
    async def serve(self, command: Sequence[str | Path] = WHOLE_SERVER) -> AsyncIterator[Client]:
        """Run the server on its own core and give a client of it."""
        child = await _start("server", command, self.port, self.environ, self.folder, core=SERVER_CORE)
        self.pids["server"] = child.process.pid
        client = Client(HOST, self.port)
        try:
            yield client
        finally:
            client.close()
            await stop(child, STOP_SECONDS)

    async def take_arrivals(self, chats: Collection[int]) -> dict[int, float]:
        """Wait until a Bot API call has arrived for each chat; give when the first did, by the monotonic clock."""
        arrived: dict[int, float] = {}

        async def has_all() -> bool:
            _, body = await self.receiver.send(b"GET /arrivals HTTP/1.1\r\n\r\n")
            for chat_id, at in json.loads(body):
                arrived.setdefault(chat_id, at)
            return all(chat_id in arrived for chat_id in chats)

        await wait_until(has_all)
        return arrived

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask Postgres."""
        return rows.query(self.environ["DATABASE_URL"], sql)

    def analyze(self) -> None:
        """Let Postgres look at its tables, as its autovacuum does every minute: plans of empty tables are poor."""
        self.query("ANALYZE")


async def wait_until(look: Callable[[], Awaitable[T]]) -> T:
    """Look again until something is there."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := await look()):
            await asyncio.sleep(0.1)
    return found


@contextmanager
def keep_to_core(core: int) -> Iterator[None]:
    """Keep this process, and what it starts, to a core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@asynccontextmanager
async def open_rig() -> AsyncIterator[Rig]:
    """Start everything but the server, with a shop of bots in service."""
    with tempfile.TemporaryDirectory() as name, keep_to_core(OTHER_CORE):
        Path(name).chmod(0o755)  # Postgres runs as somebody else when we are root
        children, provider = list[Child](), FakeProvider(now)
        await provider.start()
        try:
            yield await _open(Path(name), provider.url, children)
        finally:
            for child in reversed(children):
                await stop(child, STOP_SECONDS)
            await provider.stop()


@asynccontextmanager
async def open_receiver() -> AsyncIterator[int]:
    """Start the bare Bot API alone, and give its port."""
    with tempfile.TemporaryDirectory() as name:
        port = pick_port()
        child = await _start_receiver(port, dict(os.environ), Path(name))
        try:
            yield port
        finally:
            await stop(child)


async def _open(folder: Path, provider_url: str, children: list[Child]) -> Rig:
    port, receiver_port = pick_port(), pick_port()
    environ = await start_stores(folder, children)
    environ |= {"PORT": str(port), "GRIMBOTS_SANDBOX_URL": provider_url}
    environ["TELEGRAM_URL"] = f"http://{HOST}:{receiver_port}"
    children.append(await _start_receiver(receiver_port, environ, folder))
    pids = list_pids(children)
    return Rig(folder, environ, pids, port, Client(HOST, receiver_port), await open_shop(environ))


async def start_stores(folder: Path, children: list[Child]) -> dict[str, str]:
    """Start Postgres, migrated, and Redis; give the settings of a server on them, but for its port and its parties."""
    environ = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    environ |= {"HOST": HOST, "GRIMBOTS_DATA": str(folder), "GRIMBOTS_SANDBOX": "1"}
    environ["DATABASE_URL"], postgres = await start_postgres(folder / "postgres", folder / "postgres.log")
    children.append(postgres)
    environ["REDIS_URL"], redis = await start_redis(folder / "redis", folder / "redis.log")
    children.append(redis)
    await migrate(environ["DATABASE_URL"])
    return environ


def list_pids(children: Sequence[Child]) -> dict[str, int]:
    """Give the processes to be measured, by their names, and this one."""
    return {child.name.lower(): child.process.pid for child in children} | {"generator": os.getpid()}


async def _start_receiver(port: int, environ: dict[str, str], folder: Path) -> Child:
    return await _start("receiver", (HERE / "receivers.py", str(port)), port, environ, folder, core=OTHER_CORE)


async def _start(
    name: str, command: Sequence[str | Path], port: int, environ: dict[str, str], folder: Path, *, core: int
) -> Child:
    log = folder / f"{name}.log"
    child = spawn(name, [sys.executable, *command], stop_signal=signal.SIGTERM, environ=environ, log=log)
    os.sched_setaffinity(child.process.pid, {core})
    await wait_ready(child, partial(is_listening, HOST, port), START_SECONDS, log)
    return child
