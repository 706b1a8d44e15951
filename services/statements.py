"""Statements: what each provider lists of the last three days, gone through every night against our rows.

    kind      the provider's statement               our rows                  what is done
    unseen    a transfer for one of our charges      no such transfer          settled, by the road that events take
    returned  money that went back                   the payment as before     taken in likewise
    amount    a charge over another amount           one of ours               shown: a person looks
    unpaid    one of our charges, not the transfer   the transfer              shown: nothing is taken back by itself
    missing   no such charge                         paid on those days        shown likewise
    stranger  a charge somebody paid                 none has its ids          shown, no alarm: it may be another shop's

That a charge is pending, expired or cancelled here and unpaid there is no difference, whatever it is called there.
Nothing else may differ. What is found is a row, once; the first two are closed as they are found.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from grimbots.queue.task import Again, Done
from grimbots.services import charges, gateway_accounts, payments, receipts
from grimbots.services.errors import NotFound
from grimbots.services.gateways.base import Refusal, Snapshot
from grimbots.services.gateways.scan import offered_gateways
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

KINDS = ("unseen", "returned", "amount", "unpaid", "missing", "stranger")
SETTLED = frozenset({"unseen", "returned"})  # what is done with by itself
SPAN = timedelta(days=3)
WINDOW = timedelta(hours=6)  # of one question
YOUNGEST = timedelta(minutes=5)  # what is on its way by an event is left to it
EDGE = timedelta(minutes=1)  # a provider's windows may end a little beside ours
ANEW_AFTER = timedelta(hours=20)
PATIENCE = timedelta(hours=6)
ASKED_A_ROUND = 500  # gateway accounts; a round an hour, in the small hours of each seller's


async def hand_out(app: App) -> None:
    """Hand every gateway account whose night it is to the queue. The next two make up for a night that is missed."""
    now = app.clock()
    due = await app.db.gateway_accounts.claim_comparisons(now=now, before=now - ANEW_AFTER, limit=ASKED_A_ROUND)
    offered, until = offered_gateways(app.settings), now - YOUNGEST
    for account in due:
        if account.gateway not in offered:
            await _note_compared(app, account, "this installation does not offer it any more")
            continue
        await app.queue.enqueue(job(account.account_id, account.id, until - SPAN, until))


def job(account_id: int, gateway_account_id: int, since: datetime, until: datetime) -> Job:
    """Make the job that goes through a statement from one instant to another."""
    return compare.job(
        id=f"st:{gateway_account_id}:{int(since.timestamp())}",
        source=f"a{account_id}",
        account=str(account_id),
        group=f"s{gateway_account_id}",  # not that of the checks: a list that cannot be had is asked for until morning
        gateway_account_id=gateway_account_id,
        since=since.timestamp(),
        until=until.timestamp(),
    )


@task("statements.compare", queue="checks", timeout_seconds=120)
async def compare(app: App, *, gateway_account_id: int, since: float, until: float) -> Done:
    """Go through one window of a provider's statement; the next one follows."""
    account = await gateway_accounts.get_by_id(app, gateway_account_id)
    gateway, credentials = gateway_accounts.open_gateway(app, account)
    begin, last = datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC)
    end = min(begin + WINDOW, last)
    try:
        listed = await gateway.list(credentials, since=begin, until=end)
    except charges.UNANSWERED as error:
        if app.clock() < last + PATIENCE:
            raise Again(charges.wait_seconds(last, app.clock()), str(error), spend=False) from error
        listed = Refusal(f"not answered for {PATIENCE}: {error}")
    if isinstance(listed, Refusal):
        await _note_compared(app, account, listed.reason)
        return Done()
    jobs = [job for seen in listed for job in await _compare_charge(app, account, seen)]
    await _find_missing(app, account, listed, begin, end)
    if end < last:
        return Done([*jobs, job(account.account_id, account.id, end, last)])
    await _note_compared(app, account, None)
    return Done(jobs)


async def list_open(app: App, account_id: int) -> list[Row]:
    """Return an account's differences that nobody has closed, and those of the last days that settled themselves."""
    rows: list[Row] = await app.db.statement_differences.list_shown(account_id=account_id, since=app.clock() - SPAN)
    return rows


