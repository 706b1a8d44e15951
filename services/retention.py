"""Retention: what is kept for a while only, and its end. Nothing that a sale, a lead or a dispute needs is touched.

Updates that were applied have days of their own (`crons.keep_days`), sessions and attempts to log in theirs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grimbots.services.app import App

QUIET_HOUR_UTC = 7  # four in the morning in Brasília
LOOKED_AT_ROWS, BATCHES = 500, 10_000  # a transaction each; what is left over goes in the next night

KEPT: Mapping[str, timedelta] = {
    "conversions": timedelta(days=60),  # that are over and of no sale
    "clicks": timedelta(days=90),  # that brought no lead and no charge
    "timers": timedelta(days=90),  # that fired or were called off: what they did stands in messages and payments
}


async def forget_old(app: App) -> None:
    """Delete what was kept long enough, once a night, in small transactions by the order of ids."""
    now = app.clock()
    if now.hour != QUIET_HOUR_UTC:
        return
    rows = app.db.conversions
    statements = {
        "conversions": rows.forget_old,
        "clicks": app.db.clicks.forget_old,
        "timers": app.db.timers.forget_old,
    }
    for table, period in KEPT.items():
        await _forget(statements[table], now - period)


async def _forget(forget: Callable[..., Awaitable[int | None]], before: datetime) -> None:
    after: int | None = 0
    for _ in range(BATCHES):
        after = await forget(after=after, before=before, limit=LOOKED_AT_ROWS)
        if after is None:
            return
