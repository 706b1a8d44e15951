"""A road to Postgres that can be made silent or cut, on a real port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from psycopg2 import extensions


class Proxy:
    """Forwards to the Postgres of `url`, until it is told otherwise."""

    def __init__(self, url: str) -> None:
        given = extensions.parse_dsn(url)
        self._socket = f"{given['host']}/.s.PGSQL.{given.get('port', '5432')}"
        self._given = given
        self._may_forward = asyncio.Event()
        self._may_forward.set()
        self._may_pass = asyncio.Event()
        self._may_pass.set()
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.accepted = 0

    async def open(self) -> None:
        """Listen on a free port of this machine."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Cut everything and stop listening."""
        self.cut()
        self._server.close()
        await self._server.wait_closed()
        await asyncio.gather(*self._tasks)

    @property
    def url(self) -> str:
        """The DSN that leads through this proxy."""
        return extensions.make_dsn("", **{**self._given, "host": "127.0.0.1", "port": str(self.port)})

    def silence(self) -> None:
        """Forward nothing for connections that come from now on."""
        self._may_forward.clear()

    def freeze(self) -> None:
        """Pass nothing on, not on open connections either, and close none."""
        self._may_pass.clear()

    def cut(self) -> None:
        """Close what is open and all that comes."""
        self._is_cut = True
        self._may_forward.set()
        self._may_pass.set()
        for writer in list(self._writers):
            writer.transport.abort()

    def restore(self) -> None:
        """Forward again."""
        self._is_cut = False
        self._may_forward.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        await self._may_forward.wait()
        if self._is_cut:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_unix_connection(self._socket)
        self._writers.add(far_writer)
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                await self._may_pass.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def open_proxy(url: str) -> AsyncIterator[Proxy]:
    """Give a listening Proxy to the Postgres of `url`."""
    proxy = Proxy(url)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()
