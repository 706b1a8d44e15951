"""Faults: what is told to go wrong, whom it strikes and how often; a restart keeps them.

One shape for all four places (`on`): calls of the Bot API, updates to a webhook, calls of the payment provider's API,
the provider's events. docs/sandbox.md shows each.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

from grimbots.services.sandbox.fault_shapes import ACTS, NO_FAULT, ODDS, PICKS, Fault, check
from grimbots.services.sandbox.state import Sandbox


def add(sandbox: Sandbox, wish: Mapping[str, Any]) -> int:
    """Store a fault; give its id. Without a pick it strikes anyone; it strikes `times` (1), each with `chance` (1).

    Raises:
        Invalid: an unknown name, a wrong type, a number out of range, or nothing to do.
    """
    wish = {name: value for name, value in wish.items() if value is not None}
    place = wish.pop("on", "calls")
    check(place, wish)
    fault_id: int = sandbox.store.value(
        """
        INSERT INTO faults (place, bot, method, chat_id, txid, times, chance, acts)
        VALUES (:place, :bot, :method, :chat_id, :txid, :times, :chance, :acts)
        RETURNING id
        """,
        place=place,
        bot=wish.get("bot"),
        method=wish.get("method"),
        chat_id=wish.get("chat_id"),
        txid=wish.get("txid"),
        times=wish.get("times", 1),
        chance=wish.get("chance", 1),
        acts=json.dumps({name: wish[name] for name in ACTS if name in wish}),
    )
    return fault_id


def list_all(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Give the faults that may still strike, as they were told, each with its id and the times left."""
    listed = []
    for row in sandbox.store.list("SELECT * FROM faults WHERE times > 0 ORDER BY id"):
        told = {name: row[name] for name in (*PICKS, *ODDS) if row[name] is not None}
        listed.append({"id": row["id"], "on": row["place"]} | told | json.loads(row["acts"]))
    return listed


def clear(sandbox: Sandbox) -> None:
    """Take back every fault."""
    sandbox.store.run("DELETE FROM faults")


def take(
    sandbox: Sandbox, place: str, *, bot: str = "", method: str = "", chat_id: object = "", txid: str = ""
) -> Fault:
    """Use up the oldest fault that strikes here; NO_FAULT where none does."""
    rows = sandbox.store.list(
        """
        SELECT id, chance, acts
        FROM faults
        WHERE times > 0
          AND place = :place
          AND (bot IS NULL OR bot = :bot)
          AND (method IS NULL OR method = :method)
          AND (chat_id IS NULL OR chat_id = :chat_id)
          AND (txid IS NULL OR txid = :txid)
        ORDER BY id
        """,
        place=place,
        bot=bot,
        method=method,
        chat_id=str(chat_id),
        txid=txid,
    )
    for row in rows:
        if row["chance"] >= 1 or random.random() < row["chance"]:  # noqa: S311
            sandbox.store.run("UPDATE faults SET times = times - 1 WHERE id = :id", id=row["id"])
            return Fault(row["id"], **json.loads(row["acts"]))
    return NO_FAULT
