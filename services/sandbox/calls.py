"""Calls: every Bot API call the sandbox received, in order, with its answer; never a token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

KEPT_CALLS = 100_000


def note(
    sandbox: Sandbox,
    bot: Row,
    method: str,
    params: Mapping[str, Any],
    answer: Mapping[str, Any] | None,
    *,
    via: str,
    fault: int | None,
) -> None:
    """Write a call and its answer (None: closed without one); `via` is http or webhook (answer-as-method).

    The oldest is forgotten for it.
    """
    seq = sandbox.store.value(
        """
        INSERT INTO calls (at, bot, method, params, answer, via, fault)
        VALUES (:now, :bot, :method, :params, :answer, :via, :fault)
        RETURNING seq
        """,
        now=sandbox.clock(),
        bot=bot["username"],
        method=method,
        params=json.dumps(params, ensure_ascii=False),
        answer=None if answer is None else json.dumps(answer, ensure_ascii=False),
        via=via,
        fault=fault,
    )
    sandbox.store.run("DELETE FROM calls WHERE seq <= :forgotten", forgotten=seq - KEPT_CALLS)


def list_after(sandbox: Sandbox, after: int) -> list[dict[str, Any]]:
    """Give every call after this number, in order."""
    rows = sandbox.store.list("SELECT * FROM calls WHERE seq > :after ORDER BY seq", after=after)
    return [
        {
            "seq": row["seq"],
            "at": as_iso(row["at"]),
            "bot": row["bot"],
            "method": row["method"],
            "params": json.loads(row["params"]),
            "answer": json.loads(row["answer"]) if row["answer"] else None,
            "via": row["via"],
            "fault": row["fault"],
        }
        for row in rows
    ]


def as_iso(at: float) -> str:
    """Write Unix seconds as an ISO 8601 instant in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
