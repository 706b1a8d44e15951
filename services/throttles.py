"""How often somebody may try: counted in rows, which all processes share and no restart forgets.

An attempt is counted before it is made, so that many at once get no more tries than one after the other.
"""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from grimbots.conf import metrics
from grimbots.services.errors import TooMany

if TYPE_CHECKING:
    from grimbots.services.app import App

WINDOW = timedelta(minutes=15)


async def count(app: App, key: str, most: int) -> None:
    """Count an attempt under a key.

    Raises:
        TooMany: there were `most` in this quarter of an hour already.
    """
    now = app.clock()
    row = await app.db.login_attempts.count(key=key, now=now, window_begin=now - WINDOW)
    if row.attempts > most:
        metrics.logins.labels("throttled").inc()
        left_seconds = ceil((row.since + WINDOW - now).total_seconds())
        raise TooMany("too many attempts to log in: wait before the next", left_seconds)


async def forget(app: App, key: str) -> None:
    """Count anew: the last attempt was right."""
    await app.db.login_attempts.forget(key=key)
