"""The stores as the edges see them: whether Postgres really answers, and what is raised while one is away."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from grimbots.queue.dispatcher import QueueUnavailable
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.services.app import App

AWAY = (DatabaseUnavailable, StatementTimeout, QueueUnavailable)
"""What a page answers with "try again in a moment"; nothing is known to be done."""


async def check_database(app: App) -> dict[str, Any]:
    """Run one query and return `status` (up or down), its time and the pool's use."""
    started = time.monotonic()
    try:
        await app.db.installation.find(name="master_key_id")
    except (DatabaseUnavailable, StatementTimeout):
        return {"status": "down"}
    return {"status": "up", "query_ms": round((time.monotonic() - started) * 1000, 2), **asdict(app.db.usage())}
