"""Breakers: a gateway account whose provider does not answer is left alone for a while, by every process at once.

    closed      charges are asked of it
    open        five charges in a row were not answered: until `broken_until` nobody asks it
    half open   the time is over: one charge is asked of it, to see. An answer closes it; none, and it opens for longer

For half a minute at most: a buyer waits for two, and one question in that time harms no provider.

The state is in the account's row, which every process has in memory and hears of when it changes (the channel
`gateway_accounts`): to look costs nothing. What is counted on the way there is each process's own.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from grimbots.conf import metrics

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

OPENS_AFTER = 5
PROBE_LIFE = timedelta(seconds=60)  # who was sent to see and died; longer than a provider may take to answer
STATES = ("closed", "half_open", "open")

Counts = dict[int, int]
"""Charges in a row that a gateway account did not answer, by its id."""


def state(account: Row, now: datetime) -> str:
    """Return one of STATES."""
    if account.broken_until is None:
        return "closed"
    return "open" if now < account.broken_until else "half_open"


async def let_through(app: App, account: Row) -> Row | None:
    """Return the account as it may be asked now; None: it is left alone. Who is sent to see has the probe's row."""
    if account.broken_until is None:
        return account
    now = app.clock()
    if now < account.broken_until:
        return None
    which = {"account_id": account.account_id, "gateway_account_id": account.id}
    probe = await app.db.gateway_accounts.take_probe(**which, now=now, until=now + PROBE_LIFE)
    if probe is not None:
        await _tell(app, probe, "half_open")
    return probe


async def note_answer(app: App, account: Row) -> None:
    """Count anew: the provider answered."""
    app.unanswered.pop(account.id, None)
    if account.broken_until is not None:
        which = {"account_id": account.account_id, "gateway_account_id": account.id}
        await _tell(app, await app.db.gateway_accounts.close_breaker(**which), "closed")


async def note_silence(app: App, account: Row, reason: str, *, is_doubtful: bool) -> None:
    """Count a charge that was not answered; the fifth in a row, or one that was to see, opens the breaker.

    `is_doubtful`: the account may have the charge already, so it was asked whatever its breaker said.
    """
    count = app.unanswered[account.id] = app.unanswered.get(account.id, 0) + 1
    is_probe = account.broken_until is not None and not is_doubtful
    if count < OPENS_AFTER and not is_probe:
        return
    opened = await app.db.gateway_accounts.open_breaker(
        account_id=account.account_id,
        gateway_account_id=account.id,
        now=app.clock(),
        is_probe=is_probe,
        reason=reason,
    )
    if opened is not None:
        log.warning("gateway account %d is left alone until %s: %s", account.id, opened.broken_until, reason)
        await _tell(app, opened, "open")


async def _tell(app: App, account: Row, became: str) -> None:
    metrics.breakers.labels(became).inc()
    app.gateway_accounts.keep(account)
    await app.db.gateway_accounts.announce_change(gateway_account_id=account.id)
