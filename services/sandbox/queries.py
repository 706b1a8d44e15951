"""Queries a bot must answer: taps and checkouts, each once and in time."""

from __future__ import annotations

import json
import secrets
from typing import Any

from grimbots.services.sandbox.refusals import Refusal
from grimbots.services.sandbox.state import Sandbox, next_change
from grimbots.services.sandbox.store import Row

LIFE_SECONDS = 150  # as long as the update that asks it lives


def ask(sandbox: Sandbox, bot: Row, chat_id: int, kind: str) -> str:
    """Open a query of this kind (callback, pre_checkout); give its id."""
    query_id = str(secrets.randbits(62))
    sandbox.store.run(
        "INSERT INTO queries (id, bot_id, chat_id, kind, asked_at) VALUES (:id, :bot_id, :chat_id, :kind, :now)",
        id=query_id,
        bot_id=bot["id"],
        chat_id=chat_id,
        kind=kind,
        now=sandbox.clock(),
    )
    return query_id


def answer(sandbox: Sandbox, bot: Row, query_id: str, kind: str, content: dict[str, Any]) -> None:
    """Close a query of the bot.

    Raises:
        Refusal: it is unknown, of another kind, answered before, or too old.
    """
    answered = sandbox.store.run(
        """
        UPDATE queries
        SET answer = :answer, change = :change
        WHERE id = :id AND bot_id = :bot_id AND kind = :kind AND answer IS NULL AND asked_at > :oldest
        """,
        answer=json.dumps(content, ensure_ascii=False),
        change=next_change(sandbox),
        id=query_id,
        bot_id=bot["id"],
        kind=kind,
        oldest=sandbox.clock() - LIFE_SECONDS,
    )
    if not answered:
        raise Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
