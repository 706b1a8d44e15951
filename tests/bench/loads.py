"""Open-loop load: requests leave on a schedule, whatever became of those before; waits count from the schedule."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
START_SECONDS = 0.05
AGAIN_SECONDS = 1.0  # as the server asks for (Retry-After)


@dataclass(frozen=True, slots=True)
class Posted:
    """A request that was taken; instants are of the monotonic clock, which all processes of a machine share."""

    due_at: float
    answered_at: float
    refusals: int


def write_request(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Give a POST as it goes over the wire."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += ["Content-Type: application/json", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def write_look(path: str) -> bytes:
    """Give a GET as it goes over the wire."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


class Client:
    """A bare HTTP client over as many kept-alive connections as are needed at once."""

    def __init__(self, host: str, port: int, trusting: ssl.SSLContext | None = None) -> None:
        self._host, self._port, self._trusting = host, port, trusting
        self._idle: list[_Connection] = []

    @property
    def connections(self) -> int:
        """Count those that wait for a request and that nobody closed."""
        return sum(connection.is_open for connection in self._idle)

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Send a whole request and give the answer's status and body."""
        connection = self._take() or await self._connect()
        answer = await connection.ask(request)
        self._idle.append(connection)
        return answer

    async def hold(self, request: bytes) -> int:
        """Send a request over one connection more, which is kept, and give the status."""
        connection = await self._connect()
        status, _ = await connection.ask(request)
        self._idle.append(connection)
        return status

    def close(self) -> None:
        """Close the connections."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _take(self) -> _Connection | None:
        while self._idle:
            if (connection := self._idle.pop()).is_open:
                return connection
        return None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port, ssl=self._trusting)
        return connection


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self.is_open = True
        self._unread = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._unread += data
        end = self._unread.find(b"\r\n\r\n")
        if end < 0:
            return
        length = LENGTH.search(self._unread, 0, end)
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self._unread) >= whole and self._answer is not None:
            self._answer.set_result((int(self._unread[9:12]), self._unread[end + 4 : whole]))
            self._unread = self._unread[whole:]

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("closed by the other end"))

    def close(self) -> None:
        self._transport.close()


async def post(client: Client, requests: Sequence[bytes], per_second: float) -> list[Posted]:
    """Post each request at its instant, again where "try again" is the answer, and wait until all are taken."""
    began_at, under_way = time.monotonic() + START_SECONDS, []
    for place, request in enumerate(requests):
        due_at = began_at + place / per_second
        await asyncio.sleep(due_at - time.monotonic())
        under_way.append(asyncio.create_task(_post(client, request, due_at)))
    return await asyncio.gather(*under_way)


async def _post(client: Client, request: bytes, due_at: float) -> Posted:
    refusals = 0
    while (answer := await client.send(request))[0] == 503:
        refusals += 1
        await asyncio.sleep(AGAIN_SECONDS)
    assert answer[0] == 200, answer
    return Posted(due_at, time.monotonic(), refusals)
