"""The one pool of outbound connections. A provider's "no" is a Response; a network failure is NeverSent or Ambiguous.

Every party (telegram, gateway:<name>, webhook ...) has places, a line, connections and look-ups of its own: a slow one
starves no other. Connections are kept alive, redirects are never followed, answers are bounded and never unpacked,
cookies and the environment's proxies are ignored. A POST leaves at most once per call (aiohttp repeats GET, HEAD,
OPTIONS, TRACE, PUT and DELETE only, when a reused connection turns out to be closed). No exception carries a URL: Bot
API addresses contain the bot's token.
"""

from __future__ import annotations

import io
import json as json_module
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, BinaryIO

import aiohttp

from grimbots.conf import metrics
from grimbots.services.clients.identities import Identities
from grimbots.services.clients.parties import Party
from grimbots.services.clients.places import NoPlace
from grimbots.services.clients.proxies import find_way, read_proxy
from grimbots.services.clients.tokens import Tokens

# Requests at once, by what stands before the colon of a party. A gateway that hangs must leave slots of its queue (20)
# to the others, and so must an ad network of those that campaigns run in (10); elsewhere every job slot of a process
# may talk to the same party at once.
PLACES = MappingProxyType({"conversions": 4, "gateway": 12})
OTHER_PLACES = 100
CONNECT_SECONDS = 5.0  # DNS, TCP, the proxy and TLS together
LEAST_SECONDS = 0.001  # 0 would be for ever
MAX_RESPONSE_BYTES = 1 << 20


class NeverSent(Exception):
    """The request surely did not leave: no place, or DNS, connect, the proxy or TLS failed. Repeat it freely."""


class Crowded(NeverSent):
    """It did not even try to leave: our own line to the party was full. It says nothing of the party."""


class Ambiguous(Exception):
    """The request had begun to leave and no whole answer came: the party may have executed it."""


class AnswerTooLong(aiohttp.ClientPayloadError):
    """The answer is longer than its reader takes."""


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


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    url: str
    data: bytes | aiohttp.FormData | None
    headers: Mapping[str, str]
    public_only: bool
    certificate: str = field(repr=False)


@dataclass(slots=True)
class _Attempt:
    deadline: float  # monotonic
    has_begun: bool = False

    @property
    def left_seconds(self) -> float:
        return max(self.deadline - time.monotonic(), LEAST_SECONDS)


class HttpClient:
    """Outbound HTTP for the whole process. `public_only` refuses addresses that are not of the public internet.

    `tokens` are the access tokens of the accounts this process speaks for: they live as long as the connections.

    Args:
        proxy: http(s)://user:password@host:port for every https address; "" for none.
        places: the requests at once of each kind of party.
        tls: whom to trust; None: whom the system trusts.
    """

    def __init__(
        self,
        *,
        proxy: str = "",
        places: Mapping[str, int] = PLACES,
        connect_seconds: float = CONNECT_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._proxy = read_proxy(proxy)
        self._places = places
        self._connect_seconds = connect_seconds
        self._tls = tls
        self._identities = Identities(tls)
        self.tokens = Tokens()
        self._parties: dict[str, Party] = {}
        self._is_open = False

    async def open(self) -> None:
        """Begin to accept requests; connections are made as they are needed."""
        self._is_open = True

    async def close(self) -> None:
        """Close every connection; requests are refused from now on."""
        self._is_open = False
        parties, self._parties = list(self._parties.values()), {}
        for party in parties:
            await party.close()

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
        certificate: str = "",
    ) -> Response:
        """Send one of `json`, `form` (multipart with `files`) and `body`; read the answer within `timeout_seconds`.

        `certificate` is ours, chain and key with it, as PEM: for a party that wants to know who calls (mTLS).

        Raises:
            NeverSent: surely not executed.
            Ambiguous: perhaps executed: no answer in time, connection lost, or an answer over `max_response_bytes`.
        """
        if not self._is_open:
            raise NeverSent(f"{party}: the client is closed")
        data, content_headers = _encode(json, form, files, body)
        call = _Call(method, url, data, {**content_headers, **(headers or {})}, public_only, certificate)
        attempt = _Attempt(time.monotonic() + timeout_seconds)
        try:
            return await self._send(self._find_party(party), call, attempt, max_response_bytes)
        except NoPlace as full:
            metrics.outbound_refused.labels(_kind_of(party)).inc()
            failure: NeverSent | Ambiguous = Crowded(f"{party}: {full}")
        except (aiohttp.ClientError, OSError, TimeoutError, UnicodeError) as error:
            failure = _classify(error, party, attempt)
        raise failure  # outside the block: no context, so no URL, hangs on it

    async def _send(self, party: Party, call: _Call, attempt: _Attempt, max_response_bytes: int) -> Response:
        async with party.places.hold(attempt.left_seconds):
            way = await find_way(
                call.url, self._proxy, party.names, public_only=call.public_only, seconds=self._connect_seconds
            )
            tls = await self._identities.get(call.certificate) if call.certificate else True  # True: the session's own
            async with party.session(way.is_guarded).request(
                call.method,
                way.url,
                data=call.data,
                headers={**way.headers, **call.headers},
                allow_redirects=False,
                timeout=self._timeout(attempt.left_seconds),
                trace_request_ctx=attempt,
                ssl=tls,
                **way.options,
            ) as response:
                return Response(response.status, response.headers, await _read(response, max_response_bytes))

    def _find_party(self, name: str) -> Party:
        party = self._parties.get(name)
        if party is None:
            places = self._places.get(_kind_of(name), OTHER_PLACES)
            party = self._parties[name] = Party(places, self._tls)
        return party

    def _timeout(self, seconds: float) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=seconds, connect=min(self._connect_seconds, seconds), ceil_threshold=60)


def _kind_of(party: str) -> str:
    return party.partition(":")[0]


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
            raise AnswerTooLong
    return bytes(body)


def _classify(error: Exception, party: str, attempt: _Attempt) -> NeverSent | Ambiguous:
    """Make our failure of a library's. Its own text is left out but for the system's reason: it may hold the URL."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else ""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        reason = f"the proxy answers {error.status}"
    text = f"{party}: {type(error).__name__} {reason}".rstrip()
    return Ambiguous(text) if attempt.has_begun else NeverSent(text)