async def close(app: App, account_id: int, difference_id: int, actor: str) -> None:
    """Close a difference that a person has looked into.

    Raises:
        NotFound: the account has no such open difference.
    """
    now = app.clock()
    async with app.db.transaction() as tx:
        closed = await tx.statement_differences.close(account_id=account_id, difference_id=difference_id, now=now)
        if closed is None:
            raise NotFound(f"there is no open difference {difference_id} in this account")
        await tx.audit.note(
            account_id=account_id,
            actor=actor,
            action="difference.close",
            subject=f"difference:{difference_id}",
            details={"kind": closed.kind, "reference": closed.reference},
            at=now,
        )


async def _compare_charge(app: App, account: Row, seen: Snapshot) -> list[Job]:
    """Compare one charge of a statement with its payment, and settle what we did not know."""
    made = seen.charge
    payment = await app.db.payments.find_by_reference(
        gateway_account_id=account.id, txid=made.txid, provider_id=made.provider_id
    )
    if payment is None:
        if seen.receipts:
            paid_cents = sum(receipt.amount_cents for receipt in seen.receipts)
            await _note(app, account, "stranger", made.txid, f"{paid_cents} cents came in for no charge of ours")
        return []
    if made.amount_cents != payment.amount_cents:
        said = f"{made.amount_cents} cents there, {payment.amount_cents} here"
        await _note(app, account, "amount", made.txid, said, payment)
    if seen.receipts or seen.returns or payment.state not in receipts.UNPAID:
        return await _settle(app, account, seen, payment)
    return []


async def _settle(app: App, account: Row, seen: Snapshot, payment: Row) -> list[Job]:
    which = {"account_id": payment.account_id, "payment_id": payment.id}
    noted = {row.end_to_end_id: row.amount_cents for row in await app.db.payments.list_receipts(**which)}
    unseen = [receipt for receipt in seen.receipts if receipt.end_to_end_id not in noted]
    jobs = await payments.settle_all(
        app, payment, unseen, seen.returns, actor="statement", reason="the provider's statement"
    )
    for receipt in unseen:
        said = f"{receipt.amount_cents} cents of {receipt.at:%Y-%m-%d %H:%M} UTC, and no event had said so"
        await _note(app, account, "unseen", receipt.end_to_end_id, said, payment)
    after = await app.db.payments.find_by_id(payment_id=payment.id)
    if seen.returns and after.state not in (payment.state, "paid"):
        await _note(app, account, "returned", seen.returns[-1].id, f"{payment.state} here, now {after.state}", payment)
    for end_to_end_id in noted.keys() - {receipt.end_to_end_id for receipt in seen.receipts}:
        said = f"{noted[end_to_end_id]} cents are noted here and not listed there"
        await _note(app, account, "unpaid", end_to_end_id, said, payment)
    return jobs


async def _find_missing(app: App, account: Row, listed: Sequence[Snapshot], begin: datetime, end: datetime) -> None:
    """Find what was paid within a window and is not on the statement at all."""
    known = {name for seen in listed for name in (seen.charge.txid, seen.charge.provider_id)}
    which = {"account_id": account.account_id, "gateway_account_id": account.id}
    for payment in await app.db.payments.list_paid(**which, since=begin + EDGE, until=end - EDGE):
        if not known & {payment.txid, payment.provider_id, payment.idempotency_key}:
            said = f"{payment.paid_cents} cents, paid here at {payment.paid_at:%Y-%m-%d %H:%M} UTC"
            await _note(app, account, "missing", payment.txid or payment.idempotency_key, said, payment)


async def _note(app: App, account: Row, kind: str, reference: str, detail: str, payment: Row | None = None) -> None:
    """Note a difference, once."""
    now = app.clock()
    added = await app.db.statement_differences.add(
        account_id=account.account_id,
        gateway_account_id=account.id,
        payment_id=payment.id if payment else None,
        kind=kind,
        reference=reference,
        detail=detail,
        now=now,
        closed_at=now if kind in SETTLED else None,
    )
    if added is not None and kind != "stranger":
        log.warning("the statement of gateway account %d differs (%s): %s", account.id, kind, detail)


async def _note_compared(app: App, account: Row, error: str | None) -> None:
    if error:
        log.warning("the statement of gateway account %d could not be gone through: %s", account.id, error)
    which = {"account_id": account.account_id, "gateway_account_id": account.id}
    await app.db.gateway_accounts.note_compared(**which, error=error, now=app.clock())
