"""Messages of a chat, kept as Bot API Message objects; each change is numbered, so that the page sees edits too."""

from __future__ import annotations

import json
from typing import Any

from grimbots.services.sandbox.state import Sandbox, next_change
from grimbots.services.sandbox.store import Row

Message = dict[str, Any]


def add(sandbox: Sandbox, bot: Row, chat: dict[str, Any], sender: dict[str, Any], content: dict[str, Any]) -> Message:
    """Store a new message; like a real account, the bot numbers the messages of all its private chats in one row."""
    message_id = sandbox.store.value(
        "UPDATE bots SET last_message_id = last_message_id + 1 WHERE id = :bot_id RETURNING last_message_id",
        bot_id=bot["id"],
    )
    message = {"message_id": message_id, "from": sender, "chat": chat, "date": int(sandbox.clock())} | content
    sandbox.store.run(
        """
        INSERT INTO messages (bot_id, id, chat_id, body, change)
        VALUES (:bot_id, :message_id, :chat_id, :body, :change)
        """,
        bot_id=bot["id"],
        message_id=message_id,
        chat_id=chat["id"],
        body=json.dumps(message, ensure_ascii=False),
        change=next_change(sandbox),
    )
    return message


def find(sandbox: Sandbox, bot: Row, chat_id: int, message_id: int) -> Message | None:
    """Give a message of this chat that was not deleted."""
    row = sandbox.store.find(
        """
        SELECT body
        FROM messages
        WHERE bot_id = :bot_id AND chat_id = :chat_id AND id = :message_id AND NOT is_deleted
        """,
        bot_id=bot["id"],
        chat_id=chat_id,
        message_id=message_id,
    )
    return json.loads(row["body"]) if row else None


def save(sandbox: Sandbox, bot: Row, message: Message) -> None:
    """Store a message's new content."""
    sandbox.store.run(
        "UPDATE messages SET body = :body, change = :change WHERE bot_id = :bot_id AND id = :message_id",
        bot_id=bot["id"],
        message_id=message["message_id"],
        body=json.dumps(message, ensure_ascii=False),
        change=next_change(sandbox),
    )


def delete(sandbox: Sandbox, bot: Row, message_id: int) -> None:
    """Take a message out of its chat."""
    sandbox.store.run(
        "UPDATE messages SET is_deleted = 1, change = :change WHERE bot_id = :bot_id AND id = :message_id",
        bot_id=bot["id"],
        message_id=message_id,
        change=next_change(sandbox),
    )


def list_after(sandbox: Sandbox, bot: Row, chat_id: int, after: int) -> list[Message]:
    """Give the chat's messages with a higher id, in order."""
    rows = sandbox.store.list(
        """
        SELECT body
        FROM messages
        WHERE bot_id = :bot_id AND chat_id = :chat_id AND id > :after AND NOT is_deleted
        ORDER BY id
        """,
        bot_id=bot["id"],
        chat_id=chat_id,
        after=after,
    )
    return [json.loads(row["body"]) for row in rows]


def list_all_after(sandbox: Sandbox, bot: Row, after: int) -> list[Message]:
    """Give the messages of all the bot's chats with a higher id, in order."""
    rows = sandbox.store.list(
        "SELECT body FROM messages WHERE bot_id = :bot_id AND id > :after AND NOT is_deleted ORDER BY id",
        bot_id=bot["id"],
        after=after,
    )
    return [json.loads(row["body"]) for row in rows]


def list_changes(sandbox: Sandbox, bot: Row, chat_id: int, since: int) -> dict[str, Any]:
    """Give what the chat page has not seen: new and edited messages, ids of deleted ones, answers to taps."""
    values = {"bot_id": bot["id"], "chat_id": chat_id, "since": since}
    rows = sandbox.store.list(
        "SELECT * FROM messages WHERE bot_id = :bot_id AND chat_id = :chat_id AND change > :since ORDER BY id", **values
    )
    answers = sandbox.store.list(
        "SELECT * FROM queries WHERE bot_id = :bot_id AND chat_id = :chat_id AND change > :since ORDER BY change",
        **values,
    )
    return {
        "change": max([since, *(row["change"] for row in rows), *(row["change"] for row in answers)]),
        "messages": [json.loads(row["body"]) for row in rows if not row["is_deleted"]],
        "deleted": [row["id"] for row in rows if row["is_deleted"]],
        "answers": [{"id": row["id"]} | json.loads(row["answer"]) for row in answers],
    }
