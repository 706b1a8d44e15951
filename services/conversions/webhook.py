"""A server of the seller's own: one signed POST per event, as Standard Webhooks (standardwebhooks.com) has it.

The same secret as of the funnels' webhook steps (`grimbots funnel secret`); HMAC-SHA256 over id, timestamp and body.
The id is the event's, so a repeat is known by it. The address is the seller's word: only the public internet is
dialled.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from grimbots.services.clients.http import Ambiguous, NeverSent, Response
from grimbots.services.conversions.base import (
    TIMEOUT_SECONDS,
    Answer,
    Conversion,
    Destination,
    Event,
    Field,
    Network,
    Told,
    Verdict,
    judge_status,
)
from grimbots.services.signatures import sign

BAD = (400, 422)
MAX_ANSWER_BYTES = 64 * 1024
GONE = 410  # the server wants no more of this


class Webhook(Network):
    """An address."""

    name = "webhook"
    label = "Seu servidor (webhook assinado)"
    fields = (
        Field(
            "url",
            "Endereço",
            "https://..., na internet pública. O segredo: grimbots funnel secret.",
            is_secret=False,
            pattern=r"https://\S+|http://127\.0\.0\.1[:/]\S*",  # the sandbox's own machine, dialled only there
        ),
    )
    events = frozenset(Event)
    url = ""
    keeps = timedelta(days=3)
    personal = frozenset({"click"})

    def build(self, destination: Destination, conversion: Conversion) -> Told:
        """Say an event in our own words."""
        click, sale = conversion.click, conversion.sale
        return {
            "type": f"conversion.{conversion.event.value}",
            "id": conversion.id,
            "timestamp": conversion.at.isoformat(),
            "is_test": bool(destination.test_event_code),
            "lead": conversion.person.id if conversion.person else None,
            "click": {"url": click.url, **click.utms, **click.parameters} if click else {},
            "payment": {
                "id": sale.id,
                "amount_cents": sale.amount_cents,
                "currency": sale.currency,
                "items": [{"id": item.id, "name": item.name, "price_cents": item.price_cents} for item in sale.items],
            }
            if sale
            else None,
        }

    async def send(self, destination: Destination, told: Sequence[Told], now: datetime) -> Answer:
        """Post one event."""
        body = json.dumps(told[0], ensure_ascii=False, separators=(",", ":")).encode()
        headers = dict(sign(destination.signing_key, str(told[0]["id"]), int(now.timestamp()), body))
        try:
            answered = await self._http.request(
                "POST",
                destination.credentials["url"],
                party="post",
                headers={**headers, "Content-Type": "application/json"},
                body=body,
                timeout_seconds=TIMEOUT_SECONDS,
                public_only=not self._settings.sandbox,
                max_response_bytes=MAX_ANSWER_BYTES,
            )
        except NeverSent as error:
            return Answer(Verdict.THROTTLED, str(error))
        except Ambiguous as error:
            return Answer(Verdict.LATER, str(error))
        return _judge(answered)

    def summarize(self, told: Told) -> dict[str, Any]:
        """Keep what the click told out of it."""
        return {**super().summarize(told), "lead": None}


def _judge(response: Response) -> Answer:
    said = f"HTTP {response.status}"
    if 200 <= response.status < 300:
        return Answer(Verdict.SENT, said)
    if response.status == GONE:
        return Answer(Verdict.DEAD, said)
    if response.status in BAD:
        return Answer(Verdict.BAD, said)
    return Answer(judge_status(response.status) or Verdict.LATER, said)
