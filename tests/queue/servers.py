"""Redis servers of a test's own: durable as in production, killed and started again at will."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis.asyncio

START_SECONDS = 30.0
OPTIONS = ("--port", "0", "--save", "", "--appendonly", "yes", "--appendfsync", "always")


@asynccontextmanager
async def run_server(folder: Path, *options: str) -> AsyncIterator[RedisServer]:
    """Give a started server, killed at the end."""
    server = RedisServer(folder, *options)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()


class RedisServer:
    """A redis-server on a unix socket in `folder`, its append-only file beside it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.socket = folder / "redis.sock"
        self._command = ("redis-server", *OPTIONS, "--dir", str(folder), "--unixsocket", str(self.socket), *options)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """The address."""
        return f"unix://{quote(str(self.socket))}?db=0"

    async def start(self) -> None:
        """Start it and wait until it answers."""
        silent = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(*self._command, stdout=silent, stderr=silent)
        async with asyncio.timeout(START_SECONDS):
            while not await self._answers():
                await asyncio.sleep(0.01)

    async def kill(self) -> None:
        """Kill it as a crash would (SIGKILL), if it runs."""
        if self._process:
            self._signal(signal.SIGKILL)
            await self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop its clock: sockets stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._signal(signal.SIGCONT)

    async def ask(self, *command: str | int | float) -> object:
        """Run one command over a connection of its own."""
        client: Any = redis.asyncio.from_url(self.url, protocol=3, decode_responses=True)
        async with client:
            return await client.execute_command(*command)

    async def _answers(self) -> bool:
        try:
            return bool(await self.ask("PING"))
        except (redis.RedisError, OSError):
            return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process:
            os.kill(self._process.pid, number)
