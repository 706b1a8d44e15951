"""Upkeep: every process that works promotes what is due, reaps what has died and trims, each second."""

from __future__ import annotations

import asyncio
import logging
import random

from grimbots.conf import metrics
from grimbots.queue.job import Upkeep, UpkeepReply
from grimbots.queue.line import Line, QueueUnavailable
from grimbots.queue.reports import Death, count_deaths

log = logging.getLogger(__name__)

LEAST_SECONDS, MOST_SECONDS = 0.75, 1.25


async def run_upkeep(line: Line) -> None:
    """Ask for upkeep each second, spread at random over the processes, until cancelled."""
    while True:
        await asyncio.sleep(random.uniform(LEAST_SECONDS, MOST_SECONDS))  # noqa: S311
        try:
            report(await line.send(Upkeep()))
        except QueueUnavailable as error:
            log.warning("upkeep was not done: %s", error)


def report(reply: UpkeepReply) -> None:
    """Count and log what one upkeep found."""
    if reply.reaped_consumers:
        metrics.queue_reaped.inc(reply.reaped_jobs)
        log.warning("took %d jobs back from %s", reply.reaped_jobs, ", ".join(reply.reaped_consumers))
    if reply.poisoned:
        count_deaths(Death.POISON, reply.poisoned)
        log.error(
            "%d jobs are dead: each was running at three crashes or more, as the suspect at two (poison)",
            reply.poisoned,
        )
    if reply.shifted_ms:
        log.warning("redis was away: every lease was prolonged by up to %d ms", reply.shifted_ms)
