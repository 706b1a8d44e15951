"""Floods: calls that come faster than Telegram takes them, and the 429 they get.

One message a second per chat, short bursts allowed (core.telegram.org/bots/faq); how short is not published: `BURST`.
The 30 a second of that page are about bulk notifications; answers to people who write are not held to it, so it is not
enforced. The rest is written in tdlib/telegram-bot-api, Client.cpp (on_cmd, process_send_message_query,
process_set_webhook_query, fail_query_flood_limit_exceeded). Instants are the sandbox's, in Unix seconds.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from grimbots.services.sandbox.refusals import Refusal

BURST, CHAT_SECONDS = 5, 1.0
BIG_BYTES = 100_000  # uploads above it are paced, those of one size together
BACKLOG_SECONDS, BUCKET_SECONDS = 5.0, 1.0
MOST_UNSENT = 310
HOLD_SECONDS, LONG_SECONDS = 3.0, 60
WEBHOOK_SECONDS = 1.0
NEW_TOKENS = ((60, 20), (3600, 600))  # so many in so many seconds, from one address (ClientManager.cpp)


@dataclass(slots=True)
class Floods:
    """The pace of every bot's calls. `burst` messages of a chat may come at once; 0 lets any number pass.

    `limits_tokens`: tokens not seen before come at the pace Telegram holds outsiders to; callers of a local network,
    as all are here, it lets pass.
    """

    burst: int = BURST
    limits_tokens: bool = False
    _tokens: dict[str, float] = field(default_factory=dict)
    _chats: dict[tuple[int, int], float] = field(default_factory=dict)
    _uploads: dict[tuple[int, int], float] = field(default_factory=lambda: defaultdict(lambda: -math.inf))
    _unsent: Counter[tuple[int, str]] = field(default_factory=Counter)
    _webhooks: dict[int, float] = field(default_factory=dict)

    def note_messages(self, bot_id: int, chat_id: int, count: int, now: float) -> None:
        """Note that messages go into a chat: one, or an album's, which uses up a burst at most.

        Raises:
            Refusal: more than a burst, and less than a second each.
        """
        free_at = max(self._chats.get((bot_id, chat_id), now), now)  # when the chat would be at rest
        wait_seconds = free_at - now - (self.burst - 1) * CHAT_SECONDS
        if self.burst and wait_seconds > 0:
            raise _refuse(math.ceil(wait_seconds))
        self._chats[bot_id, chat_id] = min(free_at + count * CHAT_SECONDS, now + max(self.burst, 1) * CHAT_SECONDS)

    def note_upload(self, bot_id: int, size_bytes: int, now: float) -> float:
        """Note an upload; give the seconds it must wait. Infinity: too many of this size wait already."""
        if size_bytes <= BIG_BYTES:
            return 0.0
        key = (bot_id, size_bytes)
        if self._uploads[key] > now + BACKLOG_SECONDS:
            return math.inf
        each_seconds = min(max(size_bytes * 1e-7, 0.2), 0.9)
        self._uploads[key] = max(self._uploads[key] + each_seconds, now - BUCKET_SECONDS)
        return max(0.0, self._uploads[key] - now)

    @contextmanager
    def unsent(self, bot_id: int, chat_id: str) -> Iterator[bool]:
        """Count a call of a chat while it is under way; give whether too many of them are."""
        key = (bot_id, chat_id)
        self._unsent[key] += 1
        try:
            yield bool(chat_id) and self._unsent[key] > MOST_UNSENT
        finally:
            self._unsent[key] -= 1
            if not self._unsent[key]:
                del self._unsent[key]

    def note_token(self, token: str, now: float) -> None:
        """Note that a token is used.

        Raises:
            Refusal: it is new, and too many new ones came lately.
        """
        if token in self._tokens or not self.limits_tokens:
            return
        for span_seconds, most in NEW_TOKENS:
            lately = sorted(at for at in self._tokens.values() if at > now - span_seconds)
            if len(lately) >= most:
                raise _refuse(math.ceil(lately[-most] + span_seconds - now))
        self._tokens[token] = now

    def note_webhook(self, bot_id: int, now: float) -> None:
        """Note that a bot's webhook is set.

        Raises:
            Refusal: the second time within a second.
        """
        if now < self._webhooks.get(bot_id, -math.inf):
            raise _refuse(1)
        self._webhooks[bot_id] = now + WEBHOOK_SECONDS


def _refuse(retry_after_seconds: int) -> Refusal:
    description = f"Too Many Requests: retry after {retry_after_seconds}"
    return Refusal(429, description, retry_after=retry_after_seconds)
