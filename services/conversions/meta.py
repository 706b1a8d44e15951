"""Meta Conversions API: POST /<version>/<pixel>/events, up to 1000 events, all of them refused where one is bad.

Sources: developers.facebook.com, "Conversions API" (using the API, server event, customer information, best practices,
business messaging; January to June 2026); the error codes: Graph API "Error handling", and rudder-transformer for what
the subcodes mean (not official). Meta drops a repeat of (event_name, event_id) within 48 hours.

`website` is said only of what came by a stored click, with its address and browser, and `business_messaging` only with
the id of an ad that opens WhatsApp; a sale in a chat is else what it is, `chat`. There is no field for a CPF.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from grimbots.services.conversions.base import (
    DIGITS,
    Answer,
    Click,
    Conversion,
    Destination,
    Event,
    Field,
    Network,
    Sale,
    Told,
    Verdict,
    drop_unknown,
    read_object,
    to_units,
)
from grimbots.services.conversions.hashes import digest, hash_email, hash_phone

if TYPE_CHECKING:
    from grimbots.services.clients.http import Response

TRANSIENT = {1, 2, 341, 368, 5000, 21009}
THROTTLES = {4, 17, 32, 613, 80000, 80003, 80004, 80014}
DEAD = {3, 10, 102, 190, *range(200, 300)}
BAD_PARAMETER, NO_SUCH_PIXEL = 100, 33  # code; its subcode where the pixel is not there for this token
BAD_EVENTS = range(2804000, 2805000)  # subcodes


class Meta(Network):
    """A pixel, or dataset."""

    name = "meta"
    label = "Meta (API de Conversões)"
    fields = (
        Field(
            "pixel_id",
            "Pixel",
            "O número do pixel (conjunto de dados) no Gerenciador de Eventos.",
            is_secret=False,
            pattern=DIGITS,
        ),
        Field("access_token", "Token de acesso", "Gerenciador de Eventos > Configurações > Gerar token de acesso."),
        Field(
            "whatsapp_business_account_id",
            "Conta do WhatsApp",
            "Só para anúncios que abrem o WhatsApp: o número da conta do WhatsApp Business.",
            is_secret=False,
            is_optional=True,
            pattern=DIGITS,
        ),
    )
    events = frozenset({Event.PAGE_VIEW, Event.VIEW_CONTENT, Event.INITIATE_CHECKOUT, Event.PURCHASE})
    url = "https://graph.facebook.com"
    keeps = timedelta(days=7) - timedelta(hours=1)  # one event of over seven days spoils its whole batch
    batch_size = 200  # of the 1000 allowed: fewer halves to try where one is bad
    personal = frozenset({"user_data"})

    def build(self, destination: Destination, conversion: Conversion) -> Told:
        """Say an event as a server event."""
        told = {
            "event_name": conversion.event.value,
            "event_time": int(conversion.at.timestamp()),
            "event_id": conversion.id,
            "user_data": _describe_person(conversion),
            **_describe_source(destination, conversion),
        }
        if "messaging_channel" in told:
            told["user_data"] = {**told["user_data"], **_describe_messaging(destination, conversion)}
        return {**told, "custom_data": _describe_sale(conversion.sale)} if conversion.sale else told

    async def send(self, destination: Destination, told: Sequence[Told], now: datetime) -> Answer:
        """Post a batch."""
        credentials, version = destination.credentials, self._settings.meta_api_version
        body = {"data": list(told), "access_token": credentials["access_token"]}
        if destination.test_event_code:
            body["test_event_code"] = destination.test_event_code
        answered = await self.post(f"{self.address}/{version}/{credentials['pixel_id']}/events", json=body)
        return answered if isinstance(answered, Answer) else _judge(answered, len(told))


def _describe_source(destination: Destination, conversion: Conversion) -> dict[str, Any]:
    """Say where it happened, no more than is known: by using this API one asserts that it is true."""
    click = conversion.click
    if _find_ctwa(destination, click):
        return {"action_source": "business_messaging", "messaging_channel": "whatsapp"}
    if click and click.address and click.user_agent:
        return {"action_source": "website", "event_source_url": click.url}
    return {"action_source": "chat"}


def _find_ctwa(destination: Destination, click: Click | None) -> str:
    known = click.parameters.get("ctwa_clid", "") if click else ""
    return known if destination.credentials.get("whatsapp_business_account_id") else ""


def _describe_messaging(destination: Destination, conversion: Conversion) -> dict[str, Any]:
    return {
        "ctwa_clid": _find_ctwa(destination, conversion.click),
        "whatsapp_business_account_id": destination.credentials["whatsapp_business_account_id"],
    }


def _describe_person(conversion: Conversion) -> dict[str, Any]:
    click, person = conversion.click, conversion.person
    hashed = {
        "em": person and hash_email(person.email),
        "ph": person and hash_phone(person.phone),
        "external_id": person and digest(person.id),
    }
    told = {name: [value] for name, value in hashed.items() if value}
    if click is None:
        return told
    return told | drop_unknown(
        {
            "client_ip_address": click.address,
            "client_user_agent": click.user_agent,
            "fbp": click.fbp,
            "fbc": click.fbc,
        }
    )


def _describe_sale(sale: Sale) -> dict[str, Any]:
    return {
        "currency": sale.currency,
        "value": to_units(sale.amount_cents),
        "order_id": sale.id,
        "content_type": "product",
        "contents": [{"id": item.id, "quantity": 1, "item_price": to_units(item.price_cents)} for item in sale.items],
    }


def _judge(response: Response, count: int) -> Answer:
    answer = read_object(response)
    trace = str(answer.get("fbtrace_id", ""))
    if response.status == 200 and "events_received" in answer:
        if answer["events_received"] == count:
            return Answer(Verdict.SENT, f"fbtrace_id {trace}")
        return Answer(Verdict.BAD, f"{answer['events_received']} of {count} taken, fbtrace_id {trace}")
    error = answer.get("error")
    if not isinstance(error, dict):
        return Answer(Verdict.LATER, f"HTTP {response.status}")
    said = f"code {error.get('code')}, subcode {error.get('error_subcode')}: {error.get('error_user_title') or ''}"
    return Answer(_judge_error(error), f"{said} {error.get('message') or ''}, fbtrace_id {error.get('fbtrace_id')}")


def _judge_error(error: dict[str, Any]) -> Verdict:
    """Say what an error means. One that no table knows passes, as far as we know: it is tried until it is too late."""
    code, subcode = error.get("code"), error.get("error_subcode")
    if code in THROTTLES:
        return Verdict.THROTTLED
    if error.get("is_transient") or code in TRANSIENT:
        return Verdict.LATER
    if code in DEAD or (code, subcode) == (BAD_PARAMETER, NO_SUCH_PIXEL):
        return Verdict.DEAD
    is_bad = code == BAD_PARAMETER or (isinstance(subcode, int) and subcode in BAD_EVENTS)
    return Verdict.BAD if is_bad else Verdict.LATER
