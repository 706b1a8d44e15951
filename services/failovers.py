"""Failovers: a seller's gateway accounts are asked for a charge in their order, until one of them has made it.

    what an account answers                    may it have the charge?   so
    the charge                                 yes                       it is shown
    never sent; refused                        no                        the next one is asked
    ambiguous, undecided; never sent or        perhaps: it is searched   found: shown; surely none: the next one; not
      refused, after an earlier run's call       there by our key          known: this one again, later

A payment's row names the account that may have its charge, before that one is asked; those that surely have none are
rows of `payment_refusals`. So a run that dies goes on where it was, and no two accounts' charges are shown for one
payment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grimbots.conf import metrics
from grimbots.services import breakers, charges, gateway_accounts, leads, payers
from grimbots.services.cases import open_case
from grimbots.services.gateways.base import Charge, Refusal, Undecided
from grimbots.services.gateways.scan import offered_gateways

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.cases import Case
    from grimbots.services.gateways.base import Payer
    from grimbots.sql.database import Database, Row, Transaction

BRL = "BRL"


@dataclass(frozen=True, slots=True)
class Made:
    """A charge, and the gateway account that has made it."""

    gateway_account_id: int
    charge: Charge


@dataclass(slots=True)
class _Round:
    """What one run learns: why no account made the charge, and whether one of them may do so in a moment."""

    reasons: list[str] = field(default_factory=list)
    may_recover: bool = False

    def pass_over(self, account: Row, reason: str, *, may_recover: bool = False) -> None:
        self.reasons.append(f"{account.gateway} {account.id}: {reason}")
        self.may_recover |= may_recover
        metrics.failovers.labels(account.gateway).inc()


async def ask(app: App, payment: Row) -> Made | Refusal:
    """Ask the seller's gateway accounts for a payment's charge until one has made it.

    Raises:
        NeverSent, Ambiguous, Undecided: one may have it, or may answer in a moment: ask again.
    """
    seen, payer = _Round(), None
    doubtful_id = await _find_doubtful(app, payment)
    async for account in _list_accounts(app, payment):
        if account.id == doubtful_id:
            let_in, payer = account, await _resume(app, payment)
        else:
            let_in = await _admit(app, account, payment, seen)
            payer = await _turn_to(app, payment, account, seen) if let_in else None
        if let_in is None or payer is None:
            continue
        made = await charges.create(app, payment, let_in, payer, is_doubtful=account.id == doubtful_id)
        if not isinstance(made, charges.Absent):
            return Made(account.id, made) if isinstance(made, Charge) else made
        seen.pass_over(account, made.reason, may_recover=made.may_recover)
        await _leave(app, payment, account, made.reason)
    reason = "; ".join(seen.reasons) or "the account has no active gateway"
    if seen.may_recover:
        raise Undecided(reason)
    return Refusal(reason)


async def _find_doubtful(app: App, payment: Row) -> int | None:
    """Return the gateway account that an earlier run asked, unless it surely has no charge."""
    if payment.state == "new" or await _is_refused(app.db, payment):
        return None
    return int(payment.gateway_account_id)


async def _is_refused(door: Database | Transaction, payment: Row) -> bool:
    return bool(
        await door.payments.is_refused(
            account_id=payment.account_id, payment_id=payment.id, gateway_account_id=payment.gateway_account_id
        )
    )


async def _list_accounts(app: App, payment: Row) -> AsyncIterator[Row]:
    """Give the one the payment names, then the others in their order. Most charges need no more than the first."""
    if payment.gateway_account_id is not None:
        yield await gateway_accounts.get_by_id(app, payment.gateway_account_id)
    if payment.currency != BRL:
        return  # nobody else takes Stars
    for account in await app.db.gateway_accounts.list_in_service(account_id=payment.account_id):
        if account.id != payment.gateway_account_id:
            yield account


async def _admit(app: App, account: Row, payment: Row, seen: _Round) -> Row | None:
    """Return the account as it may be asked now; None: it does not take such a charge, or is left alone for a while."""
    gateway = offered_gateways(app.settings).get(account.gateway)
    if gateway is None:
        seen.pass_over(account, "this installation does not offer it any more")
        return None
    if payment.amount_cents < gateway.least_cents or not gateway_accounts.takes(account, payment.amount_cents):
        seen.pass_over(account, f"{payment.amount_cents} cents are outside the limits of one charge")
        return None
    let_in = await breakers.let_through(app, account)
    if let_in is None:
        seen.pass_over(account, f"left alone for a while: {account.broken_reason}", may_recover=True)
    return let_in


async def _turn_to(app: App, payment: Row, account: Row, seen: _Round) -> Payer | None:
    """Note that this account may have the charge from now on; returns the payer. None: it is not to be asked.

    Raises:
        Undecided: another run of this charge has gone on.
    """
    async with open_case(app, payment) as case:
        await _check_turn(case)
        payer = payers.read(case.version, leads.walk(case.lead))
        needs = offered_gateways(app.settings)[account.gateway].needs
        if missing := payers.find_missing(needs, payer):
            wanted = payers.describe(missing)
            seen.pass_over(account, f"it makes no charge without the buyer's {wanted}: let the funnel ask for it")
            return None
        if not await gateway_accounts.take_day(case.tx, account, payment.amount_cents, app.clock()):
            seen.pass_over(account, "the limit of its day is reached")
            return None
        which = {"account_id": payment.account_id, "payment_id": payment.id}
        await case.tx.payments.ask_at(**which, gateway_account_id=account.id, now=app.clock())
        await case.note("creating", actor="task", reason=f"asking {account.gateway} {account.id}")
        return payer


async def _check_turn(case: Case) -> None:
    """See that nobody else is asking: a run that was taken for dead may still be there."""
    payment = case.payment
    if payment.state == "new" or (payment.state == "creating" and await _is_refused(case.tx, payment)):
        return
    raise Undecided("another run of this charge has gone on")


async def _resume(app: App, payment: Row) -> Payer:
    async with open_case(app, payment) as case:
        return payers.read(case.version, leads.walk(case.lead))


async def _leave(app: App, payment: Row, account: Row, reason: str) -> None:
    """Note that the account surely has no charge of this payment."""
    async with open_case(app, payment) as case:
        if case.payment.state != "creating" or case.payment.gateway_account_id != account.id:
            return
        now = app.clock()
        await case.tx.payments.refuse(
            account_id=payment.account_id,
            payment_id=payment.id,
            gateway_account_id=account.id,
            reason=reason,
            now=now,
        )
        await gateway_accounts.give_day_back(case.tx, account, payment.amount_cents, now)
        await case.note("creating", actor="task", reason=f"{account.gateway} {account.id} has no charge: {reason}")
