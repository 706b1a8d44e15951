"""Google Ads by the Data Manager API: POST /v1/events:ingest, up to 2000 events, all of them refused where one is bad.

Sources: developers.google.com/data-manager (send events, "Understand API errors", October 2026). New users cannot use
UploadClickConversions since 2026-06-15. A requestId says that they were taken in; what Google makes of each it tells
later (requestStatus), which is not asked for here. A repeat of a transactionId is one conversion.

A consent is not claimed: nobody here was asked for it. Only a sale is told, by its click or by what the buyer told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from grimbots.services.conversions.base import (
    DIGITS,
    Answer,
    Conversion,
    Destination,
    Event,
    Field,
    Network,
    Told,
    Verdict,
    drop_unknown,
    judge_status,
    read_object,
    to_units,
)
from grimbots.services.conversions.hashes import hash_email_for_google, hash_phone_with_plus

if TYPE_CHECKING:
    from grimbots.services.clients.http import Response

CLICK_IDS = ("gbraid", "wbraid")
STATUSES = {
    "INVALID_ARGUMENT": Verdict.BAD,
    "PERMISSION_DENIED": Verdict.DEAD,
    "UNAUTHENTICATED": Verdict.DEAD,
    "NOT_FOUND": Verdict.DEAD,
    "RESOURCE_EXHAUSTED": Verdict.THROTTLED,
}
DEAD_GRANTS = ("invalid_grant", "invalid_client", "unauthorized_client")


class Google(Network):
    """A conversion action of a Google Ads account."""

    name = "google"
    label = "Google Ads (Data Manager)"
    fields = (
        Field("customer_id", "Conta do Google Ads", "Só os dígitos, sem traços.", is_secret=False, pattern=DIGITS),
        Field(
            "login_customer_id",
            "Conta de administrador",
            "A conta (MCC) por onde se entra, se for outra. Só os dígitos.",
            is_secret=False,
            is_optional=True,
            pattern=DIGITS,
        ),
        Field(
            "conversion_action_id",
            "Ação de conversão",
            "O número da ação (importação de cliques).",
            is_secret=False,
            pattern=DIGITS,
        ),
        Field("client_id", "ID do cliente OAuth", "Google Cloud > Credenciais.", is_secret=False),
        Field("client_secret", "Chave secreta do cliente OAuth", "Google Cloud > Credenciais."),
        Field("refresh_token", "Token de atualização", "Com o escopo https://www.googleapis.com/auth/datamanager."),
    )
    events = frozenset({Event.PURCHASE})
    url = "https://datamanager.googleapis.com"
    token_url = "https://oauth2.googleapis.com"  # noqa: S105  an address
    keeps = timedelta(days=14)
    batch_size = 200
    personal = frozenset({"adIdentifiers", "userData"})

    def find_obstacle(self, destination: Destination, conversion: Conversion) -> str:
        """Refuse what Google could match with nobody."""
        is_known = _describe_click(conversion) or _describe_person(conversion)
        return "" if is_known else "it came by no click of Google's, and the buyer told neither e-mail nor telephone"

    def build(self, destination: Destination, conversion: Conversion) -> Told:
        """Say a sale as an event."""
        sale = conversion.sale
        assert sale is not None  # noqa: S101  its only event is a sale
        told = {
            "transactionId": conversion.id,
            "eventTimestamp": conversion.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": "WEB" if conversion.click else "OTHER",
            "conversionValue": to_units(sale.amount_cents),
            "currency": sale.currency,
            "adIdentifiers": _describe_click(conversion),
            "userData": drop_unknown({"userIdentifiers": _describe_person(conversion)}),
        }
        return drop_unknown(told)

    async def send(self, destination: Destination, told: Sequence[Told], now: datetime) -> Answer:
        """Fetch an access token and post a batch."""
        token = await self._fetch_token(destination)
        if isinstance(token, Answer):
            return token
        body = {
            "destinations": [_describe_destination(destination)],
            "encoding": "HEX",
            "events": list(told),
            "validateOnly": bool(destination.test_event_code),
        }
        headers = {"Authorization": f"Bearer {token}"}
        answered = await self.post(f"{self.address}/v1/events:ingest", json=body, headers=headers)
        return answered if isinstance(answered, Answer) else _judge(answered)

    async def _fetch_token(self, destination: Destination) -> str | Answer:
        form = {name: destination.credentials[name] for name in ("client_id", "client_secret", "refresh_token")}
        form["grant_type"] = "refresh_token"
        address = self._settings.conversion_urls.get(self.name, self.token_url)
        answered = await self.post(f"{address}/token", json=form)  # Google takes JSON there too
        if isinstance(answered, Answer):
            return Answer(Verdict.THROTTLED, answered.said)  # no event has left
        answer = read_object(answered)
        if answered.status == 200 and isinstance(answer.get("access_token"), str):
            return str(answer["access_token"])
        is_dead = answer.get("error") in DEAD_GRANTS
        return Answer(Verdict.DEAD if is_dead else Verdict.THROTTLED, f"no access token: {answer.get('error')}")


def _describe_destination(destination: Destination) -> dict[str, Any]:
    credentials = destination.credentials
    login = credentials.get("login_customer_id") or credentials["customer_id"]
    return {
        "operatingAccount": {"accountType": "GOOGLE_ADS", "accountId": credentials["customer_id"]},
        "loginAccount": {"accountType": "GOOGLE_ADS", "accountId": login},
        "productDestinationId": credentials["conversion_action_id"],
    }


def _describe_click(conversion: Conversion) -> dict[str, str]:
    """Give the click's id, and no more than one of them."""
    click = conversion.click
    if click is None:
        return {}
    if click.gclid:
        return {"gclid": click.gclid}
    return next(({name: click.parameters[name]} for name in CLICK_IDS if click.parameters.get(name)), {})


def _describe_person(conversion: Conversion) -> list[dict[str, str]]:
    person = conversion.person
    if person is None:
        return []
    hashed = {
        "emailAddress": hash_email_for_google(person.email),
        "phoneNumber": hash_phone_with_plus(person.phone),
    }
    return [{name: value} for name, value in hashed.items() if value]


def _judge(response: Response) -> Answer:
    """Say what an answer means. A status that no table knows is tried until it is too late."""
    answer = read_object(response)
    if response.status == 200 and answer.get("requestId"):
        return Answer(Verdict.SENT, f"requestId {answer['requestId']}")
    error = answer.get("error")
    status = str(error.get("status")) if isinstance(error, dict) else ""
    verdict = STATUSES.get(status) or judge_status(response.status) or Verdict.LATER
    return Answer(verdict, f"HTTP {response.status} {status}")
