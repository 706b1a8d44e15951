"""Ask Postgres whether it really answers, for /health and doctor."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.services.app import App


async def check_database(app: App) -> dict[str, Any]:
    """Run one query and return `status` (up or down), its time and the pool's use."""
    started = time.monotonic()
    try:
        await app.db.installation.find(name="master_key_id")
    except (DatabaseUnavailable, StatementTimeout):
        return {"status": "down"}
    return {"status": "up", "query_ms": round((time.monotonic() - started) * 1000, 2), **asdict(app.db.usage())}
