"""A buyer for tests of updates: makes what Telegram would post for it, and lets the bot handle it at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from grimbots.services import updates

CHAT = 4242


class Buyer:
    """Somebody in one bot's chat, whose updates are handled at once as a worker would."""

    def __init__(self, app: Any, tenant: Any, query: Callable[..., list[Any]], chat_id: int = CHAT) -> None:
        self.app, self.tenant, self.query, self.chat_id = app, tenant, query, chat_id
        self.person = {"id": chat_id, "is_bot": False, "first_name": "Ana", "language_code": "pt-br"}
        self.next_update_id = 1000

    def make(self, **content: Any) -> dict[str, Any]:
        """Make the next update."""
        self.next_update_id += 1
        return {"update_id": self.next_update_id, **content}

    def make_text(self, text: str, sent_at: datetime | None = None) -> dict[str, Any]:
        """Make a message; sent now unless it says otherwise."""
        chat, date = {"id": self.chat_id, "type": "private"}, (sent_at or self.app.clock()).timestamp()
        return self.make(message={"message_id": 5, "from": self.person, "chat": chat, "date": int(date), "text": text})

    def make_tap(self, data: str) -> dict[str, Any]:
        message = {"message_id": 6, "chat": {"id": self.chat_id, "type": "private"}, "date": 0}
        return self.make(callback_query={"id": "1", "from": self.person, "message": message, "data": data})

    def make_membership(self, status: str) -> dict[str, Any]:
        change = {"chat": {"id": self.chat_id, "type": "private"}, "from": self.person, "date": 1}
        return self.make(my_chat_member={**change, "new_chat_member": {"status": status}})

    async def handle(self, update: dict[str, Any], received_at: datetime | None = None) -> list[str]:
        """Let the bot handle it, received now or when it says; returns the ids of the jobs that follow."""
        received = (received_at or self.app.clock()).timestamp()
        done = await updates.handle(self.app, bot_id=self.tenant.bot_id, update=update, received_at=received)
        assert done is not None
        return [job.id for job in done.follow_ups]

    async def say(self, text: str) -> list[str]:
        return await self.handle(self.make_text(text))

    async def tap(self, label: str) -> list[str]:
        """Press the newest button with this text."""
        return await self.handle(self.make_tap(self.find_button(label)))

    def find_button(self, label: str) -> str:
        """Give the callback_data of the newest button with this text."""
        bodies = [body for (body,) in self.query("SELECT body FROM messages ORDER BY id")]
        rows = [row for body in bodies for row in body.get("reply_markup", {}).get("inline_keyboard", [])]
        return str([button["callback_data"] for row in rows for button in row if button["text"] == label][-1])

    def count(self, table: str) -> int:
        return int(self.query(f"SELECT count(*) FROM {table}")[0][0])

    def cause(self) -> str:
        return f"u:{self.tenant.bot_id}:{self.next_update_id}"
