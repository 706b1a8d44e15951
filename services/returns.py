"""Returns: money of a receipt that goes back, each noted once, and what that means for its payment.

    of the receipt that paid                    the payment             its access
    all of it went back                         refunded                taken back
    a refund is asked for, or under way         refund_pending          stays
    some of it went back                        partially_refunded      stays
    it is disputed (MED, chargeback opened)     disputed                taken back
    ... and the provider took it                charged_back            taken back
    ... and the seller won                      what the rest says      given back
    of any other receipt (held, kept apart)     as it was               as it was

A state's rank only rises, but where what raised it is over: a dispute that is won, a refund that failed. The rows enter
the book (services/ledger.py) and the figures by themselves.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from grimbots.conf import metrics
from grimbots.queue.task import Done
from grimbots.services import charges, deliveries, subscriptions
from grimbots.services.cases import open_case
from grimbots.services.errors import NotFound
from grimbots.services.funnels.events import MoneyNews
from grimbots.services.gateways.base import Return, ReturnKind, Snapshot
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.services.cases import Case
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

RANKS: Mapping[str, int] = {
    "paid": 5,
    "partially_refunded": 6,
    "refund_pending": 6,
    "refunded": 7,
    "disputed": 8,
    "charged_back": 9,
}
REVERSIBLE = ("disputed", "refund_pending")
REVOKED = ("refunded", "disputed", "charged_back")
WAY = ("asked", "open", "void", "settled")  # of a return; it goes forward only: what was told late changes nothing
FOLLOW_EVERY, FOLLOWED_A_ROUND = timedelta(hours=3), 200


def find_state(paid_cents: int, returns: Sequence[Any]) -> str:
    """Say what the returns of the receipt that paid make of a payment. Pure."""
    settled = [back for back in returns if back.status == "settled" and back.kind != "dispute"]
    gone_cents = sum(back.amount_cents for back in settled)
    under_way = {back.kind for back in returns if back.status in ("asked", "open")}
    if any(back.kind == "chargeback" for back in settled):
        return "charged_back"
    if "dispute" in under_way:
        return "disputed"
    if gone_cents >= paid_cents:
        return "refunded"
    if "refund" in under_way:
        return "refund_pending"
    return "partially_refunded" if gone_cents else "paid"


def may_move(from_state: str, to_state: str) -> bool:
    """Tell whether a paid payment may go from one state to another. Pure."""
    return RANKS[to_state] >= RANKS[from_state] or from_state in REVERSIBLE


async def take_in(
    case: Case, returned: Return, *, actor: str, reason: str, event_id: int | None = None, own: Row | None = None
) -> list[Job]:
    """Note what a provider says of money that goes back, and act upon it, once; returns the jobs to enqueue.

    `own`: the refund of ours that it answers.

    Raises:
        NotFound: the receipt it is of is not known (yet): take in the receipts first.
    """
    of_payment = {"account_id": case.payment.account_id, "payment_id": case.payment.id}
    receipts = await case.tx.payment_returns.list_receipts(**of_payment)
    receipt = next((one for one in receipts if one.end_to_end_id == returned.end_to_end_id), None)
    if receipt is None:
        raise NotFound(f"payment {case.payment.id} has no receipt {returned.end_to_end_id} that could go back")
    known = await _find(case, returned, own)
    status = await _find_status(case, receipt, returned)
    if known is not None and WAY.index(status) <= WAY.index(known.status):
        return await list_unfinished(case, known)
    row = await _write(case, receipt, known, returned, status, actor)
    return await follow(case, row, actor=actor, reason=reason, event_id=event_id)


async def refuse(case: Case, own: Row, reason: str) -> list[Job]:
    """Write that the provider does not do a refund of ours, unless it was told otherwise meanwhile."""
    row = await case.tx.payment_returns.find_by_id(id=own.id)
    if row.status not in ("asked", "open"):
        return await list_unfinished(case, row)
    await case.tx.payment_returns.change(
        account_id=row.account_id,
        id=row.id,
        status="void",
        return_id=None,
        amount_cents=row.amount_cents,
        reason=reason,
        returned_at=None,
        now=case.app.clock(),
    )
    return await follow(case, row, actor=row.actor, reason="the provider refused it")


async def follow(case: Case, row: Row, *, actor: str, reason: str, event_id: int | None = None) -> list[Job]:
    """Let the payment follow what was just written of a return of its own; returns the jobs to enqueue."""
    await case.reread()
    was, now_is = case.payment.state, await _find_state(case)
    back = await case.tx.payment_returns.find_by_id(id=row.id)
    said = f"{reason}: {back.amount_cents} of {case.payment.amount_cents} cents, {back.end_to_end_id}; "
    said += f"{back.kind} {back.status}"
    if now_is == was:
        await case.note(was, actor=actor, reason=said, event_id=event_id)
    else:
        await case.move(now_is, actor=actor, reason=said, event_id=event_id)
    _report(case.payment, back)
    cause = _cause(back)
    jobs = await _move_access(case, was, now_is, cause)
    word = _choose_word(was, now_is, back)
    if word is None:
        return jobs
    return [*jobs, *await case.tell(MoneyNews(case.payment.id, case.payment.step, word, back.amount_cents), cause)]


async def list_unfinished(case: Case, back: Row) -> list[Job]:
    """Return the jobs of what a return planned and nobody has done yet, for who finds it noted by an earlier run."""
    return await case.list_jobs(_cause(back))


async def follow_open(app: App) -> None:
    """Have the providers asked about money whose way back is not decided: a cron's work, should no event come."""
    now = app.clock()
    rows = await app.db.payment_returns.claim_open(now=now, before=now - FOLLOW_EVERY, limit=FOLLOWED_A_ROUND)
    for row in {row.payment_id: row for row in rows}.values():
        await app.queue.enqueue(
            look.job(
                id=f"p:{row.payment_id}:returns:{int(now.timestamp())}",
                source=f"a{row.account_id}",
                account=str(row.account_id),
                group=f"g{row.gateway_account_id}",  # each is asked one question at a time (services/checks.py)
                payment_id=row.payment_id,
            )
        )


