"""Kwai for Business: POST /log/common/api, one event.

No official page could be found: all of this is what a dozen public integrations agree on (facts of 2026), and doubtful.
Nothing says that Kwai knows a repeat, so what may have arrived is not told again: the row ends as uncertain.

Kwai attributes by the id of its own click alone, so only what came by one is told.
"""

from __future__ import annotations

import json
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
    Told,
    Verdict,
    judge_status,
    read_object,
    to_units,
)

if TYPE_CHECKING:
    from grimbots.services.clients.http import Response

NAMES = {
    Event.VIEW_CONTENT: "EVENT_CONTENT_VIEW",
    Event.INITIATE_CHECKOUT: "EVENT_ADD_TO_CART",
    Event.PURCHASE: "EVENT_PURCHASE",
}
CLICK_IDS = ("click_id", "clickid", "kwai_click_id")
TAKEN = 1  # of `result`


class Kwai(Network):
    """A pixel."""

    name = "kwai"
    label = "Kwai"
    fields = (
        Field("pixel_id", "Pixel", "O número do pixel no Kwai for Business.", is_secret=False),
        Field("access_token", "Token de acesso", "Kwai for Business > Pixel > Gerar token."),
    )
    events = frozenset(NAMES)
    url = "https://www.adsnebula.com"
    keeps = timedelta(days=7)
    knows_repeats = False
    personal = frozenset({"clickid"})

    def find_obstacle(self, destination: Destination, conversion: Conversion) -> str:
        """Refuse what came by no click of Kwai's."""
        return "" if _find_click_id(conversion) else "its link carried no click_id of Kwai's"

    def build(self, destination: Destination, conversion: Conversion) -> Told:
        """Say an event; what it is about travels as JSON in a text."""
        return {
            "clickid": _find_click_id(conversion),
            "event_name": NAMES[conversion.event],
            "is_attributed": 1,
            "mmpcode": "PL",
            "pixelSdkVersion": "9.9.9",
            "testFlag": False,
            "trackFlag": bool(destination.test_event_code),
            "properties": json.dumps(_describe(conversion), ensure_ascii=False),
        }

    async def send(self, destination: Destination, told: Sequence[Told], now: datetime) -> Answer:
        """Post one event."""
        credentials = destination.credentials
        body = {**told[0], "access_token": credentials["access_token"], "pixelId": credentials["pixel_id"]}
        answered = await self.post(f"{self.address}/log/common/api", json=body)
        return answered if isinstance(answered, Answer) else _judge(answered)

    def summarize(self, told: Told) -> dict[str, Any]:
        """Show that there was a click, not which."""
        return {**told, "clickid": "present"}


def _find_click_id(conversion: Conversion) -> str:
    known = conversion.click.parameters if conversion.click else {}
    return next((known[name] for name in CLICK_IDS if known.get(name)), "")


def _describe(conversion: Conversion) -> dict[str, Any]:
    sale, named = conversion.sale, {"event_id": conversion.id}
    if sale is None:
        return named
    first = sale.items[0] if sale.items else None
    product = {"content_id": first.id, "content_name": first.name, "content_type": "product"} if first else {}
    return named | product | {"value": to_units(sale.amount_cents), "currency": sale.currency}


def _judge(response: Response) -> Answer:
    result = read_object(response).get("result")
    said = f"HTTP {response.status}, result {result}"
    if response.status == 200 and result == TAKEN:
        return Answer(Verdict.SENT, said)
    if response.status in (401, 403):
        return Answer(Verdict.DEAD, said)
    return Answer(judge_status(response.status) or (Verdict.LATER if result is None else Verdict.BAD), said)
