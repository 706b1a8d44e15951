"""TikTok Events API 2.0: POST /open_api/v1.3/event/track/, up to 50 events. An answer is HTTP 200 even for an error.

Sources: connectors' documentation and public integrations (docs.tealium.com, rudder-transformer); TikTok's own pages
could not be read. So these are doubtful: that telephones are hashed with their plus sign, and what codes mean beyond 0,
40002 and 40100. TikTok drops a repeat of (event, event_id).

All of it is said to be `web`, so only what came by a click is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
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
    to_units,
)
from grimbots.services.conversions.hashes import digest, hash_email, hash_phone_with_plus

if TYPE_CHECKING:
    from grimbots.services.clients.http import Response

NAMES = {
    Event.VIEW_CONTENT: "ViewContent",
    Event.INITIATE_CHECKOUT: "InitiateCheckout",
    Event.PURCHASE: "CompletePayment",
}
CODES = {
    0: Verdict.SENT,
    20001: Verdict.BAD,  # some were taken: the halves are told again, the repeats are dropped there
    40001: Verdict.DEAD,  # no permission
    40002: Verdict.BAD,  # a parameter is wrong
    40100: Verdict.THROTTLED,
    40104: Verdict.DEAD,  # no token
    40105: Verdict.DEAD,  # the token is wrong or was withdrawn
}


class TikTok(Network):
    """A pixel."""

    name = "tiktok"
    label = "TikTok (API de Eventos)"
    fields = (
        Field("pixel_code", "Pixel", "O código do pixel no Gerenciador de Eventos.", is_secret=False),
        Field("access_token", "Token de acesso", "Gerenciador de Eventos > Configurações > API de Eventos."),
    )
    events = frozenset(NAMES)
    url = "https://business-api.tiktok.com"
    keeps = timedelta(days=7)
    batch_size = 50
    personal = frozenset({"user"})

    def find_obstacle(self, destination: Destination, conversion: Conversion) -> str:
        """Refuse what came by no click."""
        return "" if conversion.click else "it came by no click"

    def build(self, destination: Destination, conversion: Conversion) -> Told:
        """Say an event as one of the web."""
        told = {
            "event": NAMES[conversion.event],
            "event_time": int(conversion.at.timestamp()),
            "event_id": conversion.id,
            "user": _describe_person(conversion),
            "page": {"url": conversion.click.url if conversion.click else ""},
        }
        return {**told, "properties": _describe_sale(conversion.sale)} if conversion.sale else told

    async def send(self, destination: Destination, told: Sequence[Told], now: datetime) -> Answer:
        """Post a batch."""
        body = {"event_source": "web", "event_source_id": destination.credentials["pixel_code"], "data": list(told)}
        if destination.test_event_code:
            body["test_event_code"] = destination.test_event_code
        headers = {"Access-Token": destination.credentials["access_token"]}
        answered = await self.post(f"{self.address}/open_api/v1.3/event/track/", json=body, headers=headers)
        return answered if isinstance(answered, Answer) else _judge(answered)


def _describe_person(conversion: Conversion) -> dict[str, Any]:
    click, person = conversion.click, conversion.person
    return drop_unknown(
        {
            "email": person and hash_email(person.email),
            "phone": person and hash_phone_with_plus(person.phone),
            "external_id": person and digest(person.id),
            "ttclid": click and click.ttclid,
            "ip": click and click.address,
            "user_agent": click and click.user_agent,
        }
    )


def _describe_sale(sale: Sale) -> dict[str, Any]:
    return {
        "currency": sale.currency,
        "value": to_units(sale.amount_cents),
        "order_id": sale.id,
        "content_type": "product",
        "contents": [
            {"content_id": item.id, "content_name": item.name, "quantity": 1, "price": to_units(item.price_cents)}
            for item in sale.items
        ],
    }


def _judge(response: Response) -> Answer:
    """Say what an answer means. A code that no table knows is tried until it is too late."""
    answer = read_object(response)
    code = answer.get("code")
    said = f"HTTP {response.status}, code {code}: {answer.get('message') or ''}, request {answer.get('request_id')}"
    known = CODES.get(code) if isinstance(code, int) else None
    return Answer(known or judge_status(response.status) or Verdict.LATER, said)
