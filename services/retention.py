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
    "refusals": timedelta(days=120),  # that a provider had no charge: its events may say otherwise for as long as these
    "differences": timedelta(days=180),  # between a statement and our rows: those that are closed, and strangers
    "timers": timedelta(days=90),  # that fired or were called off: what they did stands in messages and payments
}
BLANKED: Mapping[str, timedelta] = {
    "clicks": timedelta(days=90),  # who came: ad networks take no conversion of an older click
    "posts": timedelta(days=60),  # what a seller's server was told; before moves, by which an erasure finds them
    "events": timedelta(days=120),  # what providers told: a dispute (MED) may begin 80 days after the transfer
    "messages": timedelta(days=180),  # what was said: the proof of a delivery, for as long as anybody complains of one
}
"""What is emptied of what people told and were told, while the row stays, for it is counted. docs/privacy.md."""


async def forget_old(app: App) -> None:
    """Delete, or empty, what was kept long enough, once a night, in small transactions by the order of ids."""
    now = app.clock()
    if now.hour != QUIET_HOUR_UTC:
        return
    rows = app.db.conversions
    statements = {
        "conversions": rows.forget_old,
        "clicks": app.db.clicks.forget_old,
        "refusals": app.db.payments.forget_refusals,
        "differences": app.db.statement_differences.forget_old,
        "timers": app.db.timers.forget_old,
    }
    for table, period in KEPT.items():
        await _forget(statements[table], now - period)
    for what, period in BLANKED.items():
        await _blank(app, what, now - period)


async def _blank(app: App, what: str, before: datetime) -> None:
    """Go on behind where the night before ended: these rows stay, and nobody is to look at all of them again."""
    rows = app.db.retention
    place = await rows.find_place(what=what) or 0
    reached = await _forget(getattr(rows, f"blank_{what}"), before, place)
    await rows.note_place(what=what, after_id=reached)


async def _forget(forget: Callable[..., Awaitable[int | None]], before: datetime, after: int = 0) -> int:
    """Go through what is old behind an id, and return how far that was."""
    for _ in range(BATCHES):
        reached = await forget(after=after, before=before, limit=LOOKED_AT_ROWS)
        if reached is None:
            break
        after = reached
    return after
