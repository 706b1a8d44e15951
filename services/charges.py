"""Charges: what we ask a payment provider for. What becomes of the payment then is for services/payments.py to say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from grimbots.services import breakers, gateway_accounts
from grimbots.services.clients.http import Ambiguous, Crowded, NeverSent
from grimbots.services.gateways.base import Charge, ChargeRequest, Refusal, Snapshot, Undecided

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.gateways.base import Payer
    from grimbots.sql.database import Row

SOONEST_SECONDS, LATEST_SECONDS = 2.0, 60.0
ASK_EVERY = timedelta(seconds=5)  # a charge is looked up once in so long, however many want to know
UNANSWERED = (NeverSent, Ambiguous, Undecided)  # what create and look_up raise when the provider has decided nothing


@dataclass(frozen=True, slots=True)
class Absent:
    """The gateway account surely has no charge of the payment. `may_recover`: it may make one in a moment."""

    reason: str
    may_recover: bool = False


async def create(app: App, payment: Row, account: Row, payer: Payer, *, is_doubtful: bool) -> Charge | Absent | Refusal:
    """Ask one gateway account for the payment's charge; a Refusal is final: there is a charge, and it is not ours.

    Asked again under the payment's key, the provider answers with the same charge. `is_doubtful`: an earlier call
    may have made it, so a "no" of this one proves nothing.

    Raises:
        NeverSent, Ambiguous, Undecided: whether there is one is not known; ask again.
    """
    gateway, credentials = gateway_accounts.open_gateway(app, account)
    if is_doubtful and not gateway.repeats_create:  # asked again it would make another one
        found = await _search(app, payment, account, Absent("the call before made none"))
        if not isinstance(found, Absent):
            return found
    app.queue.guard()
    try:
        made = await gateway.create(credentials, _write_request(app, payment, account, payer))
    except UNANSWERED as error:
        if not isinstance(error, Crowded):
            await breakers.note_silence(app, account, str(error), is_doubtful=is_doubtful)
        if not isinstance(error, NeverSent):
            return await _search(app, payment, account, Absent(str(error), may_recover=True))
        if is_doubtful:
            raise
        return Absent(str(error), may_recover=True)
    await breakers.note_answer(app, account)
    if isinstance(made, Charge):
        return _compare(payment, made)
    refused = Absent(made.reason)
    return await _search(app, payment, account, refused) if is_doubtful else refused


def _write_request(app: App, payment: Row, account: Row, payer: Payer) -> ChargeRequest:
    return ChargeRequest(
        idempotency_key=payment.idempotency_key,
        amount_cents=payment.amount_cents,
        description=payment.description,
        expires_in_seconds=payment.expires_in_seconds,
        notification_url=gateway_accounts.notification_url(app, account),
        payer=payer,
        asked_at=payment.created_at,
    )


async def _search(app: App, payment: Row, account: Row, absent: Absent) -> Charge | Absent | Refusal:
    """Look whether a call that was not answered has made the charge; `absent` where it surely has not."""
    gateway, credentials = gateway_accounts.open_gateway(app, account)
    found = await gateway.find(credentials, payment.idempotency_key)
    if isinstance(found, Refusal):
        raise Undecided(f"{absent.reason}; and whether it was made cannot be told: {found.reason}")
    return absent if found is None else _compare(payment, found.charge)


def _compare(payment: Row, made: Charge) -> Charge | Refusal:
    if made.amount_cents == payment.amount_cents:
        return made
    return Refusal(f"the provider made a charge of {made.amount_cents} cents, not of {payment.amount_cents}")


async def may_look_up(app: App, payment: Row) -> bool:
    """Take the turn to look a charge up; False for who comes within ASK_EVERY of the last, in whatever process."""
    now = app.clock()
    turn = await app.db.payments.take_turn_to_ask(
        account_id=payment.account_id, payment_id=payment.id, now=now, before=now - ASK_EVERY
    )
    return turn is not None


async def look_up(app: App, payment: Row, gateway_account_id: int | None = None) -> Snapshot | Refusal | None:
    """Return the payment's charge as the provider sees it now; None when it was surely never made.

    `gateway_account_id`: another than the payment's, which was asked before and speaks of the charge.

    Raises:
        NeverSent, Ambiguous, Undecided: not known, or the provider answers with another charge; ask again.
    """
    asked_id = gateway_account_id or payment.gateway_account_id
    account = await gateway_accounts.get_by_id(app, asked_id)
    gateway, credentials = gateway_accounts.open_gateway(app, account)
    if payment.txid is None or asked_id != payment.gateway_account_id:
        return await gateway.find(credentials, payment.idempotency_key)
    seen = await gateway.fetch(credentials, txid=payment.txid, provider_id=payment.provider_id)
    if isinstance(seen, Snapshot) and seen.charge.txid != payment.txid:
        raise Undecided(f"the provider was asked for {payment.txid} and answered with another charge")
    return seen


def wait_seconds(since: datetime, now: datetime) -> float:
    """Return how long to wait before a provider is asked again: as long as it has lasted, within limits."""
    return min(max((now - since).total_seconds(), SOONEST_SECONDS), LATEST_SECONDS)
