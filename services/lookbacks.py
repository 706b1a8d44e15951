"""Lookbacks: what was paid is asked about again, at growing distances and with an end, whatever provider has it.

A buyer's bank may contest a PIX for 80 days, what is decided goes back within 11 more, and a seller gives money back
for 90. Should the event be lost, a provider's statement tells for three days, and the providers that list nothing tell
nothing: so each payment is asked about 4, 8, 16, 32, 64 and 96 days after it was paid, a question each time.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from grimbots.queue.task import Done
from grimbots.services import charges, payments, schedules
from grimbots.services.gateways.scan import offered_gateways
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

CLAIM = timedelta(hours=6)  # what was not answered, or got lost, is asked again after this
GIVEN_UP_AFTER = timedelta(days=103)  # the last look, where nobody answers
MOST = 500  # in one round, of all (services/crons.py: a minute)
OVER = frozenset({"refunded", "charged_back"})


async def hand_out_due(app: App) -> None:
    """Hand to the queue what is due to be looked at."""
    now = app.clock()
    due = await app.db.payments.claim_looks(now=now, claimed_until=now + CLAIM, limit=MOST)
    offered = offered_gateways(app.settings)
    for payment in due:
        if payment.gateway in offered:
            await app.queue.enqueue(job(payment, int(now.timestamp())))


def job(payment: Row, moment: int) -> Job:
    """Make the job of a look. Each account's go one at a time, and beside the checks of what is not paid yet."""
    return look_back.job(
        id=f"p:{payment.id}:lookback:{moment}",
        source=f"a{payment.account_id}",
        account=str(payment.account_id),
        group=f"l{payment.gateway_account_id}",
        payment_id=payment.id,
        paid_at=payment.paid_at.timestamp(),
    )


@task("payments.look_back", queue="checks", attempts=3)
async def look_back(app: App, *, payment_id: int, paid_at: float) -> Done:
    """Ask the provider what has become of a payment, take in what it tells, and plan the next look."""
    payment = await app.db.payments.find_by_id(payment_id=payment_id)
    now, paid = app.clock(), datetime.fromtimestamp(paid_at, UTC)
    try:
        jobs = await payments.ask(app, payment, actor="reconciler")
    except charges.UNANSWERED as error:
        log.info("payment %s cannot be looked at: %s", payment.id, error)
        jobs = None
    if jobs is None and now < paid + GIVEN_UP_AFTER:
        return Done()
    after = await app.db.payments.find_by_id(payment_id=payment_id)
    if after.state != payment.state:
        log.warning("payment %s was %s, is %s, and no event had said so", payment.id, payment.state, after.state)
    next_at = None if after.state in OVER else schedules.next_look(paid, now)
    await app.db.payments.note_look(account_id=payment.account_id, payment_id=payment.id, next_look_at=next_at)
    return Done(jobs or [])
