"""A watch over a crowd: one poller asks, for all chats at once, what was said, what is still owed, and what may come.

A chat is owed something while the sandbox has an update for it, the queue a job, or the rows a message, a charge, money
that is on its way, or a timer that is due. Whoever waits does so until it comes or nothing is owed to him any more,
however slow the machine is. Bounded all the same: nobody waits where nothing has moved anywhere for STILL_SECONDS.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

import redis.asyncio

from grimbots.tests.e2e.buyers import Message, Shops, Sign
from grimbots.tests.rows import Query

T = TypeVar("T")

LOOK_EVERY_SECONDS = 0.25
STILL_SECONDS = 120.0  # the product gives up what it cannot send after 45 s
QUIET_LOOKS = 2  # what passes from one place to the next during a look is unseen by that one
OWED = """
SELECT leads.chat_id,
    coalesce(said.owed, 0) + coalesce(charged.owed, 0) + coalesce(waits.owed, 0) + coalesce(retries.owed, 0) AS owed,
    coalesce(said.planned, 0) AS planned,
    coalesce(said.failed, 0) AS failed,
    leads.step = '' AS has_ended
FROM leads
LEFT JOIN (
    SELECT lead_id,
        count(*) FILTER (WHERE status IN ('planned', 'sending')) AS owed,
        count(*) AS planned,
        count(*) FILTER (WHERE status = 'failed') AS failed
    FROM messages
    GROUP BY lead_id
) AS said ON said.lead_id = leads.id
LEFT JOIN (
    SELECT lead_id, count(*) AS owed
    FROM payments
    WHERE state IN ('new', 'creating') OR (state = 'pending' AND idempotency_key = ANY(%s))
    GROUP BY lead_id
) AS charged ON charged.lead_id = leads.id
LEFT JOIN (
    SELECT payload -> 'lead_id' AS lead_id, count(*) AS owed
    FROM timers
    WHERE status = 'pending' AND kind IN ('wakes.wake', 'nudges.give') AND due_at <= now()
    GROUP BY payload -> 'lead_id'
) AS waits ON waits.lead_id = to_jsonb(leads.id)
LEFT JOIN (
    SELECT deliveries.lead_id, count(*) AS owed
    FROM timers
    JOIN deliveries ON to_jsonb(deliveries.id) = timers.payload -> 'delivery_id'
    WHERE timers.status = 'pending' AND timers.kind = 'deliveries.retry'
    GROUP BY deliveries.lead_id
) AS retries ON retries.lead_id = leads.id
"""
# The next wait of each of these chats ends now: in the order in which time would end them.
PULL = """
UPDATE timers
SET due_at = now()
FROM (
    SELECT DISTINCT ON (leads.id) leads.chat_id, timers.id
    FROM leads
    JOIN timers ON timers.payload -> 'lead_id' = to_jsonb(leads.id)
    WHERE leads.chat_id = ANY(%s) AND timers.status = 'pending' AND timers.kind IN ('wakes.wake', 'nudges.give')
    ORDER BY leads.id, timers.due_at, timers.id
) AS next
WHERE timers.id = next.id AND timers.due_at > now()
RETURNING next.chat_id
"""
RETRY = "UPDATE timers SET due_at = now() WHERE status = 'pending' AND kind = 'deliveries.retry' AND due_at > now()"


class Sight(NamedTuple):
    """What the rows say of one chat."""

    owed: int = 0
    planned: int = 0
    failed: int = 0
    has_ended: bool = False


UNSEEN = Sight()


class Watch:
    """What is known of every chat. `paid` are the charges whose money is on its way; `looks` counts looks so far."""

    def __init__(self, shops: Shops, query: Query, redis_url: str) -> None:
        self.shops, self.paid, self.looks = shops, list[str](), 0
        self._query = query
        self._redis = redis.asyncio.Redis.from_url(redis_url, decode_responses=True)
        self._sights: dict[int, Sight] = {}
        self._quiet: Counter[int] = Counter()
        self._news: dict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self._hurried: set[int] = set()
        self._oldest_open = 0
        self._moved_at = time.monotonic()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Look again and again meanwhile."""
        async with self._redis, asyncio.TaskGroup() as group:
            looking = group.create_task(self._look_on())
            yield
            looking.cancel()

    def see(self, chat_id: int) -> Sight:
        """Give what the rows said of a chat at the last look."""
        return self._sights.get(chat_id, UNSEEN)

    def note_act(self, chat_id: int) -> None:
        """Know that a chat's person has just done something: what was quiet before says nothing any more."""
        self._quiet[chat_id] = -1  # the look that is under way may have missed it

    async def wait(self, chat_id: int, after: int, sign: Sign) -> Message | None:
        """Wait for a chat's message that fits, said behind the message `after`; None: it will not come."""
        return await self.wait_until(chat_id, lambda: self._find(chat_id, after, sign))

    async def hurry(self, chat_id: int, after: int, sign: Sign) -> Message | None:
        """Let a chat's waits end, one after the other, until one of them says what fits; None: none does."""
        self._hurried.add(chat_id)
        try:
            return await self.wait(chat_id, after, sign)
        finally:
            self._hurried.discard(chat_id)

    async def wait_until(self, chat_id: int, find: Callable[[], T | None]) -> T | None:
        """Wait until there is something to find; None: nothing is owed to the chat any more."""
        self.note_act(chat_id)
        while True:
            self._news[chat_id].clear()
            if (found := find()) is not None or self._has_nothing_to_come(chat_id):
                return found
            await self._news[chat_id].wait()

    def describe(self, chat_id: int) -> str:
        """Say how a chat stands."""
        return f"{self.see(chat_id)}, {self._quiet[chat_id]} quiet looks, hurried: {chat_id in self._hurried}"

    def _find(self, chat_id: int, after: int, sign: Sign) -> Message | None:
        said = reversed(self.shops.said[chat_id])
        return next((message for message in said if message["message_id"] > after and sign(message)), None)

    def _has_nothing_to_come(self, chat_id: int) -> bool:
        return self._quiet[chat_id] >= QUIET_LOOKS or time.monotonic() - self._moved_at > STILL_SECONDS

    async def _look_on(self) -> None:
        while True:
            began = time.monotonic()
            await self._look()
            self.looks += 1
            await asyncio.sleep(max(LOOK_EVERY_SECONDS, time.monotonic() - began))  # at most half of the time looks

    async def _look(self) -> None:
        """Look along the way that work takes, and hear last: what the rows call sent is heard then."""
        busy = await self._list_updates() | await self._list_jobs()
        rows = await asyncio.to_thread(self._query, OWED, self.paid)
        heard = await self.shops.hear()
        sights = {chat_id: Sight(*sight) for chat_id, *sight in rows}
        moved = heard | {chat_id for chat_id, sight in sights.items() if sight != self.see(chat_id)}
        self._sights = sights
        if moved:
            self._moved_at = time.monotonic()
        for chat_id in self._news.keys() | sights.keys():
            is_quiet = chat_id not in busy and chat_id not in moved and not self.see(chat_id).owed
            self._quiet[chat_id] = min(self._quiet[chat_id], QUIET_LOOKS) + 1 if is_quiet else 0
        await self._pull()
        self._tell(moved)

    async def _pull(self) -> None:
        """Let time pass for those to whom nothing is owed before it does."""
        await asyncio.to_thread(self._query, RETRY)
        hurried = [chat_id for chat_id in self._hurried if self._quiet[chat_id] > 0]
        for (chat_id,) in await asyncio.to_thread(self._query, PULL, hurried) if hurried else ():
            self._quiet[chat_id] = 0
            self._moved_at = time.monotonic()

    def _tell(self, moved: set[int]) -> None:
        for chat_id, news in self._news.items():
            if chat_id in moved or self._has_nothing_to_come(chat_id):
                news.set()

    async def _list_updates(self) -> set[int]:
        """List the chats of which the sandbox has an update that was not taken yet."""
        found: set[int] = set()
        after, oldest_open = self._oldest_open, None
        while page := await self.shops.installation.api("GET", f"posts?after={after}"):
            for post in page:
                if post["outcome"] is None:
                    oldest_open = oldest_open or post["seq"]
                    found |= _read_chat(post)
            after = page[-1]["seq"]
        self._oldest_open = oldest_open - 1 if oldest_open else after
        return found

    async def _list_jobs(self) -> set[int]:
        """List the chats that have a job in the queue."""
        names = self._redis.scan_iter(match="*:group:*", count=10_000)
        return {int(chat) async for name in names if (chat := name.rpartition("|")[2]).isdigit()}


def _read_chat(post: dict[str, Any]) -> set[int]:
    return {int(post["queue"].rpartition(":")[2])} if post["kind"] == "update" else set()
