"""The periodic duties of every process: timers, the sweep, crons; harmless in several at once."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from grimbots.queue.dispatcher import QueueUnavailable
from grimbots.services import campaigns, checks, clicks, crons, receptions, sweep, timers
from grimbots.services.spool import SpoolUnavailable
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.services.app import App

log = logging.getLogger(__name__)

TIMERS_SECONDS = 1
EVENTS_SECONDS = 1
CHECKS_SECONDS = 2
CAMPAIGNS_SECONDS = 0.5
CLICKS_SECONDS = 1
SWEEP_SECONDS = 10
POOLS_SECONDS = 300
CRONS_SECONDS = 10


def all_duties(app: App) -> list[Coroutine[Any, Any, None]]:
    """Return a never-ending coroutine per duty."""
    return [
        repeat(app, timers.fire_due, TIMERS_SECONDS),
        repeat(app, receptions.store_spooled, EVENTS_SECONDS),
        repeat(app, checks.hand_out_due, CHECKS_SECONDS),
        repeat(app, campaigns.hand_out_due, CAMPAIGNS_SECONDS),
        repeat(app, clicks.store_spooled, CLICKS_SECONDS),
        repeat(app, sweep.sweep, SWEEP_SECONDS),
        repeat(app, app.pools.load, POOLS_SECONDS),
        repeat(app, crons.hand_out_due, CRONS_SECONDS),
    ]


async def repeat(app: App, duty: Callable[[App], Awaitable[object]], every_seconds: float) -> None:
    """Run a duty now and then every so often, with jitter so that processes do not march in step.

    A store that is away puts the round off and is said once a round; any other error ends the duty, and so the process.
    """
    while True:
        try:
            await duty(app)
        except (DatabaseUnavailable, StatementTimeout, QueueUnavailable, SpoolUnavailable) as error:
            log.warning("%s put off: %s", duty.__qualname__, error)
        await asyncio.sleep(every_seconds * random.uniform(0.8, 1.2))  # noqa: S311  jitter, not a secret
