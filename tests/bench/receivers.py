"""A Bot API server as cheap as an honest one can be: `python receivers.py <port>`.

It answers in Telegram's form over kept-alive connections and stamps when each `send...` call arrived. No framework, no
store, no check: the sandbox with its SQLite would eat the core that Postgres and Redis need. `GET /arrivals` hands out
what arrived since it was last asked.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CALL = re.compile(rb"\w+ /bot(\d+)[^/ ]*/(\w+)")
CHAT = re.compile(rb'"chat_id"(?:: ?|(?:\r\n[\w-]+: [^\r\n]*)*\r\n\r\n)(-?\d+)')  # of JSON, or of a form

arrivals: list[tuple[int, float]] = []


class Receiver(asyncio.Protocol):
    """One connection of a bot's."""

    def __init__(self) -> None:
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole by now."""
        now = time.monotonic()
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self._unread, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._unread) < whole:
                return
            request, self._unread = self._unread[:whole], self._unread[whole:]
            body = _answer(request, now)
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )


def _answer(request: bytes, now: float) -> bytes:
    call, chat = CALL.match(request), CHAT.search(request)
    if call is None:
        taken, arrivals[:] = json.dumps(arrivals).encode(), []
        return taken
    if call[2] == b"getMe":
        bot = b'{"id": %s, "is_bot": true, "first_name": "Bench", "username": "bench_%s_bot"}' % (call[1], call[1])
        return b'{"ok": true, "result": %s}' % bot
    if not call[2].startswith(b"send") or chat is None:
        return b'{"ok": true, "result": true}'
    arrivals.append((int(chat[1]), now))
    message = b'{"message_id": %d, "date": 1, "chat": {"id": %s, "type": "private"}}' % (len(arrivals), chat[1])
    return b'{"ok": true, "result": %s}' % message


async def receive(port: int) -> None:
    """Listen until killed."""
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", port, backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(receive(int(sys.argv[1])))
