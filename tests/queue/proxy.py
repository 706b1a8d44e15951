"""A proxy before Redis that loses things on purpose: replies to chosen requests, or everything a connection says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from grimbots.tests.queue.servers import RedisServer, run_server

CHUNK_BYTES = 1 << 20


@asynccontextmanager
async def run_proxy(folder: Path) -> AsyncIterator[tuple[RedisServer, LossyProxy]]:
    """Give a Redis of the test's own and a proxy before it."""
    async with run_server(folder) as server:
        proxy = LossyProxy(folder, server.socket)
        await proxy.start()
        try:
            yield server, proxy
        finally:
            await proxy.stop()


class LossyProxy:
    """A unix socket that passes to another. It looks for words in what clients send."""

    def __init__(self, folder: Path, target: Path) -> None:
        self.path = folder / "proxy.sock"
        self.lost = 0
        self.deaf = 0
        self._target = target
        self._lose_reply_to: bytes | None = None
        self._losing: asyncio.Future[None] | None = None
        self._swallow: bytes | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The address."""
        return f"unix://{quote(str(self.path))}?db=0"

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, self.path, limit=CHUNK_BYTES)

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        if self._server:
            self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Cut every connection."""
        for task in self._tasks:
            task.cancel()

    def lose_next_reply_to(self, word: bytes) -> asyncio.Future[None]:
        """Pass the next request that holds `word`, and cut its connection when the reply comes.

        Done when that request came, cancelled when the next order takes this one's place.
        """
        if self._losing:
            self._losing.cancel()
        self._lose_reply_to = word
        self._losing = asyncio.get_running_loop().create_future()
        return self._losing

    def swallow(self, word: bytes | None) -> None:
        """Leave connections that say `word` open and deaf: a half-open socket."""
        self._swallow = word

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        with suppress(OSError, asyncio.CancelledError):
            await self._pass(reader, writer)
        writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_unix_connection(self._target, limit=CHUNK_BYTES)
        doomed, deaf = asyncio.Event(), asyncio.Event()
        forth = asyncio.create_task(self._pass_requests(reader, there_writer, doomed, deaf))
        back = asyncio.create_task(self._pass_replies(there_reader, writer, doomed, deaf))
        try:
            await asyncio.wait({forth, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            forth.cancel()
            back.cancel()
            there_writer.close()
            await asyncio.gather(forth, back, return_exceptions=True)

    async def _pass_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event, deaf: asyncio.Event
    ) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if self._swallow and self._swallow in data:
                deaf.set()
                self.deaf += 1
            if self._lose_reply_to and self._lose_reply_to in data:
                self._lose_reply_to = None
                if self._losing:
                    self._losing.set_result(None)
                doomed.set()
            if not deaf.is_set():
                writer.write(data)
                await writer.drain()

    async def _pass_replies(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, doomed: asyncio.Event, deaf: asyncio.Event
    ) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if doomed.is_set():
                self.lost += 1
                return
            if not deaf.is_set():
                writer.write(data)
                await writer.drain()
