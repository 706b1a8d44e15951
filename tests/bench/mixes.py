"""The mixed load: what people, Telegram, the payment provider, ads and a monitor send, by the old plan's weights."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from grimbots.tests.bench.loads import START_SECONDS, Client, write_look
from grimbots.tests.bench.sites import SLUG, Site

# The old plan had the first four. Every /start comes of a click; of ten who pressed it one pays.
WEIGHTS = {"start": 50, "text": 30, "tap": 20, "health": 10, "go": 50, "payment": 5}
MEANT = {"go": 302}  # all else is answered 200
LOOK_SECONDS = 1.0
LATEST_CHATS = 1000  # who writes has started lately
FIND_OFFERS = """
    SELECT id, chat_id, body #>> '{reply_markup,inline_keyboard,0,0,callback_data}'
    FROM messages
    WHERE id > %s AND step = 'offer' AND status = 'sent'
    ORDER BY id
"""
FIND_CHARGES = "SELECT id, txid, amount_cents FROM payments WHERE id > %s AND state = 'pending' ORDER BY id"


@dataclass(frozen=True, slots=True)
class Trip:
    """One request: when it was due and when its answer came (time.monotonic), and how; a status of 0 was cut."""

    kind: str
    due_at: float
    answered_at: float
    status: int

    @property
    def wait_ms(self) -> float:
        """From the instant it was due."""
        return (self.answered_at - self.due_at) * 1000

    @property
    def failed(self) -> bool:
        """Tell whether it was not answered as meant."""
        return self.status != MEANT.get(self.kind, 200)


@dataclass
class Crowd:
    """Who sends what next. A tap needs a button that was shown and a payment a code: both are looked up meanwhile."""

    site: Site
    random: Random = field(default_factory=lambda: Random(1))
    started: dict[int, float] = field(default_factory=dict)
    _latest: deque[int] = field(default_factory=lambda: deque(maxlen=LATEST_CHATS))
    _offers: deque[tuple[int, str]] = field(default_factory=deque)
    _charges: deque[tuple[str, int]] = field(default_factory=deque)
    _visits: itertools.count[int] = field(default_factory=itertools.count)
    _last_offer: int = 0
    _last_charge: int = 0

    def draw(self, due_at: float) -> tuple[str, bytes]:
        """Draw what is sent: its kind, and the request. Who has nothing to tap, to pay or to say presses /start."""
        kind = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        shop = self.site.shop
        match kind:
            case "text" if self._latest:
                return kind, shop.text(self.random.choice(self._latest), "quanto custa?")
            case "tap" if self._offers:
                return kind, shop.tap(*self._offers.popleft())
            case "payment" if self._charges:
                return kind, shop.pay(*self._charges.popleft())
            case "health":
                return kind, write_look("/health")
            case "go":
                number = next(self._visits)
                return kind, write_look(f"/go/{SLUG}?utm_source=ad{number % 7}&utm_campaign=bench&fbclid=click{number}")
        chat_id = next(shop.chats)
        self._latest.append(chat_id)
        self.started[chat_id] = due_at
        return "start", shop.start(chat_id)

    def forget(self) -> None:
        """Count the /starts anew."""
        self.started.clear()

    @asynccontextmanager
    async def look_on(self) -> AsyncIterator[None]:
        """Look meanwhile for buttons that were shown and codes that can be paid."""
        looking = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait([looking])

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.to_thread(self._look)
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        for number, chat_id, data in self.site.query(FIND_OFFERS, self._last_offer):
            self._last_offer = number
            self._offers.append((chat_id, data))
        for number, txid, amount_cents in self.site.query(FIND_CHARGES, self._last_charge):
            self._last_charge = number
            self._charges.append((txid, amount_cents))


async def send(client: Client, crowd: Crowd, rate: float, seconds: float) -> list[Trip]:
    """Send the mix at a steady rate, answered or not what went before, and wait for the answers."""
    began_at, under_way = time.monotonic() + START_SECONDS, []
    for place in range(round(rate * seconds)):
        due_at = began_at + place / rate
        await asyncio.sleep(due_at - time.monotonic())
        kind, request = crowd.draw(due_at)
        under_way.append(asyncio.create_task(_travel(client, kind, request, due_at)))
    return await asyncio.gather(*under_way)


async def _travel(client: Client, kind: str, request: bytes, due_at: float) -> Trip:
    try:
        status, _ = await client.send(request)
    except OSError:
        status = 0
    return Trip(kind, due_at, time.monotonic(), status)
