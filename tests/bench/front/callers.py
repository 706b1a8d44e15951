"""Load: so many connections, each sends an update when it has the answer to its last one, and when one is due."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from grimbots.tests.bench.front.contract import HOST

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
OPEN_AT_ONCE = 100  # connections, so that no server's backlog is full
LAST_SECONDS = 20.0  # that the last answers may take

TICK_SECONDS = 0.001

Update = tuple[int, bytes]  # its chat's number, and the POST as it goes over the wire
Due = tuple[Update, float]  # and the instant from which its wait counts


@dataclass
class Tally:
    """What became of a load: waits in seconds of what was answered while it counted, chats answered 200, the rest."""

    counts_from: float = 0.0
    waits: list[float] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    refused: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Caller(asyncio.Protocol):
    """One connection; when it is cut it says nothing, as `kill -9` of the server will do."""

    def __init__(self, take: Callable[[], Due | None], tally: Tally) -> None:
        self._take, self._tally = take, tally
        self._unread = b""
        self._chat = 0
        self._due_at = 0.0
        self.is_idle = True
        self.is_cut = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send_next(self) -> None:
        """Send an update, if one is due and the load goes on."""
        due = None if self._tally.ended.is_set() else self._take()
        self.is_idle = due is None
        if due is not None:
            (self._chat, request), self._due_at = due
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Note a whole answer, then send."""
        unread = self._unread + data if self._unread else data
        end = unread.find(b"\r\n\r\n")
        length = LENGTH.search(unread, 0, end + 2) if end >= 0 else None
        whole = end + 4 + (int(length[1]) if length else 0)
        if end < 0 or len(unread) < whole:
            self._unread = unread
            return
        self._unread = unread[whole:]
        self._note(unread[9:12])
        self.send_next()

    def connection_lost(self, error: Exception | None) -> None:
        """Nothing more comes."""
        self.is_idle = self.is_cut = True

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def _note(self, status: bytes) -> None:
        now = time.monotonic()
        if status != b"200":
            self._tally.refused += 1
            return
        self._tally.accepted.append(self._chat)
        if now >= self._tally.counts_from:
            self._tally.waits.append(now - self._due_at)


def take_at_once(updates: Iterator[Update]) -> Callable[[], Due | None]:
    """Give what takes the next update, due when it is taken."""

    def take() -> Due | None:
        update = next(updates, None)
        return None if update is None else (update, time.monotonic())

    return take


async def open_callers(port: int, connections: int, updates: Iterator[Update], tally: Tally) -> list[Caller]:
    """Open connections that send these updates one after the other; nothing is sent yet."""
    return await _open(port, connections, take_at_once(updates), tally)


async def _open(port: int, connections: int, take: Callable[[], Due | None], tally: Tally) -> list[Caller]:
    loop, callers = asyncio.get_running_loop(), list[Caller]()
    for first in range(0, connections, OPEN_AT_ONCE):
        count = min(OPEN_AT_ONCE, connections - first)
        opening = (loop.create_connection(lambda: Caller(take, tally), HOST, port) for _ in range(count))
        callers += [caller for _, caller in await asyncio.gather(*opening)]
    return callers


async def wait_idle(callers: list[Caller], seconds: float = LAST_SECONDS) -> None:
    """Wait until every answer is there, for a while."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not all(caller.is_idle for caller in callers):
                await asyncio.sleep(0.01)


async def call(port: int, connections: int, updates: Iterator[Update], warm_up: float, seconds: float) -> Tally:
    """Load a server for some seconds after a warm-up; `waits` has what was answered within them."""
    tally = Tally(counts_from=time.monotonic() + 3600)
    callers = await open_callers(port, connections, updates, tally)
    tally.counts_from = time.monotonic() + warm_up
    for caller in callers:
        caller.send_next()
    await asyncio.sleep(warm_up + seconds)
    counted = len(tally.waits)
    tally.ended.set()
    await wait_idle(callers)
    del tally.waits[counted:]
    for caller in callers:
        caller.close()
    return tally


async def call_on_schedule(port: int, connections: int, updates: Iterator[Update], per_second: float) -> Tally:
    """Send each update at its instant, or as soon as a connection is free: as Telegram does. Waits count from then."""
    tally, due = Tally(), deque[Due]()
    callers = await _open(port, connections, lambda: due.popleft() if due else None, tally)
    began_at, place, update = time.monotonic(), 0, next(updates, None)
    while update is not None or due:
        while update is not None and (due_at := began_at + place / per_second) <= time.monotonic():
            due.append((update, due_at))
            place, update = place + 1, next(updates, None)
        for caller in callers:
            if due and caller.is_idle:
                caller.send_next()
        await asyncio.sleep(TICK_SECONDS)
    await wait_idle(callers)
    for caller in callers:
        caller.close()
    return tally
