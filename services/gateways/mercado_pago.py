"""Mercado Pago, by its payments API. Amounts are reais as JSON numbers; a payment is paid once.

Sources: github.com/mercadopago/openapi f224df3 (by-site/MLB: payments, refunds, search; schemas/webhooks.yaml) and
github.com/mercadopago/sdk-python 2365940 (webhook/validator.py). Not in either, and so doubtful:
    - where the code stands (`point_of_interaction.transaction_data.qr_code`): every published sample has it there;
    - that a PIX lives from 30 minutes to 30 days: a shorter one is asked for with 35 minutes, and ended by ourselves;
    - what is signed: the documents contradict each other (facts of 2026: the id as it came or in small letters, of the
      query or of the body), so each is tried, and all need the secret. The signature covers no amount: money is always
      asked about.
    - how soon the search knows a new payment: `find` may say "none" for moments. A repeated `create` is sure.
Payments made with test credentials (`live_mode` false) count for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode

from grimbots.conf.foreign_json import read_object
from grimbots.services.gateways.answers import (
    MOST_PAGES,
    as_reais,
    find,
    find_missing,
    find_reais,
    find_text,
    is_storable,
    read_instant,
    read_objects,
    read_reais,
    read_text,
    refuse,
)
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
from grimbots.services.gateways.proofs import is_sha256

if TYPE_CHECKING:
    from grimbots.services.clients.http import Response

Objects = Sequence[dict[str, Any]]
LEAST_LIFE = timedelta(minutes=35)
PAGE = 50
PAID = frozenset({"approved", "in_mediation", "refunded", "charged_back"})  # states that only a paid payment reaches
RETURNED = {"in_mediation": ReturnKind.DISPUTE, "charged_back": ReturnKind.CHARGEBACK}
PART = re.compile(r"\s*(\w{1,9})\s*=\s*([0-9a-f]{1,64})\s*")  # of x-signature: ts=1742505638683,v1=<64 hex digits>
TOPICS = ("payment",)  # others speak of things that change a payment, which is told by an event of its own
REASONS = {400: "recusou a cobrança: confira se a conta tem uma chave PIX cadastrada e se o e-mail do comprador existe"}


class MercadoPago(Gateway):
    """Client of api.mercadopago.com. `txid` is our own key, its `external_reference`; a receipt's id the payment's."""

    name = "mercado_pago"
    label = "Mercado Pago"
    fields = (
        Field(
            "access_token",
            "Access Token de produção",
            "Em Suas integrações > sua aplicação > Credenciais de produção. Começa com APP_USR.",
        ),
        Field(
            "webhook_secret",
            "Assinatura secreta dos webhooks",
            "Em Suas integrações > sua aplicação > Webhooks, depois de salvar o evento Pagamentos.",
        ),
    )
    kept_headers = ("x-signature", "x-request-id")
    needs = frozenset({"email"})
    url = "https://api.mercadopago.com"
    answer_within_seconds = 22.0

    async def test(self, credentials: Credentials) -> Refusal | None:
        """Search for one payment: it needs what the rest needs."""
        response = await self._call(credentials, "GET", "/v1/payments/search?limit=1&sort=date_created&criteria=desc")
        return None if response.status == 200 else self._refuse(response, read_answer(response))

    async def create(self, credentials: Credentials, request: ChargeRequest) -> Charge | Refusal:
        """Make a payment under our key as X-Idempotency-Key."""
        if missing := find_missing(self.label, request, self.needs, self.least_cents):
            return missing
        until = request.asked_at + timedelta(seconds=request.expires_in_seconds)
        ends_at = max(until, request.asked_at + LEAST_LIFE)
        key = {"X-Idempotency-Key": request.idempotency_key}
        response = await self._call(credentials, "POST", "/v1/payments", _write(request, ends_at), key)
        answer = read_answer(response)
        if response.status >= 400:
            return self._refuse(response, answer)
        if find(answer, "live_mode") is False:
            return Refusal(f"{self.label}: as credenciais são de teste, nada seria cobrado: use as de produção")
        made = _read_charge(answer)
        return Charge(made.txid, made.provider_id, made.code, made.amount_cents, min(made.expires_at, until))

    async def fetch(self, credentials: Credentials, *, txid: str, provider_id: str) -> Snapshot | Refusal:
        """Return the payment by its id."""
        response = await self._call(credentials, "GET", f"/v1/payments/{quote(provider_id, safe='')}")
        answer = read_answer(response)
        if response.status >= 400:
            return self._refuse(response, answer)
        return await self._look(credentials, answer)

    async def find(self, credentials: Credentials, idempotency_key: str) -> Snapshot | Refusal | None:
        """Search for our key."""
        found = await self._search(credentials, {"external_reference": idempotency_key})
        if isinstance(found, Refusal):
            return found
        known = [payment for payment in found if find_text(payment, "external_reference") == idempotency_key]
        return await self._look(credentials, known[0]) if known else None

    async def refund(
        self, credentials: Credentials, *, txid: str, end_to_end_id: str, amount_cents: int, idempotency_key: str
    ) -> Refund | Refusal:
        """Give back, under our key; X-Render-In-Process-Refunds makes one that takes time an answer, not an error."""
        headers = {"X-Idempotency-Key": idempotency_key, "X-Render-In-Process-Refunds": "true"}
        path = f"/v1/payments/{quote(end_to_end_id, safe='')}/refunds"
        response = await self._call(credentials, "POST", path, {"amount": as_reais(amount_cents)}, headers)
        answer = read_answer(response)
        if response.status >= 400 or find(answer, "status") == "rejected":
            return self._refuse(response, answer)
        return Refund(read_text(answer, "id"), read_reais(answer, "amount"), find(answer, "status") == "approved")

    async def list(
        self, credentials: Credentials, *, since: datetime, until: datetime
    ) -> tuple[Snapshot, ...] | Refusal:
        """Search what was made in the window, then what changed in it: a payment changes when it is paid."""
        found: dict[str, dict[str, Any]] = {}
        for moment in ("date_created", "date_last_updated"):
            window = {"range": moment, "begin_date": since.isoformat(), "end_date": until.isoformat()}
            payments = await self._search(credentials, window)
            if isinstance(payments, Refusal):
                return payments
            found |= {read_text(one, "id"): one for one in payments if _may_be_ours(one)}
        inside = [one for one in found.values() if _is_within(one, since, until)]
        return tuple([await self._look(credentials, one) for one in inside])

    def verify(self, credentials: Credentials, event: Event, now: datetime) -> Verdict:
        """Try each manifest the documents speak of. Unsigned ones exist (IPN, QR codes), so they are asked about."""
        header = event.headers.get("x-signature", "")
        if not header:
            return Verdict.REQUERY
        parts = {match[1]: match[2] for match in map(PART.fullmatch, header.split(",")) if match}
        moment, signature, ids = parts.get("ts", ""), parts.get("v1", ""), _list_ids(event)
        if not moment.isdecimal() or len(set(ids)) > 1:
            return Verdict.NO
        request_id = event.headers.get("x-request-id", "").strip()
        tail = (f"request-id:{request_id};" if request_id else "") + f"ts:{moment};"
        manifests = {f"id:{id_};{tail}" for known in ids for id_ in (known, known.lower())} or {tail}
        is_right = [is_sha256(credentials["webhook_secret"], manifest, signature) for manifest in manifests]
        return Verdict.YES if any(is_right) else Verdict.NO

    def parse(self, event: Event) -> tuple[Hint, ...]:
        """Read which payment it speaks of; an event holds nothing else."""
        said, query = read_object(event.body) or {}, parse_qs(event.query)
        topic = find_text(said, "type") or find_text(said, "topic") or query.get("type", query.get("topic", [""]))[0]
        ids = _list_ids(event)
        return (Hint(None, ids[0], None),) if topic in TOPICS and len(set(ids)) == 1 else ()

    async def _look(self, credentials: Credentials, payment: dict[str, Any]) -> Snapshot:
        """Return what a payment says; its refunds are asked for where there are any."""
        receipts: tuple[Receipt, ...] = _read_receipts(payment)
        refunds: Objects = ()
        if receipts and (find_reais(payment, "transaction_amount_refunded") or find(payment, "status") == "refunded"):
            path = f"/v1/payments/{read_text(payment, 'id')}/refunds"
            refunds = await self._list_refunds(credentials, path)
        return Snapshot(_read_charge(payment), receipts, tuple(_list_returns(payment, receipts, refunds)))

    async def _list_refunds(self, credentials: Credentials, path: str) -> Objects:
        """Return the refunds of a payment; the answer is a list, which read_answer takes for unreadable."""
        response = await self._call(credentials, "GET", path)
        wrapped = read_object(b'{"all":' + response.body + b"}")
        if response.status != 200 or wrapped is None:
            raise Undecided(f"the provider answered {response.status} when asked for the refunds")
        return read_objects(wrapped, "all")

    async def _search(self, credentials: Credentials, by: dict[str, str]) -> Objects | Refusal:
        found = list[dict[str, Any]]()
        for _ in range(MOST_PAGES):
            page = {"sort": "date_created", "criteria": "asc", "limit": str(PAGE), "offset": str(len(found))}
            response = await self._call(credentials, "GET", f"/v1/payments/search?{urlencode({**by, **page})}")
            answer = read_answer(response)
            if response.status >= 400:
                return self._refuse(response, answer)
            if "results" not in answer:
                raise Undecided("the provider's search has no results")
            results = read_objects(answer, "results")
            found += results
            if len(results) < PAGE:
                return found
        raise Undecided("the provider's search has no end")

    def _refuse(self, response: Response, answer: dict[str, Any]) -> Refusal:
        causes = answer.get("cause")
        code = find(causes[0], "code") if isinstance(causes, list) and causes else None
        return refuse(self.label, response.status, REASONS, code)

    async def _call(
        self,
        credentials: Credentials,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        return await self._http.request(
            method,
            self.url + path,
            party=f"gateway:{self.name}",
            headers={"Authorization": f"Bearer {credentials['access_token']}", **(headers or {})},
            json=body,
            timeout_seconds=self.timeout_seconds,
        )


def _write(request: ChargeRequest, ends_at: datetime) -> dict[str, Any]:
    payer = request.payer
    told: dict[str, Any] = {"email": payer.email}
    if payer.name:
        told["first_name"] = payer.name
    if payer.tax_id:
        kind = "CPF" if len(payer.tax_id) == len("52998224725") else "CNPJ"
        told["identification"] = {"type": kind, "number": payer.tax_id}
    return {
        "transaction_amount": as_reais(request.amount_cents),
        "description": request.description,
        "payment_method_id": "pix",
        "external_reference": request.idempotency_key,
        "date_of_expiration": ends_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "notification_url": request.notification_url,
        "payer": told,
    }


def _read_charge(payment: dict[str, Any]) -> Charge:
    return Charge(
        txid=read_text(payment, "external_reference"),
        provider_id=read_text(payment, "id"),
        code=read_text(payment, "point_of_interaction", "transaction_data", "qr_code"),
        amount_cents=read_reais(payment, "transaction_amount"),
        expires_at=read_instant(payment, "date_of_expiration"),
    )


def _read_receipts(payment: dict[str, Any]) -> tuple[Receipt, ...]:
    is_real = find(payment, "live_mode") is not False and find(payment, "currency_id") in (None, "BRL")
    if find_text(payment, "status") not in PAID or not find(payment, "date_approved") or not is_real:
        return ()
    paid = find_reais(payment, "transaction_details", "total_paid_amount") or read_reais(payment, "transaction_amount")
    net = find_reais(payment, "transaction_details", "net_received_amount")
    fee = paid - net if net and 0 < net <= paid else None
    return (Receipt(read_text(payment, "id"), paid, read_instant(payment, "date_approved"), fee),)


def _list_returns(payment: dict[str, Any], receipts: Sequence[Receipt], refunds: Objects) -> Iterator[Return]:
    kind = RETURNED.get(str(find(payment, "status")))
    for receipt in receipts:
        for refund in refunds:
            made = read_text(refund, "id"), receipt.end_to_end_id, read_reais(refund, "amount")
            is_settled, is_void = (find(refund, "status") == word for word in ("approved", "rejected"))
            yield Return(*made, read_instant(refund, "date_created"), ReturnKind.REFUND, is_settled, is_void)
        if kind is not None:
            id_, at = f"{receipt.end_to_end_id}:dispute", read_instant(payment, "date_last_updated")
            is_lost = kind is ReturnKind.CHARGEBACK
            yield Return(id_, receipt.end_to_end_id, receipt.amount_cents, at, kind, is_lost)


def _may_be_ours(payment: dict[str, Any]) -> bool:
    """Tell whether a payment can be one of ours: the seller's account has others too."""
    has_all = all(find_text(payment, name) for name in ("external_reference", "date_of_expiration"))
    return has_all and find(payment, "payment_method_id") == "pix"


def _is_within(payment: dict[str, Any], since: datetime, until: datetime) -> bool:
    names = [name for name in ("date_created", "date_approved") if find(payment, name)]
    return any(since <= read_instant(payment, name) < until for name in names)


def _list_ids(event: Event) -> list[str]:
    """Return the payment's id as the query says it and as the body does."""
    query, said = parse_qs(event.query), read_object(event.body)
    named = [*query.get("data.id", query.get("id", []))[:1], find_text(said, "data", "id")]
    return [id_ for id_ in named if id_ and is_storable(id_)]
