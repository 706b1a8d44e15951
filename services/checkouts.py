"""Checkouts: what Telegram asks before a payment in Stars, and tells when it was made.

    pre_checkout_query     asked while the buyer looks at his invoice; answered in the webhook's own reply, from the row
    successful_payment     a message of the buyer's: settled by the road of every payment
    refunded_payment       likewise: taken in by the road of all money that goes back, whoever gave it back

Telegram lets a payment go after 10 s without an answer. The receipt's id is `telegram_payment_charge_id`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from grimbots.conf import metrics
from grimbots.services import payments
from grimbots.services.funnels.effects import STARS
from grimbots.services.gateways import stars
from grimbots.services.gateways.base import Receipt
from grimbots.services.receipts import UNPAID
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.services.arrivals import StarsPaid
    from grimbots.services.bots import Bot
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
REFUSALS = {
    "unknown": "Esta cobrança não existe mais. Volte à conversa e peça outra. / This invoice is gone: ask for another.",
    "paid": "Esta cobrança já foi paga. / This invoice was paid already.",
    "bought": "Este pedido já foi pago de outra forma, e nada foi cobrado agora. / This order was paid in another way.",
    "over": "Esta cobrança venceu. Volte à conversa e peça outra. / This invoice is over: ask for another.",
    "changed": "O valor desta cobrança mudou. Volte à conversa e peça outra. / The price has changed: ask for another.",
    "another": "Esta cobrança é de outra pessoa. / This invoice is somebody else's.",
    "away": "Não foi possível confirmar agora, e nada foi cobrado. Tente daqui a um minuto. / Try again in a minute.",
}


async def answer(app: App, bot: Bot, query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the call that lets a payment in Stars be made, or says why not."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            refusal = await _find_refusal(app, bot, query)
    except (DatabaseUnavailable, StatementTimeout, TimeoutError):
        refusal = "away"
    metrics.checkouts.labels(refusal or "let_through").inc()
    reply = {"method": "answerPreCheckoutQuery", "pre_checkout_query_id": query["id"], "ok": not refusal}
    return {**reply, "error_message": REFUSALS[refusal]} if refusal else reply


async def take_in(app: App, bot: Bot, paid: StarsPaid) -> list[Job]:
    """Settle what Telegram says was paid or given back; returns the jobs to enqueue. Told again, it settles nothing."""
    payment = await _find_payment(app, bot, paid.payload)
    if payment is None:
        log.warning("bot %d: %d Stars of a charge it has not made: %s", bot.id, paid.stars, paid.charge_id)
        return []
    at = datetime.fromtimestamp(paid.at, UTC) if paid.at else app.clock()
    if paid.is_back:
        back = stars.make_return(paid.charge_id, paid.stars, at)
        return await payments.settle_all(app, payment, (), [back], actor="telegram", reason="refunded_payment")
    receipt = Receipt(paid.charge_id, paid.stars, at)
    return await payments.settle_all(app, payment, [receipt], actor="telegram", reason="successful_payment")


async def _find_refusal(app: App, bot: Bot, query: Mapping[str, Any]) -> str:
    """Say why a payment must not be made; "" where it may."""
    payment = await _find_payment(app, bot, query.get("invoice_payload"))
    if payment is None:
        return "unknown"
    if payment.state != "pending" or payment.expires_at <= app.clock():
        return "over" if payment.state in UNPAID else "paid"
    if (query.get("currency"), query.get("total_amount")) != (STARS, payment.amount_cents):
        return "changed"
    sender = query.get("from")
    if not isinstance(sender, dict) or sender.get("id") != payment.chat_id:
        return "another"
    which = {"account_id": payment.account_id, "payment_id": payment.id}
    return "bought" if await app.db.payments.has_paid_twin(**which, paid_at=app.clock()) else ""


async def _find_payment(app: App, bot: Bot, payload: Any) -> Row | None:
    key = stars.read_key(payload) if isinstance(payload, str) else None
    if key is None:
        return None
    which = {"account_id": bot.account_id, "bot_id": bot.id}
    payment = await app.db.payments.find_by_key(**which, idempotency_key=key)
    return payment if payment is not None and payment.currency == STARS else None
