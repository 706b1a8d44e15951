"""The one pool of outbound connections. A provider's "no" is a Response; a network failure is NeverSent or Ambiguous.

Every party (telegram, gateway, webhook ...) has connections of its own: a slow one starves no other. Connections are
kept alive, redirects are never followed, answers are bounded, cookies and the environment's proxies are ignored.
A POST leaves at most once per call (aiohttp repeats GET, HEAD, OPTIONS, TRACE, PUT and DELETE only, when a reused
connection turns out to be closed). No exception carries a URL: Bot API addresses contain the bot's token.
"""

from __future__ import annotations

import io
import json as json_module
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, BinaryIO

import aiohttp

from grimbots.services.clients.addresses import connect_public_only

USER_AGENT = "GrimBots/1"
CONNECTIONS_PER_PARTY = 100  # every job slot of a process (50 + 20 + 20 + 10) may talk to the same party at once
CONNECT_SECONDS = 5.0  # waiting for a place in the pool, DNS, TCP and TLS together
MAX_RESPONSE_BYTES = 1 << 20


class NeverSent(Exception):
    """The request surely did not leave: no place in the pool, or DNS, connect or TLS failed. Repeat it freely."""


class Ambiguous(Exception):
    """The request had begun to leave and no whole answer came: the party may have executed it."""


@dataclass(frozen=True, slots=True)
class File:
    """One uploaded part of a multipart form: bytes, or a file on disk that is read as it leaves."""

    name: str
    content: bytes | BinaryIO = field(repr=False)
    content_type: str

    @property
    def size_bytes(self) -> int:
        """How much there is to send."""
        return len(self.content) if isinstance(self.content, bytes) else os.fstat(self.content.fileno()).st_size


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer, whatever its status. Header names are case-insensitive."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(slots=True)
class _Attempt:
    has_begun: bool = False


class HttpClient:
    """Outbound HTTP for the whole process. `public_only` refuses addresses that are not of the public internet."""

    def __init__(
        self, connections_per_party: int = CONNECTIONS_PER_PARTY, connect_seconds: float = CONNECT_SECONDS
    ) -> None:
        self._connections_per_party = connections_per_party
        self._connect_seconds = connect_seconds
        self._sessions: dict[tuple[str, bool], aiohttp.ClientSession] = {}
        self._is_open = False

    async def open(self) -> None:
        """Begin to accept requests; connections are made as they are needed."""
        self._is_open = True

    async def close(self) -> None:
        """Close every connection; requests are refused from now on."""
        self._is_open = False
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        party: str,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, File] | None = None,
        body: bytes | None = None,
        timeout_seconds: float,
        public_only: bool = False,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
    ) -> Response:
        """Send one of `json`, `form` (multipart with `files`) and `body`; read the answer within `timeout_seconds`.

        Raises:
            NeverSent: surely not executed.
            Ambiguous: perhaps executed: no answer in time, connection lost, or an answer over `max_response_bytes`.
        """
        if not self._is_open:
            raise NeverSent(f"{party}: the client is closed")
        data, content_headers = _encode(json, form, files, body)
        attempt = _Attempt()
        try:
            async with self._session(party, public_only).request(
                method,
                url,
                data=data,
                headers={**content_headers, **(headers or {})},
                allow_redirects=False,
                timeout=self._timeout(timeout_seconds),
                trace_request_ctx=attempt,
            ) as response:
                return Response(response.status, response.headers, await _read(response, max_response_bytes))
        except (aiohttp.ClientError, OSError, TimeoutError, UnicodeError) as error:
            failure = _classify(error, party, attempt)
        raise failure  # outside the block: no context, so no URL, hangs on it

    def _session(self, party: str, public_only: bool) -> aiohttp.ClientSession:
        """Return the party's session. The public-only one shares no connection: a kept one could lead inside."""
        session = self._sessions.get((party, public_only))
        if session is None:
            session = self._sessions[party, public_only] = self._make_session(public_only)
        return session

    def _make_session(self, public_only: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._connections_per_party,
            timeout_ceil_threshold=60,
            socket_factory=connect_public_only if public_only else None,
        )
        tracing = aiohttp.TraceConfig()
        tracing.on_request_headers_sent.append(_note_beginning)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            auto_decompress=False,
            trace_configs=[tracing],
        )

    def _timeout(self, seconds: float) -> aiohttp.ClientTimeout:
        connect = min(self._connect_seconds, seconds)
        return aiohttp.ClientTimeout(total=seconds, connect=connect, ceil_threshold=60)


async def _note_beginning(
    session: aiohttp.ClientSession, context: SimpleNamespace, sent: aiohttp.TraceRequestHeadersSentParams
) -> None:
    context.trace_request_ctx.has_begun = True


def _encode(
    json: Any, form: Mapping[str, str] | None, files: Mapping[str, File] | None, body: bytes | None
) -> tuple[bytes | aiohttp.FormData | None, dict[str, str]]:
    if json is not None:
        return json_module.dumps(json, separators=(",", ":")).encode(), {"Content-Type": "application/json"}
    if form is None and not files:
        return body, {}
    data = aiohttp.FormData(form or {}, quote_fields=False)  # a file's name goes as UTF-8, as browsers send it
    for name, file in (files or {}).items():
        content = io.BytesIO(file.content) if isinstance(file.content, bytes) else file.content
        data.add_field(name, content, filename=file.name, content_type=file.content_type)
    return data, {}


async def _read(response: aiohttp.ClientResponse, max_response_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > max_response_bytes:
            raise aiohttp.ClientPayloadError("the answer is too long")
    return bytes(body)


def _classify(error: Exception, party: str, attempt: _Attempt) -> NeverSent | Ambiguous:
    """Make our failure of a library's. Its own text is left out but for the system's reason: it may hold the URL."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else ""
    text = f"{party}: {type(error).__name__} {reason}".rstrip()
    return Ambiguous(text) if attempt.has_begun else NeverSent(text)
