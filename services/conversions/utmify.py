"""UTMify: POST /api-credentials/orders, one order, the whole of it each time its status changes (an upsert by orderId).

Source: "Documentação da API para envio de vendas - Utmify", as mirrored in public repositories (read 2026-11); its
examples are in the tests. Limits and retries are not documented.

It wants a name and an e-mail of every buyer, and a buyer in Telegram has none: what the bot was not told is filled by
what the seller has configured for that. Telephone and document are null unless the bot was told. The fee is what the
provider of the payment has said it keeps; one that has not said it (yet) is 0, for the key is not optional.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from grimbots.services.conversions.base import (
    Answer,
    Conversion,
    Destination,
    Event,
    Field,
    Network,
    Sale,
    Told,
    Verdict,
    drop_unknown,
    judge_status,
    read_object,
)

if TYPE_CHECKING:
    from grimbots.services.clients.http import Response

PLATFORM = "GrimBots"
STATUSES = {
    Event.INITIATE_CHECKOUT: "waiting_payment",
    Event.PURCHASE: "paid",
    Event.REFUND: "refunded",
    Event.CHARGEBACK: "chargedback",
}
RETURNED = (Event.REFUND, Event.CHARGEBACK)
UTMS = ("utm_source", "utm_campaign", "utm_medium", "utm_content", "utm_term")


class Utmify(Network):
    """A dashboard."""

    name = "utmify"
    label = "UTMify"
    fields = (
        Field("api_token", "Credencial de API", "Integrações > Webhooks > Credenciais de API."),
        Field(
            "fallback_email",
            "E-mail de quem não informou",
            "A UTMify exige um e-mail. Use um seu, por exemplo sem-email@sualoja.com.br.",
            is_secret=False,
            pattern=r"[^\s@]+@[^\s@]+\.[^\s@]+",
        ),
    )
    events = frozenset(STATUSES)
    url = "https://api.utmify.com.br"
    keeps = timedelta(days=30)
    personal = frozenset({"customer"})

    def build(self, destination: Destination, conversion: Conversion) -> Told:
        """Say the order as it stands by this event."""
        sale, event = conversion.sale, conversion.event
        assert sale is not None  # noqa: S101  all its events are of sales
        return {
            "orderId": sale.id,
            "platform": PLATFORM,
            "paymentMethod": "pix",
            "status": STATUSES[event],
            "createdAt": _write(sale.asked_at),
            "approvedDate": None if event is Event.INITIATE_CHECKOUT else _write(sale.paid_at),
            "refundedAt": _write(conversion.at) if event in RETURNED else None,
            "customer": _describe_customer(destination, conversion),
            "products": [_describe_product(item.id, item.name, item.price_cents) for item in sale.items],
            "trackingParameters": _describe_tracking(conversion),
            "commission": _describe_commission(sale),
            "isTest": bool(destination.test_event_code),
        }

    async def send(self, destination: Destination, told: Sequence[Told], now: datetime) -> Answer:
        """Post one order."""
        headers = {"x-api-token": destination.credentials["api_token"]}
        answered = await self.post(f"{self.address}/api-credentials/orders", json=told[0], headers=headers)
        return answered if isinstance(answered, Answer) else _judge(answered)


def _write(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else None


def _describe_customer(destination: Destination, conversion: Conversion) -> dict[str, Any]:
    person, click = conversion.person, conversion.click
    known = {
        "name": (person and person.name) or "Cliente",
        "email": (person and person.email) or destination.credentials["fallback_email"],
        "phone": person.phone if person else None,
        "document": None,
    }
    return known | drop_unknown({"ip": click.address if click else None})


def _describe_product(product_id: str, name: str, price_cents: int) -> dict[str, Any]:
    return {
        "id": product_id,
        "name": name,
        "planId": None,
        "planName": None,
        "quantity": 1,
        "priceInCents": price_cents,
    }


def _describe_tracking(conversion: Conversion) -> dict[str, str | None]:
    """Give every key, as the link carried it: the form `name|id` is what UTMify reads."""
    click = conversion.click
    others = {name: click.parameters.get(name) if click else None for name in ("src", "sck")}
    return others | {name: click.utms.get(name) if click else None for name in UTMS}


def _describe_commission(sale: Sale) -> dict[str, Any]:
    fee_cents = sale.fee_cents or 0
    known = {
        "totalPriceInCents": sale.amount_cents,
        "gatewayFeeInCents": fee_cents,
        "userCommissionInCents": max(0, sale.amount_cents - fee_cents),
    }
    return known if sale.currency == "BRL" else {**known, "currency": sale.currency}


def _judge(response: Response) -> Answer:
    if 200 <= response.status < 300:
        return Answer(Verdict.SENT, f"HTTP {response.status}")
    # The message says what is wrong with which field, and may repeat the value: it is not kept.
    is_unknown = "API_CREDENTIAL_NOT_FOUND" in str(read_object(response))
    said = f"HTTP {response.status}" + (": API_CREDENTIAL_NOT_FOUND" if is_unknown else "")
    if is_unknown or response.status in (401, 403):
        return Answer(Verdict.DEAD, said)
    return Answer(judge_status(response.status) or Verdict.BAD, said)
