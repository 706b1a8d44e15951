"""The sandbox's own provider: charges anyone can pay, for trying a funnel. Only where GRIMBOTS_SANDBOX=1.

Its face, as spoken here (amounts in integer cents, `Authorization: Bearer <api_key>`):
    PUT  /pix/v1/charges/<txid>            the same txid gives the same charge: 201, then 200
    GET  /pix/v1/charges/<txid>            200 or 404
    GET  /pix/v1/charges?since=&until=&skip=   {"charges": [...], "has_more"}, ISO 8601 instants; a page behind `skip`
    PUT  /pix/v1/charges/<txid>/refunds/<id>   {"end_to_end_id", "amount_cents"} -> {"id", "amount_cents", "status"}
         the status, as of every return in a charge's "returns": pending, done or void; a refund that failed is 422
    webhook: pix.received with a payment of "paid" in it, pix.returned with a return of "returns"
    webhook: X-Sandbox-Signature: t=<unix seconds>,v1=<hex hmac-sha256(webhook_secret, "<t>." + body)>
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from grimbots.conf.foreign_json import read_object
from grimbots.services.gateways.answers import MOST_PAGES
from grimbots.services.gateways.base import (
    Charge,
    ChargeRequest,
    Credentials,
    Event,
    Field,
    Gateway,
    Hint,
    Receipt,
    Refund,
    Refusal,
    Return,
    ReturnKind,
    Snapshot,
    Undecided,
    Verdict,
    read_answer,
)

if TYPE_CHECKING:
    from grimbots.conf.settings import Settings
    from grimbots.services.clients.http import Response

SIGNATURE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")
SIGNATURE_LIFE = timedelta(hours=1)


class Sandbox(Gateway):
    """Client of `grimbots sandbox`."""

    name = "sandbox"
    label = "Sandbox (pagamentos de teste)"
    fields = (
        Field("api_key", "Chave da API", "Qualquer texto: cada chave é uma conta separada no sandbox."),
        Field("webhook_secret", "Segredo dos webhooks", "Qualquer texto: assina os avisos de pagamento."),
    )
    kept_headers = ("x-sandbox-signature",)

    @classmethod
    def is_offered(cls, settings: Settings) -> bool:
        """Tell whether the sandbox is open."""
        return settings.sandbox

    async def test(self, credentials: Credentials) -> Refusal | None:
        """Ask for a charge that is not there: only whose key is known hears that it is not."""
        response = await self._call(credentials, "GET", "charges/test")
        return None if response.status in (200, 404) else _refusal(response.status, read_answer(response))

    async def create(self, credentials: Credentials, request: ChargeRequest) -> Charge | Refusal:
        """Put the charge under our own key as its txid."""
        body = {
            "amount_cents": request.amount_cents,
            "description": request.description,
            "expires_in_seconds": request.expires_in_seconds,
            "notification_url": request.notification_url,
            "webhook_secret": credentials["webhook_secret"],
        }
        response = await self._call(credentials, "PUT", f"charges/{quote(request.idempotency_key)}", body)
        snapshot = _read_snapshot(response)
        return snapshot if isinstance(snapshot, Refusal) else snapshot.charge

    async def fetch(self, credentials: Credentials, *, txid: str, provider_id: str) -> Snapshot | Refusal:
        """Return the charge by its txid."""
        return _read_snapshot(await self._call(credentials, "GET", f"charges/{quote(txid)}"))

    async def find(self, credentials: Credentials, idempotency_key: str) -> Snapshot | Refusal | None:
        """Return the charge by our key, which is its txid."""
        response = await self._call(credentials, "GET", f"charges/{quote(idempotency_key)}")
        return None if response.status == 404 else _read_snapshot(response)

    async def refund(
        self, credentials: Credentials, *, txid: str, end_to_end_id: str, amount_cents: int, idempotency_key: str
    ) -> Refund | Refusal:
        """Put a refund under our own key."""
        path = f"charges/{quote(txid)}/refunds/{quote(idempotency_key)}"
        body = {"end_to_end_id": end_to_end_id, "amount_cents": amount_cents}
        response = await self._call(credentials, "PUT", path, body)
        answer = read_answer(response)
        if response.status >= 400:
            return _refusal(response.status, answer)
        return Refund(str(answer.get("id")), _whole(answer, "amount_cents"), answer.get("status") == "done")

    async def list(
        self, credentials: Credentials, *, since: datetime, until: datetime
    ) -> tuple[Snapshot, ...] | Refusal:
        """Return the charges of a window, page by page."""
        found = list[Snapshot]()
        for _ in range(MOST_PAGES):
            which = urlencode({"since": since.isoformat(), "until": until.isoformat(), "skip": len(found)})
            response = await self._call(credentials, "GET", f"charges?{which}")
            answer = read_answer(response)
            if response.status >= 400:
                return _refusal(response.status, answer)
            page = _list(answer, "charges")
            found += map(_snapshot, page)
            if answer.get("has_more") is not True or not page:
                return tuple(found)
        raise Undecided("the provider's list has no end")

    def verify(self, credentials: Credentials, event: Event, now: datetime) -> Verdict:
        """Check the signature. A good one of another hour may be a replay: then the provider is asked."""
        match = SIGNATURE.fullmatch(event.headers.get("x-sandbox-signature", ""))
        if match is None:
            return Verdict.NO
        signed = match[1].encode() + b"." + event.body
        expected = hmac.new(credentials["webhook_secret"].encode(), signed, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, match[2]):
            return Verdict.NO
        age_seconds = abs(now.timestamp() - int(match[1]))
        return Verdict.YES if age_seconds <= SIGNATURE_LIFE.total_seconds() else Verdict.REQUERY

    def parse(self, event: Event) -> tuple[Hint, ...]:
        """Read `pix.received` and `pix.returned`; anything else is of no interest."""
        said = read_object(event.body)
        if said is None or not isinstance(said.get("txid"), str):
            return ()
        try:
            if said.get("event") == "pix.returned":
                return (Hint(said["txid"], None, None, _return(said)),)
            return (Hint(said["txid"], None, _receipt(said)),) if said.get("event") == "pix.received" else ()
        except Undecided:
            return (Hint(said["txid"], None, None),)

    async def _call(
        self, credentials: Credentials, method: str, path: str, body: dict[str, Any] | None = None
    ) -> Response:
        return await self._http.request(
            method,
            f"{self._settings.sandbox_url}/pix/v1/{path}",
            party="gateway:sandbox",
            headers={"Authorization": f"Bearer {credentials['api_key']}"},
            json=body,
            timeout_seconds=self.timeout_seconds,
        )


def _read_snapshot(response: Response) -> Snapshot | Refusal:
    answer = read_answer(response)
    return _refusal(response.status, answer) if response.status >= 400 else _snapshot(answer)


def _refusal(status: int, answer: dict[str, Any]) -> Refusal:
    error = answer.get("error")
    said = error.get("message", "") if isinstance(error, dict) else ""
    return Refusal(f"sandbox answered {status}: {said}")


def _snapshot(answer: dict[str, Any]) -> Snapshot:
    charge = Charge(
        txid=_text(answer, "txid"),
        provider_id=_text(answer, "id"),
        code=_text(answer, "code"),
        amount_cents=_whole(answer, "amount_cents"),
        expires_at=_instant(answer, "expires_at"),
    )
    told = {"paid": [], "returns": [], **answer}
    paid = tuple(_receipt(one) for one in _list(told, "paid"))
    return Snapshot(charge, paid, tuple(_return(one) for one in _list(told, "returns")))


def _list(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    values = answer.get(name)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise Undecided(f"the provider's answer has no {name}")
    return values


def _receipt(paid: dict[str, Any]) -> Receipt:
    fee = _whole(paid, "fee_cents") if paid.get("fee_cents") else None
    return Receipt(_text(paid, "end_to_end_id"), _whole(paid, "amount_cents"), _instant(paid, "at"), fee)


def _return(told: dict[str, Any]) -> Return:
    kind, status = _text(told, "kind"), _text(told, "status")
    if kind not in set(ReturnKind) or status not in ("pending", "done", "void"):
        raise Undecided(f"the provider tells of a {kind} that is {status}")
    return Return(
        id=_text(told, "return_id"),
        end_to_end_id=_text(told, "end_to_end_id"),
        amount_cents=_whole(told, "amount_cents"),
        at=_instant(told, "at"),
        kind=ReturnKind(kind),
        is_settled=status == "done",
        is_void=status == "void",
    )


def _text(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise Undecided(f"the provider's answer has no {name}")
    return value


def _whole(answer: dict[str, Any], name: str) -> int:
    value = answer.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise Undecided(f"the provider's answer has no {name} in cents")
    return value


def _instant(answer: dict[str, Any], name: str) -> datetime:
    try:
        instant = datetime.fromisoformat(_text(answer, name))
    except ValueError as error:
        raise Undecided(f"the provider's answer has no instant in {name}") from error
    if instant.tzinfo is None:
        raise Undecided(f"the provider's {name} has no time zone")
    return instant
