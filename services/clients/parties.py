"""What each party has for itself: its places and line, its connections, its look-ups."""

from __future__ import annotations

import ssl
from types import SimpleNamespace

import aiohttp

from grimbots.services.clients.addresses import connect_public_only
from grimbots.services.clients.names import Names
from grimbots.services.clients.places import Places

USER_AGENT = "GrimBots/1"
HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}


class Party:
    """One remote party. `tls`: whom to trust; None: whom the system trusts."""

    def __init__(self, places: int, tls: ssl.SSLContext | None) -> None:
        self.places = Places(places)
        self.names = Names()
        self._limit = places
        self._tls = tls
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    def session(self, is_guarded: bool) -> aiohttp.ClientSession:
        """Return the session; the guarded one shares no connection: a kept one could lead inside."""
        found = self._sessions.get(is_guarded)
        if found is None:
            found = self._sessions[is_guarded] = self._make_session(is_guarded)
        return found

    async def close(self) -> None:
        """Close the connections."""
        for session in self._sessions.values():
            await session.close()
        await self.names.close()

    def _make_session(self, is_guarded: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._limit,
            resolver=self.names,
            ssl=True if self._tls is None else self._tls,
            timeout_ceil_threshold=60,
            socket_factory=connect_public_only if is_guarded else None,
        )
        tracing = aiohttp.TraceConfig()
        tracing.on_request_headers_sent.append(_note_beginning)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=HEADERS,
            auto_decompress=False,
            trace_configs=[tracing],
        )


async def _note_beginning(
    session: aiohttp.ClientSession, context: SimpleNamespace, sent: aiohttp.TraceRequestHeadersSentParams
) -> None:
    context.trace_request_ctx.has_begun = True
