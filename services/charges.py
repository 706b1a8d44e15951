"""Charges: what we ask a payment provider for. What becomes of the payment then is for services/payments.py to say."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from grimbots.services import gateway_accounts
from grimbots.services.clients.http import Ambiguous, NeverSent
from grimbots.services.gateways.base import Charge, ChargeRequest, Refusal, Snapshot, Undecided

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row

SOONEST_SECONDS, LATEST_SECONDS = 2.0, 60.0
ASK_EVERY = timedelta(seconds=5)  # a charge is looked up once in so long, however many want to know
UNANSWERED = (NeverSent, Ambiguous, Undecided)  # what create and look_up raise when the provider has decided nothing


async def create(app: App, payment: Row) -> Charge | Refusal:
    """Ask for the payment's charge under its own idempotency key: asked again, the provider answers with the same one.

    Raises:
        NeverSent, Ambiguous, Undecided: not known; ask again.
    """
    account = await gateway_accounts.get_by_id(app, payment.gateway_account_id)
    gateway, credentials = gateway_accounts.open_gateway(app, account)
    request = ChargeRequest(
        idempotency_key=payment.idempotency_key,
        amount_cents=payment.amount_cents,
        description=payment.description,
        expires_in_seconds=payment.expires_in_seconds,
        notification_url=gateway_accounts.notification_url(app, account),
        asked_at=payment.created_at,
    )
    app.queue.guard()
    made = await gateway.create(credentials, request)
    if isinstance(made, Charge) and made.amount_cents != payment.amount_cents:
        return Refusal(f"the provider made a charge of {made.amount_cents} cents, not of {payment.amount_cents}")
    return made


async def may_look_up(app: App, payment: Row) -> bool:
    """Take the turn to look a charge up; False for who comes within ASK_EVERY of the last, in whatever process."""
    now = app.clock()
    turn = await app.db.payments.take_turn_to_ask(
        account_id=payment.account_id, payment_id=payment.id, now=now, before=now - ASK_EVERY
    )
    return turn is not None


async def look_up(app: App, payment: Row) -> Snapshot | Refusal | None:
    """Return the payment's charge as the provider sees it now; None when it was surely never made.

    Raises:
        NeverSent, Ambiguous, Undecided: not known; ask again.
    """
    account = await gateway_accounts.get_by_id(app, payment.gateway_account_id)
    gateway, credentials = gateway_accounts.open_gateway(app, account)
    if payment.txid is None:
        return await gateway.find(credentials, payment.idempotency_key)
    return await gateway.fetch(credentials, txid=payment.txid, provider_id=payment.provider_id)


def wait_seconds(since: datetime, now: datetime) -> float:
    """Return how long to wait before a provider is asked again: as long as it has lasted, within limits."""
    return min(max((now - since).total_seconds(), SOONEST_SECONDS), LATEST_SECONDS)
