"""Access tokens (OAuth 2.0, client credentials): one per account in a process, fetched once however many ask for it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from grimbots.services.clients.flights import Flights

MOST = 1_000  # accounts whose tokens one process keeps; a further one ends the life of the least recently used
SPARE_SECONDS = 60.0  # what is left of a life when it is over for us: the party's clock and a call's time
SPARE_SHARE = 0.1  # or that part of a short life

No = TypeVar("No")


@dataclass(frozen=True, slots=True)
class Token:
    """What a party gave, and for how long it said so."""

    value: str = field(repr=False)
    life_seconds: float


class Tokens:
    """The tokens of this process, by whatever key names the account: a digest of its credentials, never one of them."""

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[str, tuple[Token, float]] = OrderedDict()
        self._flights = Flights()

    async def get(self, key: str, fetch: Callable[[], Awaitable[Token | No]]) -> Token | No:
        """Return the token kept for a key, else what `fetch` gives: its refusal is kept for nobody."""
        token, ends_at = self._kept.get(key, (None, 0.0))
        if token is not None and self._clock() < ends_at:
            self._kept.move_to_end(key)
            return token
        return await self._flights.join(key, lambda: self._fetch(key, fetch))

    def drop(self, key: str, token: Token) -> None:
        """Forget a token the party took no more; one that was fetched since stays."""
        if self._kept.get(key, (None, 0.0))[0] is token:
            del self._kept[key]

    async def _fetch(self, key: str, fetch: Callable[[], Awaitable[Token | No]]) -> Token | No:
        asked_at = self._clock()
        token = await fetch()
        if isinstance(token, Token):
            spare_seconds = min(SPARE_SECONDS, token.life_seconds * SPARE_SHARE)
            self._kept[key] = (token, asked_at + token.life_seconds - spare_seconds)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return token
