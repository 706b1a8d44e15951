"""Refunds: money that the seller gives back. The row and its key are committed before the provider is asked.

    ask -> a row of payment_returns, `asked` -> do: the provider is asked, under the row's own key, until it is decided
        -> open (taken on) -> settled (the money has left) or void (refused; the payment is as it was)

Asked again after any death or doubt, the same key gives the same refund. What it does to the payment, its access and
its buyer is for services/returns.py to say.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from grimbots.queue.dispatcher import QueueUnavailable
from grimbots.queue.task import Again, Done
from grimbots.services import gateway_accounts, returns
from grimbots.services.cases import open_case
from grimbots.services.charges import UNANSWERED
from grimbots.services.errors import Conflict, Invalid, NotFound
from grimbots.services.gateways.base import Refund, Refusal, Return, ReturnKind
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.services.cases import Case
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

SOONEST, LATEST = timedelta(seconds=2), timedelta(hours=1)


async def ask(
    app: App,
    *,
    account_id: int,
    payment_id: int,
    actor: str,
    end_to_end_id: str | None = None,
    amount_cents: int | None = None,
    request_key: str | None = None,
) -> Row:
    """Ask for (what is left of) a receipt to be given back, once per `request_key`; returns the return's row.

    Without `end_to_end_id` the payment must have one receipt of which anything is left. Whoever has a queue hands the
    row over; where there is none, as in a command, the sweep does.

    Raises:
        NotFound: the account has no such payment or receipt.
        Invalid: the amount is not positive, or which receipt is meant has to be said.
        Conflict: nothing, or less than that, can be given back now.
    """
    payment = await app.db.payments.find(account_id=account_id, payment_id=payment_id)
    if payment is None:
        raise NotFound(f"there is no payment {payment_id} in this account")
    async with open_case(app, payment) as case:
        known = await case.tx.payment_returns.find_by_request(account_id=account_id, request_key=request_key)
        if known is not None:
            return known
        receipt = await _choose_receipt(case, end_to_end_id)
        cents = receipt.left_cents if amount_cents is None else amount_cents
        _check(case, receipt, cents)
        row = await _add(case, receipt, cents, actor, request_key)
        await returns.follow(case, row, actor=actor, reason="the seller gives it back")
    return row


async def hand_over(app: App, row: Row) -> None:
    """Enqueue what was asked for. With the queue away the row is there all the same, and the sweep finds it."""
    try:
        await app.queue.enqueue(job(row))
    except QueueUnavailable:
        log.warning("refund %s: the queue is away, so the sweep will hand it on", row.id)


def job(row: Row) -> Job:
    """Make the job that has a refund done."""
    return do.job(id=f"r:{row.id}", source=f"b{row.bot_id}", account=str(row.account_id), return_id=row.id)


@task("refunds.do", queue="gateway")
async def do(app: App, *, return_id: int) -> Done:
    """Ask the provider for a refund, or how it stands, until it is decided; run again at any point it goes on."""
    row = await app.db.payment_returns.find_by_id(id=return_id)
    payment = await app.db.payments.find_by_id(payment_id=row.payment_id)
    if row.status not in ("asked", "open"):
        async with open_case(app, payment) as case:
            return Done(await returns.list_unfinished(case, row))
    try:
        answer = await _call(app, payment, row)
    except UNANSWERED as error:
        raise Again(
            _wait_seconds(row.noted_at, app.clock()), f"{type(error).__name__}: {error}", spend=False
        ) from error
    async with open_case(app, payment) as case:
        jobs = await _take_in(case, row, answer)
    if isinstance(answer, Refund) and not answer.is_settled:
        raise Again(_wait_seconds(row.noted_at, app.clock()), "the provider has not settled it", spend=False)
    return Done(jobs)


async def give_up(app: App, row: Row, reason: str) -> None:
    """Leave a refund whose job is dead to a person: whether money has left is not known."""
    await app.db.payment_returns.note_error(account_id=row.account_id, id=row.id, error=reason)


async def _choose_receipt(case: Case, end_to_end_id: str | None) -> Row:
    of_payment = {"account_id": case.payment.account_id, "payment_id": case.payment.id}
    receipts = await case.tx.payment_returns.list_receipts(**of_payment)
    named = [receipt for receipt in receipts if receipt.end_to_end_id == end_to_end_id]
    if end_to_end_id is not None and not named:
        raise NotFound(f"payment {case.payment.id} has no transfer {end_to_end_id}")
    left = named or [receipt for receipt in receipts if receipt.left_cents > 0]
    if not left:
        raise Conflict("nothing of this payment is left to be given back")
    if len(left) > 1:
        ids = ", ".join(receipt.end_to_end_id for receipt in left)
        raise Invalid(f"it was paid more than once: say which transfer is given back, {ids}")
    return left[0]


def _check(case: Case, receipt: Row, amount_cents: int) -> None:
    if case.payment.state == "disputed":
        raise Conflict("it is disputed: the bank decides, and the provider holds the money until then")
    if receipt.left_cents <= 0:
        raise Conflict("nothing of this transfer is left to be given back")
    if amount_cents <= 0:
        raise Invalid("say how much, in cents, more than nothing")
    if amount_cents > receipt.left_cents:
        raise Conflict(f"of this transfer {receipt.left_cents} cents are left, not {amount_cents}")


async def _add(case: Case, receipt: Row, amount_cents: int, actor: str, request_key: str | None) -> Row:
    account_id, now = case.payment.account_id, case.app.clock()
    row = await case.tx.payment_returns.add(
        account_id=account_id,
        receipt_id=receipt.id,
        kind="refund",
        status="asked",
        return_id=None,
        amount_cents=amount_cents,
        idempotency_key=uuid4().hex,
        request_key=request_key,
        actor=actor,
        returned_at=None,
        now=now,
    )
    details = {"cents": amount_cents, "transfer": receipt.end_to_end_id}
    subject = f"payment:{case.payment.id}"
    await case.tx.audit.note(
        account_id=account_id, actor=actor, action="payment.refund", subject=subject, details=details, at=now
    )
    return row


async def _call(app: App, payment: Row, row: Row) -> Refund | Refusal:
    account = await gateway_accounts.get_by_id(app, payment.gateway_account_id)
    gateway, credentials = gateway_accounts.open_gateway(app, account)
    app.queue.guard()
    return await gateway.refund(
        credentials,
        txid=payment.txid or payment.idempotency_key,
        end_to_end_id=row.end_to_end_id,
        amount_cents=row.amount_cents,
        idempotency_key=row.idempotency_key,
    )


async def _take_in(case: Case, row: Row, answer: Refund | Refusal) -> list[Job]:
    """Write what the provider said of our own refund."""
    if isinstance(answer, Refusal):
        log.warning("payment %s: refund %s is refused: %s", row.payment_id, row.id, answer.reason)
        return await returns.refuse(case, row, answer.reason)
    now, kind = case.app.clock(), ReturnKind.REFUND
    back = Return(answer.id, row.end_to_end_id, answer.amount_cents, now, kind, answer.is_settled)
    return await returns.take_in(case, back, actor=row.actor, reason="the provider was asked", own=row)


def _wait_seconds(since: datetime, now: datetime) -> float:
    """Wait as long as it has lasted, within limits: a refund may take days."""
    return min(max(now - since, SOONEST), LATEST).total_seconds()
