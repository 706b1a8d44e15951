"""The periodic duties of every process: timers, the sweep, crons; harmless in several at once."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from grimbots.queue.dispatcher import QueueUnavailable
from grimbots.services import (
    alarms,
    births,
    campaigns,
    checks,
    clicks,
    conversion_sends,
    crons,
    figures,
    processes,
    receptions,
    samples,
    sweep,
    timers,
    warmups,
    webhooks,
)
from grimbots.services.errors import Unavailable
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
CONVERSIONS_SECONDS = 2
SWEEP_SECONDS = 10
POOLS_SECONDS = 300
CRONS_SECONDS = 10
WEBHOOKS_SECONDS = 3
SAMPLES_SECONDS = 5
FIGURES_SECONDS = 5
BIRTHS_SECONDS = 3
ALARMS_SECONDS = 5
WARMUPS_SECONDS = 5

Duty = Callable[["App"], Awaitable[object]]


def all_duties(app: App) -> list[Coroutine[Any, Any, None]]:
    """Return a never-ending coroutine per duty."""
    duties: dict[str, tuple[Duty, float]] = {
        "timers": (timers.fire_due, TIMERS_SECONDS),
        "events": (receptions.store_spooled, EVENTS_SECONDS),
        "checks": (checks.hand_out_due, CHECKS_SECONDS),
        "campaigns": (campaigns.hand_out_due, CAMPAIGNS_SECONDS),
        "clicks": (clicks.store_spooled, CLICKS_SECONDS),
        "conversions": (conversion_sends.hand_out_due, CONVERSIONS_SECONDS),
        "sweep": (sweep.sweep, SWEEP_SECONDS),
        "pools": (app.pools.load, POOLS_SECONDS),
        "crons": (crons.hand_out_due, CRONS_SECONDS),
        "webhooks": (webhooks.watch_due, WEBHOOKS_SECONDS),
        "samples": (samples.take, SAMPLES_SECONDS),
        "figures": (figures.roll_up, FIGURES_SECONDS),
        "births": (births.bring_due, BIRTHS_SECONDS),
        "alarms": (alarms.tell_due, ALARMS_SECONDS),
        "warmups": (warmups.hand_out_due, WARMUPS_SECONDS),
    }
    return [repeat(app, name, duty, every_seconds) for name, (duty, every_seconds) in duties.items()]


async def report(app: App) -> None:
    """Tell now and then how this process is. Begun when it claims: what it tells first is believed for 10 s."""
    await repeat(app, "processes", processes.report, processes.REPORT_SECONDS)


async def repeat(app: App, name: str, duty: Duty, every_seconds: float) -> None:
    """Run a duty now and then every so often, with jitter so that processes do not march in step.

    A store that is away puts the round off and is said once a round; any other error ends the duty, and so the process.
    """
    app.rounds.begin(name, every_seconds, app.clock())
    while True:
        try:
            await duty(app)
        except (DatabaseUnavailable, StatementTimeout, QueueUnavailable, SpoolUnavailable, Unavailable) as error:
            log.warning("%s put off: %s", duty.__qualname__, error)
        else:
            app.rounds.note(name, app.clock())
        await asyncio.sleep(every_seconds * random.uniform(0.8, 1.2))  # noqa: S311  jitter, not a secret