@task("returns.look", queue="checks", attempts=3)
async def look(app: App, *, payment_id: int) -> Done:
    """Ask the provider what has gone back of a payment, and take it in. Not answered, it is asked again by the cron."""
    payment = await app.db.payments.find_by_id(payment_id=payment_id)
    try:
        seen = await charges.look_up(app, payment)
    except charges.UNANSWERED as error:
        log.info("payment %s: what goes back cannot be asked about: %s", payment.id, error)
        return Done()
    jobs: list[Job] = []
    for returned in seen.returns if isinstance(seen, Snapshot) else ():
        async with open_case(app, payment) as case:
            jobs += await take_in(case, returned, actor="reconciler", reason="the provider was asked")
    return Done(jobs)


def _cause(back: Row) -> str:
    return f"p:{back.payment_id}:return:{back.id}:{back.status}"


async def _list(case: Case) -> list[Row]:
    of_payment = {"account_id": case.payment.account_id, "payment_id": case.payment.id}
    rows: list[Row] = await case.tx.payment_returns.list_by_payment(**of_payment)
    return rows


async def _find(case: Case, returned: Return, own: Row | None) -> Row | None:
    """Find what is known of a return: by its id, or as a refund of ours, whose answer it is or has overtaken."""
    rows, kind = await _list(case), _name_kind(returned)
    by_id = [row for row in rows if (row.kind, row.return_id) == (kind, returned.id)]
    answered = [row for row in rows if own is not None and row.id == own.id]
    what = ("refund", "asked", None, returned.end_to_end_id, returned.amount_cents)
    overtaken = [
        row
        for row in rows
        if kind == "refund" and (row.kind, row.status, row.return_id, row.end_to_end_id, row.amount_cents) == what
    ]
    return next(iter([*by_id, *answered, *overtaken]), None)


async def _write(case: Case, receipt: Row, known: Row | None, returned: Return, status: str, actor: str) -> Row:
    """Write what is new. A chargeback is the end of the disputes of its receipt."""
    facts = {
        "account_id": case.payment.account_id,
        "status": status,
        "return_id": returned.id,
        "amount_cents": returned.amount_cents,
        "returned_at": returned.at,
        "now": case.app.clock(),
    }
    kind = _name_kind(returned)
    if (kind, status) == ("chargeback", "settled"):
        of_receipt = {"account_id": case.payment.account_id, "receipt_id": receipt.id}
        await case.tx.payment_returns.close_disputes(**of_receipt, now=case.app.clock())
    if known is not None:
        return await case.tx.payment_returns.change(**facts, id=known.id, reason=None)
    ours = {"idempotency_key": None, "request_key": None}
    return await case.tx.payment_returns.add(**facts, **ours, receipt_id=receipt.id, kind=kind, actor=actor)


def _name_kind(returned: Return) -> str:
    """Name what it is: a dispute that is settled is a chargeback, a chargeback that is not is a dispute."""
    if returned.kind is ReturnKind.REFUND:
        return "refund"
    return "chargeback" if returned.is_settled else "dispute"


async def _find_status(case: Case, receipt: Row, returned: Return) -> str:
    if returned.is_void:
        return "void"
    if returned.is_settled:
        return "settled"
    if returned.kind is ReturnKind.REFUND:
        return "open"
    chargeback = (receipt.id, "chargeback", "settled")
    decided = any((row.receipt_id, row.kind, row.status) == chargeback for row in await _list(case))
    return "settled" if decided else "open"  # told after its end


async def _find_state(case: Case) -> str:
    payment = case.payment
    if payment.state not in RANKS:  # nothing has paid it: what goes back was held
        return str(payment.state)
    of_sale = [row for row in await _list(case) if row.end_to_end_id == payment.end_to_end_id]
    state = find_state(payment.paid_cents, of_sale)
    return state if may_move(payment.state, state) else str(payment.state)


async def _move_access(case: Case, was: str, now_is: str, cause: str) -> list[Job]:
    """Take back what the payment gave, or give it back."""
    if (was in REVOKED) == (now_is in REVOKED):
        return []
    of_payment = {"account_id": case.payment.account_id, "payment_id": case.payment.id}
    if now_is in REVOKED:
        await case.tx.deliveries.revoke(**of_payment)
        return await subscriptions.take_back(case, cause)
    again = await deliveries.reinstate(case.tx, **of_payment, now=case.app.clock())
    return [*again, *await subscriptions.give_back(case, cause)]


def _choose_word(was: str, now_is: str, back: Row) -> str | None:
    """Choose what the buyer is told; None: nothing that concerns him has happened."""
    if now_is != was and now_is in REVOKED:
        return now_is
    if was in REVOKED and now_is not in REVOKED:
        return "restored"
    return "returned" if (back.kind, back.status) == ("refund", "settled") else None


def _report(payment: Row, back: Row) -> None:
    metrics.payments_returned.labels(back.kind, back.status).inc()
    if back.kind != "refund":
        log.warning("payment %s: %s of %s cents is %s", payment.id, back.kind, back.amount_cents, back.status)
