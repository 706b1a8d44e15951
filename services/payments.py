"""Payments: our record of what a buyer was asked for, and the only functions that change it.

    open -> charge: new -> creating -> pending          (or cancelled, and the buyer is told)
    settle: creating, pending, expired, cancelled -> paid, once; all that follows from it hangs on that transition.
            Called by the event, by the "I have paid" button, by the checks (services/checks.py) and before expiry
    expire: pending -> expired, after the provider was asked

The row is committed before the provider is asked and before a code is shown. No call leaves inside a transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from grimbots.queue.task import Again, Done
from grimbots.services import charges, coupons, failovers, groups, receipts, returns, schedules, timers
from grimbots.services.cases import open_case
from grimbots.services.charges import UNANSWERED
from grimbots.services.errors import Conflict, NotFound
from grimbots.services.funnels import versions
from grimbots.services.funnels.events import Charged, ChargeFailed, Expired, Paid, PaymentPending
from grimbots.services.gateways.base import Receipt, Refusal, Return, Snapshot
from grimbots.services.receipts import UNPAID
from grimbots.services.tasks import task
from grimbots.sql.database import Json, UniqueViolation

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.services.failovers import Made
    from grimbots.sql.database import Row, Transaction

log = logging.getLogger(__name__)

UNASKED = ("new", "creating")
CHARGE_PATIENCE = timedelta(minutes=2)  # a buyer waits this long for a code; then he is told that it failed
CHARGE_SECONDS = 75.0  # several accounts may be asked, one after the other
CHARGE_PAUSE_SECONDS = 10.0  # at most, from one try to the next: a provider that is back is not left waiting
EXPIRY_PATIENCE = timedelta(minutes=10)  # how long a provider that cannot be asked keeps a charge from expiring


async def open(  # noqa: A001
    tx: Transaction,
    *,
    account_id: int,
    bot_id: int,
    lead_id: int,
    version_id: int,
    step: str,
    cause: str,
    ordinal: int,
    items: Sequence[Mapping[str, Any]],
    description: str,
    amount_cents: int,
    currency: str,
    expires_in_seconds: int,
    now: datetime,
) -> Row:
    """Write a payment, or return the one this cause and ordinal made before. Charge it with `job` after the commit."""
    return await tx.payments.add(
        account_id=account_id,
        bot_id=bot_id,
        lead_id=lead_id,
        version_id=version_id,
        step=step,
        cause=cause,
        ordinal=ordinal,
        items=Json([dict(item) for item in items]),
        description=description,
        amount_cents=amount_cents,
        currency=currency,
        expires_in_seconds=expires_in_seconds,
        idempotency_key=uuid4().hex,
        now=now,
    )


def job(payment: Row) -> Job:
    """Make the job that charges a payment; unordered, so a slow provider holds no chat."""
    return charge.job(
        id=f"{payment.cause}#{payment.ordinal}",
        source=f"b{payment.bot_id}",
        account=str(payment.account_id),
        payment_id=payment.id,
    )


@task("payments.charge", queue="gateway", timeout_seconds=CHARGE_SECONDS)
async def charge(app: App, *, payment_id: int) -> Done:
    """Ask the provider for the charge and plan the code's messages. Run again at any point, it goes on where it was."""
    payment = await app.db.payments.find_by_id(payment_id=payment_id)
    if payment.state not in UNASKED:
        return Done(await list_unfinished(app, payment, "charged", "failed"))
    if payment.state == "new" and await coupons.was_refused(app, payment):
        return Done(await _cancel(app, payment, actor="task", reason="its coupon is used up", coupon=True))
    try:
        if obstacle := await _find_obstacle(app, payment):
            return Done(await _cancel(app, payment, actor="task", reason=obstacle, paused=True))
        made = await failovers.ask(app, payment)
    except UNANSWERED as error:
        return Done(await _put_off(app, payment, f"{type(error).__name__}: {error}"))
    if isinstance(made, Refusal):
        return Done(await _cancel(app, payment, actor="task", reason=made.reason))
    try:
        return Done(await _show(app, payment, made))
    except UniqueViolation:
        return Done(await _cancel(app, payment, actor="task", reason="the provider gave the ids of another charge"))


@task("payments.verify", queue="gateway")
async def verify(app: App, *, payment_id: int, cause: str) -> Done:
    """Answer "I have paid": ask the provider, then settle, or say that nothing has come in yet; once per `cause`."""
    payment = await app.db.payments.find_by_id(payment_id=payment_id)
    if payment.state not in UNPAID:
        return Done(await list_unfinished(app, payment, "paid"))
    jobs = await _look_for_buyer(app, payment)
    async with open_case(app, payment) as case:
        if case.payment.state in UNPAID:
            jobs += await case.tell(PaymentPending(payment.id, payment.step), f"{cause}:pending")
    return Done(jobs)


