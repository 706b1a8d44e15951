"""The way in for updates as Telegram sends them: below RequestHandler, whose work is a third of a small request's.

An update that is in order (a known bot, its secret, a length that fits) goes from Tornado's HTTP connection straight to
`intake.receive`. Everything else, and whatever fails on the way, goes the usual way, to `TelegramHandler` among all
routes: refusals, errors and their texts have one place.
"""

from __future__ import annotations

import functools
import json
import re
import secrets
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, cast

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine, format_timestamp
from tornado.web import Application

from grimbots.conf import logs
from grimbots.handlers.base import count_request
from grimbots.handlers.telegram import LARGEST_UPDATE_BYTES, PATH, SECRET_HEADER, TelegramHandler
from grimbots.services import bots, intake

if TYPE_CHECKING:
    from grimbots.handlers.base import OpenRequests
    from grimbots.services.app import App
    from grimbots.services.bots import Bot

LENGTH = re.compile("[0-9]{1,6}")


class Site(Application):
    """The Tornado application, with the short way in."""

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        """Begin to read a request."""
        return Entrance(self, server_conn, request_conn)

    def start_usual(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        """Begin to read a request that goes to a handler of the routes."""
        return super().start_request(server_conn, request_conn)


class Entrance(HTTPMessageDelegate):
    """A request that is being read."""

    def __init__(self, site: Site, server: object, connection: HTTP1Connection) -> None:
        self._site, self._server, self._connection = site, server, connection
        self._app: App = site.settings["app"]
        self._open_requests: OpenRequests = site.settings["open_requests"]
        self._usual: HTTPMessageDelegate | None = None
        self._body = b""
        self._reply: dict[str, Any] | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Choose the way."""
        bot = self._recognize(cast("RequestStartLine", start_line), headers)
        if bot is None:
            self._usual = self._site.start_usual(self._server, self._connection)
            return self._usual.headers_received(start_line, headers)
        self._bot, self._head, self._size_bytes = bot, (start_line, headers), int(headers["Content-Length"])
        self._open_requests.add(self)
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Keep the body; with its last byte the update is taken in, while the connection waits."""
        if self._usual is not None:
            return self._usual.data_received(chunk)
        self._body += chunk
        return self._take() if len(self._body) == self._size_bytes else None

    def finish(self) -> None:
        """Answer."""
        if self._usual is not None:
            self._usual.finish()
            return
        self._connection.write(_write_answer(self._reply, self._request_id))
        self._connection.finish()
        self._open_requests.discard(self)
        count_request(TelegramHandler.__name__, 200, time.monotonic() - self._taken_at)

    def on_connection_close(self) -> None:
        """The caller has gone."""
        if self._usual is not None:
            self._usual.on_connection_close()
        self._open_requests.discard(self)

    def _recognize(self, start_line: RequestStartLine, headers: HTTPHeaders) -> Bot | None:
        """Return the bot whose update comes in, if all is in order and nothing has to be waited for."""
        method, path, version = start_line
        if method != "POST" or version != "HTTP/1.1" or not path.startswith(PATH):
            return None
        length = LENGTH.fullmatch(headers.get("Content-Length", ""))
        if not length or not 0 < int(length[0]) <= LARGEST_UPDATE_BYTES:
            return None
        if "Transfer-Encoding" in headers or headers.get("Connection", "keep-alive").lower() != "keep-alive":
            return None
        bot = self._app.bots.find_fresh(path.removeprefix(PATH))
        if bot is None or not bots.proves(bot, headers.get(SECRET_HEADER, "")):
            return None
        return None if self._site.settings["draining"].is_set() else bot

    async def _take(self) -> None:
        self._taken_at, self._request_id = time.monotonic(), secrets.token_hex(8)
        logs.begin(request_id=self._request_id)
        try:
            self._reply = await intake.receive(self._app, self._bot, self._body)
        except Exception:  # noqa: BLE001 (done over again the usual way, which tells it; an update may be stored twice)
            await self._start_over()

    async def _start_over(self) -> None:
        """Go the usual way with the whole request."""
        self._open_requests.discard(self)
        self._usual = usual = self._site.start_usual(self._server, self._connection)
        await _wait(usual.headers_received(*self._head))
        await _wait(usual.data_received(self._body))


async def _wait(done: Awaitable[None] | None) -> None:
    if done is not None:
        await done


def _write_answer(reply: dict[str, Any] | None, request_id: str) -> bytes:
    head = b"%sX-Request-Id: %s\r\n" % (_write_head(int(time.time())), request_id.encode())
    if reply is None:
        return head + b"Content-Length: 0\r\n\r\n"
    body = json.dumps(reply, ensure_ascii=False).encode()
    return b"%sContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s" % (head, len(body), body)


@functools.lru_cache(maxsize=1)
def _write_head(second: int) -> bytes:
    """Write the head of an answer for as long as its date is true."""
    return (
        b"HTTP/1.1 200 OK\r\nDate: %s\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
        % format_timestamp(second).encode()
    )
