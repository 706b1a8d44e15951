"""A real HTTP proxy that only knows CONNECT, with a password and a name server of its own."""

from __future__ import annotations

import asyncio
import base64
import ssl
from contextlib import suppress

CHUNK_BYTES = 1 << 16


class ConnectProxy:
    """`leads` says where each `host:port` a client may ask for really is: a port of this machine."""

    def __init__(self, user: str, password: str) -> None:
        self.leads: dict[str, int] = {}
        self.asked: list[str] = []
        self.heads: list[str] = []
        self.heard = bytearray()  # what went through the tunnels, on its way out
        self.port = 0
        self._expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and cut every tunnel."""
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Cut every tunnel."""
        for writer in self._writers:
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            port = await self._agree(reader, writer)
            if port:
                await self._tunnel(reader, writer, port)
        self._writers.discard(writer)
        writer.transport.abort()

    async def _agree(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        """Answer a CONNECT; returns the port it leads to, 0 where it is refused."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = head.partition("\r\n")[0].split(" ")
        self.heads.append(head)
        self.asked.append(f"{method} {target}")
        port, status = self.leads.get(target, 0), "200 Connection established"
        if f"Proxy-Authorization: {self._expected}\r\n" not in head:
            port, status = 0, "407 Proxy Authentication Required"
        elif not port:
            status = "502 Bad Gateway"
        length = "" if port else "Content-Length: 0\r\n"
        writer.write(f"HTTP/1.1 {status}\r\n{length}\r\n".encode())
        await writer.drain()
        return port

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        forth = asyncio.create_task(self._pass(reader, there_writer, self.heard))
        back = asyncio.create_task(self._pass(there_reader, writer, bytearray()))
        try:
            await asyncio.wait({forth, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            there_writer.transport.abort()
            for task in (forth, back):
                task.cancel()
            await asyncio.gather(forth, back, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: bytearray) -> None:
        while data := await reader.read(CHUNK_BYTES):
            heard += data
            writer.write(data)
            await writer.drain()