@task("payments.expire", queue="gateway")
async def expire(app: App, *, timer_id: int, payment_id: int) -> Done:
    """Expire a pending payment, unless the provider has seen the money. What comes later is settled all the same."""
    payment = await app.db.payments.find_by_id(payment_id=payment_id)
    jobs: list[Job] = []
    if payment.state != "pending":
        jobs = await list_unfinished(app, payment, "expired", "paid")
    else:
        try:  # whoever asked a moment ago: what expires is looked at then, not before
            jobs = await _settle_seen(app, payment, actor="timer")
        except UNANSWERED as error:
            now = app.clock()
            if now < payment.expires_at + EXPIRY_PATIENCE:
                raise Again(charges.wait_seconds(payment.expires_at, now), str(error), spend=False) from error
            log.warning("payment %s expires although the provider could not be asked: %s", payment.id, error)
    async with open_case(app, payment) as case:
        if case.payment.state == "pending":
            await case.move("expired", actor="timer", reason="not paid in time")
            jobs += await case.tell(Expired(payment.id, payment.step), _cause(payment, "expired"))
        await timers.finish(case.tx, timer_id, app.clock())
    return Done(jobs)


async def give_up(app: App, payment: Row, reason: str) -> None:
    """Cancel a payment whose job is dead and tell the buyer."""
    for follow_up in await _cancel(app, payment, actor="sweep", reason=reason):
        await app.queue.enqueue(follow_up)


async def ask(app: App, payment: Row, *, actor: str) -> list[Job] | None:
    """Ask the provider about a charge and settle what it has seen; returns the jobs to enqueue.

    None: somebody has just asked, so nobody was asked now (charges.ASK_EVERY).

    Raises:
        NeverSent, Ambiguous, Undecided: not known; ask again.
    """
    return await _settle_seen(app, payment, actor=actor) if await charges.may_look_up(app, payment) else None


async def settle(
    app: App,
    *,
    payment_id: int,
    account_id: int,
    paid_cents: int,
    paid_at: datetime,
    end_to_end_id: str,
    actor: str,
    reason: str,
    fee_cents: int | None = None,
    event_id: int | None = None,
) -> list[Job]:
    """Take in one transfer of money the provider vouches for; returns the jobs to enqueue. The same transfer acts once.

    What it means is for services/receipts.py to say; what it pays is delivered.

    Raises:
        NotFound: the account has no such payment.
        Conflict: the provider was never asked for this charge.
    """
    payment = await app.db.payments.find(account_id=account_id, payment_id=payment_id)
    if payment is None:
        raise NotFound(f"there is no payment {payment_id} in this account")
    receipt = Receipt(end_to_end_id, paid_cents, paid_at, fee_cents)
    async with open_case(app, payment) as case:
        if case.payment.state == "new":
            raise Conflict(f"payment {payment_id} has not been asked for: nobody can have paid it")
        ruling = await receipts.take_in(case, receipt, actor=actor, reason=reason, event_id=event_id)
        if ruling is None:
            return await case.list_jobs(_cause(payment, "paid"))
        if not ruling.pays:
            return []
        await timers.cancel(case.tx, expire, account_id=payment.account_id, payment_id=payment.id)
        return await case.tell(Paid(payment.id, payment.step), _cause(payment, "paid"))


async def settle_all(
    app: App,
    payment: Row,
    seen: Sequence[Receipt],
    returned: Sequence[Return] = (),
    *,
    actor: str,
    reason: str,
    event_id: int | None = None,
) -> list[Job]:
    """Settle a payment with every transfer a provider vouches for, there and back; returns the jobs to enqueue."""
    jobs: list[Job] = []
    for receipt in seen:
        jobs += await settle(
            app,
            payment_id=payment.id,
            account_id=payment.account_id,
            paid_cents=receipt.amount_cents,
            paid_at=receipt.at,
            end_to_end_id=receipt.end_to_end_id,
            fee_cents=receipt.fee_cents,
            actor=actor,
            reason=reason,
            event_id=event_id,
        )
    for back in await _list_ours(app, payment, returned):
        async with open_case(app, payment) as case:
            jobs += await returns.take_in(case, back, actor=actor, reason=reason, event_id=event_id)
    return jobs


async def list_unfinished(app: App, payment: Row, *words: str) -> list[Job]:
    """Return the jobs of what a payment's turns (charged, failed, paid, expired) planned and nobody has done yet.

    For whoever finds that an earlier run has done the work: it may have died before it handed the jobs on.
    """
    async with open_case(app, payment) as case:
        return [job for word in words for job in await case.list_jobs(_cause(payment, word))]


