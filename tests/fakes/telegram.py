"""A fake Bot API server on a real port: records every call, answers as told, and fails in the ways a network does."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tornado.httputil import HTTPFile, parse_multipart_form_data

from grimbots.tests.fakes.bot_api import find_call_mistakes, read_form

TITLES = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
}
WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Call:
    """One request that arrived whole. `connection` counts the connections accepted before its own."""

    token: str
    method: str
    params: dict[str, Any]
    files: dict[str, HTTPFile]
    headers: dict[str, str]
    connection: int


@dataclass
class Script:
    """One scripted answer and how often it is still to be given; None: always."""

    method: str
    chat_id: int | None
    times: int | None
    status: int
    body: bytes | None
    headers: Mapping[str, str]
    until: asyncio.Event | None
    drop: str

    def fits(self, call: Call) -> bool:
        """Tell whether it is meant for this call and not used up."""
        chat_fits = self.chat_id is None or str(call.params.get("chat_id")) == str(self.chat_id)
        return self.method in (call.method, "*") and chat_fits and self.times != 0


SUCCESS = Script("*", None, None, 200, None, {}, None, "")


class FakeTelegram:
    """`answer()` scripts answers; without a script every call succeeds as Telegram would let it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.connections = 0
        self.requests = 0  # calls read, the dropped ones too
        self.hangups = 0
        self.mistakes: list[str] = []  # where a call was not what the Bot API documents
        self.url = ""
        self.port = 0
        self._scripts: list[Script] = []
        self._next_message_id = 1
        self._changed = asyncio.Condition()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen on a free port; with `tls` as `localhost`."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"https://localhost:{self.port}" if tls else f"http://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        assert self._server is not None
        self._server.close()
        self.drop_connections()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def drop_connections(self) -> None:
        """Cut every connection, as a server does with those it finds idle."""
        for writer in self._writers:
            writer.transport.abort()

    def answer(
        self,
        method: str,
        result: Any = None,
        *,
        http: int = 200,
        description: str = "",
        parameters: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        times: int | None = None,
        chat_id: int | None = None,
        until: asyncio.Event | None = None,
        drop: str = "",
    ) -> None:
        """Script the answer to `method` ("*": any): those with `times` first, in order, then the newest of the others.

        Args:
            body: raw bytes instead of a Bot API answer.
            until: the answer waits for this event.
            drop: cut the connection `before` the call is executed (it is not recorded) or `after` it is.
        """
        if body is None and (http != 200 or result is not None):
            body = _write_answer(http, result, description, parameters)
        self._scripts.append(Script(method, chat_id, times, http, body, headers or {}, until, drop))

    async def wait_for_calls(self, count: int, method: str = "*") -> list[Call]:
        """Return the calls of `method` as soon as there are `count`."""
        async with asyncio.timeout(WAIT_SECONDS), self._changed:
            await self._changed.wait_for(lambda: len(self.list_calls(method)) >= count)
        return self.list_calls(method)

    async def wait_for_hangups(self, count: int) -> None:
        """Return as soon as `count` connections have ended."""
        async with asyncio.timeout(WAIT_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.hangups >= count)

    def list_calls(self, method: str = "*") -> list[Call]:
        """Return the calls of `method` so far, oldest first."""
        return [call for call in self.calls if method in (call.method, "*")]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        task = asyncio.create_task(self._serve(reader, writer, self.connections))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        try:
            while await self._serve_one(reader, writer, connection):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is gone: that is its right
        finally:
            self._writers.discard(writer)
            writer.transport.abort()
            async with self._changed:
                self.hangups += 1
                self._changed.notify_all()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> bool:
        """Answer one call; returns whether the connection stays."""
        call = await _read_call(reader, connection)
        self.requests += 1
        script = self._take_script(call)
        if script.drop != "before":
            await self._record(call)
        if script.drop:
            return False
        if script.until is not None:
            await _wait_unless_gone(script.until, reader)
        body = self._succeed(call) if script.body is None else script.body
        _write_response(writer, script.status, body, script.headers)
        await writer.drain()
        return True

    def _take_script(self, call: Call) -> Script:
        fitting = [script for script in self._scripts if script.fits(call)]
        script = next((each for each in fitting if each.times is not None), fitting[-1] if fitting else SUCCESS)
        if script.times is not None:
            script.times -= 1
        return script

    async def _record(self, call: Call) -> None:
        self.mistakes += _find_mistakes(call)
        async with self._changed:
            self.calls.append(call)
            self._changed.notify_all()

    def _succeed(self, call: Call) -> bytes:
        if not call.method.startswith(("send", "copy", "edit")):
            return _write_answer(200, True, "", None)
        if call.method == "sendMediaGroup":
            media = call.params["media"]
            items = json.loads(media) if isinstance(media, str) else media
            return _write_answer(200, [self._make_message(call, item["type"]) for item in items], "", None)
        return _write_answer(200, self._make_message(call, call.method.removeprefix("send").lower()), "", None)

    def _make_message(self, call: Call, kind: str) -> dict[str, Any]:
        number, self._next_message_id = self._next_message_id, self._next_message_id + 1
        message: dict[str, Any] = {"message_id": number, "date": 0, "chat": {"id": call.params.get("chat_id")}}
        if kind == "photo":
            sizes = [{"file_id": f"{width}-{number}", "width": width, "height": 9} for width in (90, 1280, 320)]
            return message | {"photo": sizes}
        return message if kind == "message" else message | {kind: {"file_id": f"{kind}-{number}"}}


def _find_mistakes(call: Call) -> list[str]:
    is_json = call.headers.get("content-type", "").startswith("application/json")
    params = call.params if is_json else read_form(call.method, call.params)
    return find_call_mistakes(call.method, params, call.files)


async def _wait_unless_gone(until: asyncio.Event, reader: asyncio.StreamReader) -> None:
    """Wait for an event; raise ConnectionError as soon as the client hangs up."""
    happened, gone = asyncio.create_task(until.wait()), asyncio.create_task(reader.read(1))
    await asyncio.wait({happened, gone}, return_when=asyncio.FIRST_COMPLETED)
    happened.cancel()
    if gone.done():
        raise ConnectionError
    gone.cancel()
    await asyncio.wait({gone})


async def _read_call(reader: asyncio.StreamReader, connection: int) -> Call:
    request, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await _read_body(reader, headers)
    _, token, method = request.split(" ")[1].split("/", 2)
    params, files = _parse_body(headers.get("content-type", ""), body)
    return Call(token.removeprefix("bot"), method, params, files, headers, connection)


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body


def _parse_body(content_type: str, body: bytes) -> tuple[dict[str, Any], dict[str, HTTPFile]]:
    if content_type.startswith("application/json"):
        return json.loads(body), {}
    arguments: dict[str, list[bytes]] = {}
    files: dict[str, list[HTTPFile]] = {}
    parse_multipart_form_data(content_type.partition("boundary=")[2].encode(), body, arguments, files)
    return {name: values[0].decode() for name, values in arguments.items()}, {
        name: each[0] for name, each in files.items()
    }


def _write_answer(http: int, result: Any, description: str, parameters: Mapping[str, Any] | None) -> bytes:
    if http == 200:
        return json.dumps({"ok": True, "result": result}).encode()
    answer: dict[str, Any] = {"ok": False, "error_code": http, "description": description}
    if parameters:
        answer["parameters"] = parameters
    return json.dumps(answer).encode()


def _write_response(writer: asyncio.StreamWriter, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    lines = [f"HTTP/1.1 {status} Said", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    writer.write("\r\n".join(lines).encode() + body)
