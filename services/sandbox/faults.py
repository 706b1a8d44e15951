"""Faults: Bot API calls that are told to fail, by bot, method and chat, a number of times; a restart keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grimbots.services.errors import Invalid
from grimbots.services.sandbox.refusals import Refusal
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

DESCRIPTIONS = {
    400: "Bad Request: chat not found",
    401: "Unauthorized",
    403: "Forbidden: bot was blocked by the user",
    404: "Not Found",
    409: "Conflict: terminated by other setWebhook",
    500: "Internal Server Error: restart",
    502: "Bad Gateway",
}
KINDS: dict[str, tuple[type, ...]] = {
    "bot": (str,),
    "method": (str,),
    "chat_id": (int,),
    "http": (int,),
    "description": (str,),
    "retry_after": (int,),
    "times": (int,),
    "drop": (bool,),
    "execute": (bool,),
    "delay_seconds": (int, float),
}


def add(sandbox: Sandbox, wish: Mapping[str, Any]) -> int:
    """Store a fault; give its id.

    `http` answers that status, `drop` closes the connection without an answer, `delay_seconds` waits first; `execute`
    lets the call take effect all the same. Without `bot`, `method` or `chat_id` it holds for any of them; it holds for
    the next `times` calls (1).

    Raises:
        Invalid: an unknown name, a wrong type, or nothing to do.
    """
    _check(wish)
    fault_id: int = sandbox.store.value(
        """
        INSERT INTO faults
            (bot, method, chat_id, http, description, retry_after, times, is_dropped, is_executed, delay_seconds)
        VALUES
            (:bot, :method, :chat_id, :http, :description, :retry_after, :times, :is_dropped, :is_executed,
             :delay_seconds)
        RETURNING id
        """,
        bot=wish.get("bot"),
        method=wish.get("method"),
        chat_id=None if wish.get("chat_id") is None else str(wish["chat_id"]),
        http=wish.get("http"),
        description=wish.get("description"),
        retry_after=wish.get("retry_after"),
        times=wish.get("times", 1),
        is_dropped=wish.get("drop", False),
        is_executed=wish.get("execute", False),
        delay_seconds=wish.get("delay_seconds", 0),
    )
    return fault_id


def list_all(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Give the faults that still wait for a call."""
    return [dict(row) for row in sandbox.store.list("SELECT * FROM faults WHERE times > 0 ORDER BY id")]


def clear(sandbox: Sandbox) -> None:
    """Take back every fault."""
    sandbox.store.run("DELETE FROM faults")


def take(sandbox: Sandbox, bot: Row, method: str, params: Mapping[str, Any]) -> Row | None:
    """Use up the oldest fault that fits this call, if any."""
    fault = sandbox.store.find(
        """
        SELECT *
        FROM faults
        WHERE times > 0
          AND (bot IS NULL OR bot = :bot)
          AND (method IS NULL OR method = :method)
          AND (chat_id IS NULL OR chat_id = :chat_id)
        ORDER BY id
        LIMIT 1
        """,
        bot=bot["username"],
        method=method,
        chat_id=str(params.get("chat_id", "")),
    )
    if fault is not None:
        sandbox.store.run("UPDATE faults SET times = times - 1 WHERE id = :id", id=fault["id"])
    return fault


def as_refusal(fault: Row) -> Refusal:
    """Give the answer a fault with a status makes."""
    http, retry_after = fault["http"], fault["retry_after"]
    if http == 429:
        retry_after = retry_after or 1
        return Refusal(
            http, fault["description"] or f"Too Many Requests: retry after {retry_after}", retry_after=retry_after
        )
    description = fault["description"] or DESCRIPTIONS.get(http, f"Error {http}")
    return Refusal(http, description, **({"retry_after": retry_after} if retry_after else {}))


def _check(wish: Mapping[str, Any]) -> None:
    for name, value in wish.items():
        if name not in KINDS:
            raise Invalid(f"A fault has no {name!r}; it may have {', '.join(KINDS)}.")
        if value is not None and (
            not isinstance(value, KINDS[name]) or (isinstance(value, bool) and bool not in KINDS[name])
        ):
            raise Invalid(f"{name!r} must be {' or '.join(kind.__name__ for kind in KINDS[name])}.")
    if not (wish.get("http") or wish.get("drop") or wish.get("delay_seconds")):
        raise Invalid("A fault needs http, drop or delay_seconds.")
    if wish.get("http") and not 400 <= wish["http"] <= 599:
        raise Invalid("'http' must be from 400 to 599.")