def _cause(payment: Row, word: str) -> str:
    return f"p:{payment.id}:{word}"


async def _find_obstacle(app: App, payment: Row) -> str | None:
    """Tell why what is to be charged for could not be handed over now; None: it can, or the provider was asked."""
    if payment.state != "new":
        return None
    version = await versions.load(app, payment.version_id)
    chat_ids = version.list_groups(payment.step)
    return await groups.find_obstacle(app, await app.bots.by_id(app, payment.bot_id), chat_ids) if chat_ids else None


async def _put_off(app: App, payment: Row, reason: str) -> list[Job]:
    """Try again while the buyer waits; the key makes a repeat harmless, so no attempt is spent."""
    now = app.clock()
    if now < payment.created_at + CHARGE_PATIENCE:
        wait_seconds = min(charges.wait_seconds(payment.created_at, now), CHARGE_PAUSE_SECONDS)
        raise Again(wait_seconds, reason, spend=False)
    return await _cancel(app, payment, actor="task", reason=reason)


async def _cancel(
    app: App, payment: Row, *, actor: str, reason: str, paused: bool = False, coupon: bool = False
) -> list[Job]:
    """Give the charge up and tell the buyer. Money that comes in for it all the same is still settled."""
    async with open_case(app, payment) as case:
        if case.payment.state in UNASKED:
            log.warning("payment %s is cancelled: %s", payment.id, reason)
            await case.move("cancelled", actor=actor, reason=reason, error=reason)
            failed = ChargeFailed(payment.id, payment.step, paused, coupon)
            return await case.tell(failed, _cause(payment, "failed"))
        return await case.list_jobs(_cause(payment, "failed"))


async def _show(app: App, payment: Row, found: Made) -> list[Job]:
    """Write down the charge and plan its messages in one transaction: no code is shown that is not committed."""
    async with open_case(app, payment) as case:
        now, made = app.clock(), found.charge
        if case.payment.gateway_account_id != found.gateway_account_id:
            log.error("payment %s: gateway account %d made its charge too late", payment.id, found.gateway_account_id)
            return []
        is_awaited = case.payment.state == "creating"  # else its event overtook the answer, or it was given up
        await case.tx.payments.note_charge(
            account_id=payment.account_id,
            payment_id=payment.id,
            txid=made.txid,
            provider_id=made.provider_id,
            code=made.code,
            expires_at=made.expires_at,
            to_state="pending" if is_awaited else case.payment.state,
            next_check_at=now + schedules.FIRST_CHECK if is_awaited else None,
            now=now,
        )
        if not is_awaited:  # the code is of no use
            return await case.list_jobs(_cause(payment, "paid"))
        await case.note("pending", actor="task", reason="the provider made the charge")
        await timers.plan(
            case.tx,
            expire,
            account_id=payment.account_id,
            bot_id=payment.bot_id,
            payment_id=payment.id,
            cause=_cause(payment, "charged"),
            ordinal=0,
            payload={"payment_id": payment.id},
            due_at=made.expires_at,
            now=now,
        )
        charged = Charged(payment.id, payment.step, made.code, payment.amount_cents, made.expires_at)
        return await case.tell(charged, _cause(payment, "charged"))


async def _list_ours(app: App, payment: Row, returned: Sequence[Return]) -> list[Return]:
    """Return what goes back of transfers that were noted for this payment: nothing else can."""
    if not returned:
        return []
    rows = await app.db.payments.list_receipts(account_id=payment.account_id, payment_id=payment.id)
    noted = {row.end_to_end_id for row in rows}
    for back in returned:
        if back.end_to_end_id not in noted:
            log.warning("payment %s: %s goes back, and no such transfer was noted", payment.id, back.end_to_end_id)
    return [back for back in returned if back.end_to_end_id in noted]


async def _look_for_buyer(app: App, payment: Row) -> list[Job]:
    """Ask for a buyer who says he has paid. Where that cannot be now, it is done in a moment without his doing."""
    try:
        jobs = await ask(app, payment, actor="buyer")
    except UNANSWERED as error:
        log.warning("payment %s: a buyer says it is paid and the provider cannot be asked: %s", payment.id, error)
        jobs = None
    if jobs is None:
        await app.db.payments.hasten_check(
            account_id=payment.account_id, payment_id=payment.id, next_check_at=app.clock() + charges.ASK_EVERY
        )
    return jobs or []


async def _settle_seen(app: App, payment: Row, *, actor: str) -> list[Job]:
    """Ask the provider and settle what it has seen."""
    seen = await charges.look_up(app, payment)
    if not isinstance(seen, Snapshot):
        return []
    return await settle_all(app, payment, seen.receipts, seen.returns, actor=actor, reason="the provider was asked")
