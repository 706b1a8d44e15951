"""Crons: what the installation does every so often, each time once over all its processes, with no leader among them.

A row says when it is due. Who finds it due hands it to the queue; who has done it says when it is due again. So a
process that dies in the middle only delays it, and what fell due while all were down is done once, not once per miss.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from grimbots.queue.job import Accepted
from grimbots.queue.task import Again, Done, task
from grimbots.services import (
    conversion_events,
    gateway_accounts,
    groups,
    ledger,
    logins,
    lookbacks,
    moves,
    retention,
    returns,
    statements,
    subscriptions,
    webhooks,
)
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

SOURCE = "installation"  # these jobs are no bot's and no account's
CLAIM = timedelta(minutes=10)  # handed to the queue it is handed again after this, until it is done
TIMEOUT_SECONDS = 300.0
STORE_AWAY_SECONDS = 30.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def keep_days(app: App) -> None:
    """Make the day partitions of applied_updates to come and drop the old ones; one process does it, others pass."""
    async with app.db.transaction() as tx:
        if await tx.duties.take_turn(duty="keep_days"):
            await tx.duties.keep_days(today=app.clock().date())


CRONS: Mapping[str, tuple[timedelta, Callable[[App], Awaitable[object]]]] = {
    "keep_days": (timedelta(hours=1), keep_days),
    "forget_logins": (timedelta(hours=1), logins.forget_old),
    "compare_statements": (timedelta(hours=1), statements.hand_out),
    "forget_days": (timedelta(hours=1), gateway_accounts.forget_days),
    "forget_old": (timedelta(hours=1), retention.forget_old),
    "forget_moves": (timedelta(hours=1), moves.forget_old),
    "watch_missing": (timedelta(hours=1), webhooks.watch_missing),
    "expire_conversions": (timedelta(minutes=10), conversion_events.expire_old),
    "check_ledger": (timedelta(hours=1), ledger.check_nightly),
    "look_back": (timedelta(minutes=1), lookbacks.hand_out_due),
    "follow_returns": (timedelta(hours=1), returns.follow_open),
    "ask_lost_groups": (timedelta(minutes=10), groups.ask_lost),
    "take_back_accesses": (timedelta(minutes=1), subscriptions.take_back_refunded),
}


async def enter(app: App) -> None:
    """Make the rows of crons that the database has not met yet."""
    for name in CRONS:
        await app.db.crons.add(name=name, now=app.clock())


async def hand_out_due(app: App) -> int:
    """Hand what is due to the queue and return how many that was; harmless in several processes at once.

    Raises:
        QueueUnavailable: Redis is away; it is handed out again after CLAIM.
    """
    now = app.clock()
    due = await app.db.crons.claim_due(names=list(CRONS), now=now, claimed_until=now + CLAIM)
    await asyncio.gather(*(_hand_out(app, cron) for cron in due))
    return len(due)


@task("crons.run", queue="campaigns", timeout_seconds=TIMEOUT_SECONDS)
async def run(app: App, *, name: str, due_at: float) -> Done:
    """Do what a cron does, and say when it is due again."""
    every, act = CRONS[name]
    try:
        await act(app)
        now = app.clock()
        await app.db.crons.finish(
            name=name, due_at=datetime.fromtimestamp(due_at, UTC), next_due_at=next_due(every, now), now=now
        )
    except (DatabaseUnavailable, StatementTimeout) as error:
        raise Again(STORE_AWAY_SECONDS, f"{name}: Postgres is away", spend=False) from error
    return Done()


def next_due(every: timedelta, now: datetime) -> datetime:
    """Return the next whole multiple of `every` since the epoch: all processes mean the same instant."""
    return EPOCH + ((now - EPOCH) // every + 1) * every


async def _hand_out(app: App, cron: Row) -> None:
    due_at = cron.due_at.timestamp()
    job = run.job(id=f"cron:{cron.name}@{due_at}", source=SOURCE, account="", name=cron.name, due_at=due_at)
    if await app.queue.enqueue(job) is Accepted.DEAD:
        log.error("job %s is dead, so %s is not done: look at it with `grimbots queue dead`", job.id, cron.name)
