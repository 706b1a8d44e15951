"""Provider events: acted upon, once they are stored (services/receptions.py). What one cannot prove is asked for.

The road: `receptions.receive` -> a row -> 200 -> `events.apply` -> `payments.settle`. The row is the truth; the job may
be lost. What no charge could be settled with is tried for ten minutes, then shown, counted and alerted; a person may
have it tried again (`retry`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from grimbots.conf import metrics
from grimbots.queue.dispatcher import QueueUnavailable
from grimbots.queue.task import Again, Done
from grimbots.services import charges, gateway_accounts, payments
from grimbots.services.errors import Conflict, NotFound
from grimbots.services.gateways.base import Event, Hint, Receipt, Return, Snapshot, Verdict
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

PAGE_ROWS = 50
PAST_ALL_IDS = 2**63 - 1
PATIENCE = timedelta(minutes=10)  # an event may come before what it speaks of is known


def job(event: Row) -> Job:
    """Make the job that acts upon a stored event."""
    return apply.job(
        id=f"e:{event.id}:{event.retries}" if event.retries else f"e:{event.id}",
        source=f"a{event.account_id}",
        account=str(event.account_id),
        event_id=event.id,
    )


@task("events.apply", queue="webhook")
async def apply(app: App, *, event_id: int) -> Done:
    """Match a stored event with the payments of its own gateway account and settle what is paid."""
    event = await app.db.provider_events.find_by_id(event_id=event_id)
    if event.status != "received":
        return Done(await _list_unfinished(app, event))
    account = await gateway_accounts.get_by_id(app, event.gateway_account_id)
    gateway, _ = gateway_accounts.open_gateway(app, account)
    hints = gateway.parse(Event(event.suffix, event.query, event.headers, event.body))
    outcomes = [await _follow(app, event, hint) for hint in hints]
    jobs = [job for outcome in outcomes for job in outcome.jobs]
    worst = max(outcomes, key=lambda outcome: WORSE.index(outcome.status), default=NOTHING)
    if worst.status in WAITING and app.clock() < event.received_at + PATIENCE:
        await _enqueue_all(app, jobs)
        raise Again(charges.wait_seconds(event.received_at, app.clock()), worst.reason, spend=False)
    await _close(app, event, worst)
    return Done(jobs)


async def list_left_over(app: App, account_id: int, before: int | None = None) -> list[Row]:
    """Return an account's events that no charge could be settled with, the newest first, a page of them."""
    rows: list[Row] = await app.db.sales.list_events(
        account_id=account_id, before_id=before or PAST_ALL_IDS, limit=PAGE_ROWS
    )
    return rows


async def get(app: App, account_id: int, event_id: int) -> Row:
    """Return an event with all it said.

    Raises:
        NotFound: the account has no such event.
    """
    event = await app.db.provider_events.find(account_id=account_id, event_id=event_id)
    if event is None:
        raise NotFound(f"there is no event {event_id} in this account")
    return event


async def retry(app: App, account_id: int, event_id: int, *, actor: str) -> None:
    """Have an event that was left over acted upon again.

    Raises:
        NotFound: the account has no such event.
        Conflict: it is not left over (any more).
    """
    known = await get(app, account_id, event_id)
    async with app.db.transaction() as tx:
        reopened = await tx.provider_events.reopen(account_id=account_id, event_id=event_id)
        if reopened is None:
            raise Conflict(f"event {event_id} is {known.status}: only what was left over is tried again")
        await tx.audit.note(
            account_id=account_id,
            actor=actor,
            action="event.retry",
            subject=f"event:{event_id}",
            details={"was": known.status},
            at=app.clock(),
        )
    try:
        await app.queue.enqueue(job(reopened))
    except QueueUnavailable:
        log.warning("event %s is to be tried again: the queue is away, so the sweep will hand it on", event_id)


async def give_up(app: App, event: Row, reason: str) -> None:
    """Close an event whose job is dead, for a person to look at."""
    await _close(app, event, _Outcome("failed", reason))


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one hint led to: the event's status, why, and what is to be enqueued."""

    status: str
    reason: str
    payment_id: int | None = None
    jobs: Sequence[Job] = ()


