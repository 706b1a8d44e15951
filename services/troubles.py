"""Troubles: money that waits for a person, counted from the rows of the whole installation for /metrics."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from grimbots.conf import metrics
from grimbots.services import breakers, statements
from grimbots.services.errors import Unavailable
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from prometheus_client import Gauge

    from grimbots.services.app import App

COUNT_SECONDS = 2.0
LIMIT = 10_000  # counted up to this, so that a scrape costs the same on the worst day
DELIVERY_PATIENCE = timedelta(minutes=1)
LATELY = timedelta(days=1)  # for so long what a statement brought to light is told, though it has settled itself
EVENT_STATUSES = ("unmatched", "unconfirmed", "failed")
FLAGS = ("late", "overpaid", "underpaid", "double", "unsold")
DELIVERY_STATUSES = ("planned", "failed")


async def measure(app: App) -> None:
    """Set the gauges of what went wrong with money.

    Raises:
        Unavailable: Postgres is away; they keep their last values.
    """
    try:
        async with asyncio.timeout(COUNT_SECONDS):
            events = await app.db.provider_events.count_left_over(limit=LIMIT)
            payments = await app.db.payments.count_flagged(limit=LIMIT)
            owed = await app.db.deliveries.count_owed(before=app.clock() - DELIVERY_PATIENCE, limit=LIMIT)
            accounts = await app.db.gateway_accounts.count_by_state(now=app.clock())
            differ = await app.db.statement_differences.count_open(since=app.clock() - LATELY, limit=LIMIT)
            differences, stuck = await app.db.ledger.count_differences(), await app.db.ledger.count_stuck()
    except (DatabaseUnavailable, StatementTimeout, TimeoutError) as error:
        raise Unavailable("Postgres is away") from error
    _set(metrics.events_left_over, EVENT_STATUSES, {row.status: row.events for row in events})
    _set(metrics.payments_flagged, FLAGS, {row.flag: row.payments for row in payments})
    _set(metrics.gateway_accounts, breakers.STATES, {row.state: row.gateway_accounts for row in accounts})
    _set(metrics.statement_differences, statements.KINDS, {row.kind: row.differences for row in differ})
    metrics.ledger_differences.set(differences)
    metrics.refunds_stuck.set(stuck)
    _set(metrics.deliveries_owed, DELIVERY_STATUSES, {row.status: row.deliveries for row in owed})


def _set(gauge: Gauge, labels: tuple[str, ...], counts: dict[str, int]) -> None:
    """Set every series, those with nothing to 0."""
    for label in labels:
        gauge.labels(label).set(counts.get(label, 0))
