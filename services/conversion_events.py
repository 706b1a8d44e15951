"""Conversion events: what is to be reported, written in the transaction of what happened, one row per destination.

    a click is stored                  PageView           pageview_<token>
    a lead starts by a click           ViewContent        viewcontent_<token>
    a charge is made                   InitiateCheckout   checkout_<payment>
    it is paid                         Purchase           purchase_<payment>
    it is given back, or charged back  Refund, Chargeback refund_<payment>, chargeback_<payment>

An event's id is made of what happened and never of when it is told, so there is one of it however often and by whomever
it is told; the landing page's pixel says the same `pageview_<token>`. `<payment>` is the payment's own key, unique in
all installations. Of a lead that does not want it nothing is written. What is written, conversion_sends.py sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from grimbots.conf import metrics
from grimbots.services.conversions.base import Event
from grimbots.services.errors import Conflict, NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from grimbots.services.app import App
    from grimbots.sql.database import Row, Transaction

STATES = {
    "pending": (Event.INITIATE_CHECKOUT, "checkout"),
    "paid": (Event.PURCHASE, "purchase"),
    "refunded": (Event.REFUND, "refund"),
    "charged_back": (Event.CHARGEBACK, "chargeback"),
}
PAST_ALL_IDS = 2**63 - 1


async def note_clicks(app: App, tx: Transaction, records: Sequence[dict[str, Any]]) -> None:
    """Report clicks that were just stored."""
    tokens = [record["token"] for record in records if app.reporters.may_report(record["account_id"])]
    if tokens:
        await tx.conversions.add_page_views(tokens=tokens, now=app.clock())


async def note_start(app: App, tx: Transaction, lead: Row, click_id: int, token: str) -> None:
    """Report that a locked lead has started by a click."""
    if not app.reporters.may_report(lead.account_id):
        return
    await tx.conversions.add_of_click(
        account_id=lead.account_id,
        lead_id=lead.id,
        click_id=click_id,
        event=Event.VIEW_CONTENT,
        event_key=f"viewcontent_{token}",
        now=app.clock(),
    )


async def note_state(app: App, tx: Transaction, payment: Row, state: str) -> None:
    """Report that a locked payment has come into a state."""
    if state not in STATES or not app.reporters.may_report(payment.account_id):
        return
    event, word = STATES[state]
    await tx.conversions.add_of_payment(
        account_id=payment.account_id,
        payment_id=payment.id,
        event=event,
        event_key=f"{word}_{payment.idempotency_key}",
        now=app.clock(),
    )


async def set_reported(tx: Transaction, *, account_id: int, lead_id: int, is_reported: bool) -> None:
    """Note whether a lead may be reported. What waits to be told of one that may not is withdrawn.

    Raises:
        NotFound: the account has no such lead.
    """
    key = {"account_id": account_id, "lead_id": lead_id}
    if await tx.leads.set_reported(**key, is_reported=is_reported) is None:
        raise NotFound(f"there is no lead {lead_id} in this account")
    if not is_reported:
        await tx.conversions.withdraw(**key)


async def expire_old(app: App) -> None:
    """End what no network would take any more."""
    for row in await app.db.conversions.expire_old(now=app.clock()):
        metrics.conversions.labels(row.network, "expired").inc()


async def list_page(app: App, account_id: int, status: str | None, limit: int) -> list[Row]:
    """Return an account's events, the newest first."""
    rows: list[Row] = await app.db.conversions.list_page(
        account_id=account_id, before_id=PAST_ALL_IDS, status=status, limit=limit
    )
    return rows


async def list_by_payment(app: App, account_id: int, payment_id: int) -> list[Row]:
    """Return what was told of a payment, to whom, and what they answered."""
    rows: list[Row] = await app.db.conversions.list_by_payment(account_id=account_id, payment_id=payment_id)
    return rows


async def get(app: App, account_id: int, conversion_id: int) -> Row:
    """Return an event, with what was sent and what came back.

    Raises:
        NotFound: the account has none.
    """
    row = await app.db.conversions.find(account_id=account_id, conversion_id=conversion_id)
    if row is None:
        raise NotFound(f"this account has no conversion {conversion_id}: `grimbots conversion list` shows them")
    return row


async def retry(app: App, account_id: int, conversion_id: int, actor: str) -> None:
    """Have an event sent again that was not taken.

    Raises:
        NotFound: the account has none.
        Conflict: it is sent or under way, too old, or a later event of its sale was taken.
    """
    row = await get(app, account_id, conversion_id)
    now = app.clock()
    async with app.db.transaction() as tx:
        if not await tx.conversions.plan_again(account_id=account_id, conversion_id=conversion_id, now=now):
            raise Conflict(_explain(row, now))
        await tx.audit.note(
            account_id=account_id,
            actor=actor,
            action="conversion.retry",
            subject=f"conversion:{conversion_id}",
            details={"event": row.event},
            at=now,
        )


def _explain(row: Row, now: datetime) -> str:
    if row.status in ("sent", "planned"):
        return f"conversion {row.id} is {row.status}: there is nothing to repeat"
    if row.expires_at <= now:
        return (
            f"conversion {row.id} is too old: {row.network} takes nothing from before {row.expires_at:%Y-%m-%d %H:%M}"
        )
    return f"conversion {row.id} cannot be sent again: {row.network} has taken a later event of the same sale"