NOTHING = _Outcome("ignored", "nothing in it concerns a charge")
WAITING = ("unmatched", "unconfirmed")
WORSE = ("ignored", "applied", *WAITING, "failed")


async def _list_unfinished(app: App, event: Row) -> list[Job]:
    """Return what is left to do of an event that was closed by a run that may have died a moment later."""
    if event.payment_id is None:
        return []
    return await payments.list_unfinished(app, await app.db.payments.find_by_id(payment_id=event.payment_id), "paid")


async def _follow(app: App, event: Row, hint: Hint) -> _Outcome:
    """Find the payment a hint speaks of and settle what is proven. An event never reaches another account's payment."""
    payment = await _find_payment(app, event, hint)
    if payment is None:
        return _Outcome("unmatched", "no charge of this gateway account has its ids")
    try:
        receipts, returns = await _prove(app, event, hint, payment)
    except charges.UNANSWERED as error:
        raise Again(charges.wait_seconds(event.received_at, app.clock()), str(error), spend=False) from error
    if not (receipts or returns):
        return _Outcome("unconfirmed", "the provider knows of no payment", payment.id)
    jobs = await payments.settle_all(
        app, payment, receipts, returns, actor="webhook", reason="the provider's event", event_id=event.id
    )
    if hint.returned is not None and not returns:
        return _Outcome("unconfirmed", "the provider knows of no return", payment.id, jobs)
    return _Outcome("applied", "", payment.id, jobs)


async def _find_payment(app: App, event: Row, hint: Hint) -> Row | None:
    """Look by every id an event may name a charge with, inside its own gateway account."""
    at = {"gateway_account_id": event.gateway_account_id}
    if payment := await app.db.payments.find_by_reference(**at, txid=hint.txid, provider_id=hint.provider_id):
        return payment
    transfer_id = hint.returned.end_to_end_id if hint.returned else hint.end_to_end_id
    if transfer_id is not None:  # what goes back is often named by nothing but the transfer
        return await app.db.payments.find_by_transfer(**at, end_to_end_id=transfer_id)
    return await app.db.payments.find_refused(**at, key=hint.txid) if hint.txid else None


async def _prove(app: App, event: Row, hint: Hint, payment: Row) -> tuple[Sequence[Receipt], Sequence[Return]]:
    """Return the transfers to believe in: a verified event's own word, else what the provider says when asked.

    Of money that goes back and was never noted here the provider is asked in any case: it tells how it came in, too.
    """
    if event.verified == Verdict.YES and hint.receipt is not None:
        return [hint.receipt], [hint.returned] if hint.returned else ()
    if event.verified == Verdict.YES and hint.returned is not None and await _has_noted(app, payment, hint.returned):
        return (), [hint.returned]
    if not await charges.may_look_up(app, payment):
        raise Again(charges.ASK_EVERY.total_seconds(), "the provider was asked a moment ago", spend=False)
    seen = await charges.look_up(app, payment, event.gateway_account_id)
    return (seen.receipts, seen.returns) if isinstance(seen, Snapshot) else ((), ())


async def _has_noted(app: App, payment: Row, returned: Return) -> bool:
    rows = await app.db.payments.list_receipts(account_id=payment.account_id, payment_id=payment.id)
    return any(row.end_to_end_id == returned.end_to_end_id for row in rows)


async def _enqueue_all(app: App, jobs: Sequence[Job]) -> None:
    for follow_up in jobs:
        await app.queue.enqueue(follow_up)


async def _close(app: App, event: Row, outcome: _Outcome) -> None:
    if outcome.status not in ("applied", "ignored"):
        log.warning("event %s is %s: %s", event.id, outcome.status, outcome.reason)
    metrics.provider_events_closed.labels(outcome.status).inc()
    await app.db.provider_events.close(
        account_id=event.account_id,
        event_id=event.id,
        status=outcome.status,
        reason=outcome.reason or None,
        payment_id=outcome.payment_id,
        now=app.clock(),
    )
