"""What people do, as Telegram tells of it: updates without their numbers."""

from __future__ import annotations

import time
from typing import Any

COMMAND = [{"offset": 0, "length": 6, "type": "bot_command"}]


def start(chat_id: int) -> dict[str, Any]:
    """Somebody presses /start."""
    return {"message": {**_write(1, chat_id), "from": _describe(chat_id), "text": "/start", "entities": COMMAND}}


def text(chat_id: int, text: str) -> dict[str, Any]:
    """Somebody writes something."""
    return {"message": {**_write(3, chat_id), "from": _describe(chat_id), "text": text}}


def tap(chat_id: int, data: str) -> dict[str, Any]:
    """Somebody presses a button."""
    callback = {"id": str(chat_id), "from": _describe(chat_id), "message": _write(2, chat_id), "data": data}
    return {"callback_query": callback}


def _write(message_id: int, chat_id: int) -> dict[str, Any]:
    chat = {"id": chat_id, "first_name": "Ana Paula", "last_name": "Souza", "type": "private"}
    return {"message_id": message_id, "chat": chat, "date": int(time.time())}


def _describe(chat_id: int) -> dict[str, Any]:
    names = {"first_name": "Ana Paula", "last_name": "Souza", "username": f"ana{chat_id}"}
    return {"id": chat_id, "is_bot": False, **names, "language_code": "pt-br"}
