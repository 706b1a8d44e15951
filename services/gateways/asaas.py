"""Asaas, by its API v3. Amounts are reais as JSON numbers, days and hours those of Brasília without saying so.

Sources: docs.asaas.com: cobrancas-por-pix, duvidas-frequentes-limites-da-api, receba-eventos-do-asaas-no-seu-endpoint-
de-webhook, webhook-para-cobrancas, cobranca-duplicada-apos-retry-sem-idempotencia, refunds, and the list of statuses.
Doubtful:
    - `chargeback.status` (DISPUTE_LOST, DONE): from code that uses it, so only a status the list knows opens a dispute;
    - what a refund is known by: the documents show it no id, so ours is the payment's and the refund's place in order;
    - whether a PIX that is contested (MED) shows as a chargeback here: the documents speak of cards.
There is no idempotency key: a charge is looked for by `externalReference` before it is made, and a refund by its
description. The code lives for a year after its day; we stop waiting sooner, and take what comes later as late. An
account has 25,000 requests in 12 hours, and more are not given to who polls: so an event that moves no money is not
asked about, and a check costs one request. A payment tells the day it was paid, not the hour: its beginning is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from grimbots.conf.foreign_json import read_object
from grimbots.services.gateways.answers import (
    BRASILIA,
    MOST_PAGES,
    as_reais,
    find,
    find_missing,
    find_reais,
    find_text,
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
from grimbots.services.gateways.proofs import is_word

if TYPE_CHECKING:
    from grimbots.services.clients.http import Response

PAGE = 100
LIFE = timedelta(days=365)  # of a code, after the day it is due
DISPUTED = frozenset({"CHARGEBACK_REQUESTED", "CHARGEBACK_DISPUTE", "AWAITING_CHARGEBACK_REVERSAL"})
# Money came in, whatever became of it. RECEIVED_IN_CASH is a seller's own mark: no money went through Asaas.
PAID = frozenset({"RECEIVED", "CONFIRMED", "REFUND_REQUESTED", "REFUND_IN_PROGRESS", "REFUNDED"}) | DISPUTED
LOST = frozenset({"DISPUTE_LOST", "DONE"})
MONEY_EVENTS = frozenset(
    f"PAYMENT_{name}"
    for name in (
        "CONFIRMED",
        "RECEIVED",
        "REFUND_IN_PROGRESS",
        "PARTIALLY_REFUNDED",
        "REFUNDED",
        "REFUND_DENIED",
        "CHARGEBACK_REQUESTED",
        "CHARGEBACK_DISPUTE",
        "AWAITING_CHARGEBACK_REVERSAL",
    )
)
REASONS = {400: "recusou o pedido: confira a chave PIX da conta, o valor e o CPF ou CNPJ do comprador"}


class Asaas(Gateway):
    """Client of api.asaas.com. `txid` is our own key, its `externalReference`; a receipt's id the payment's."""

    name = "asaas"
    label = "Asaas"
    fields = (
        Field("api_key", "Chave de API", "Em Integrações > Chaves de API. Começa com $aact_prod_."),
        Field(
            "webhook_token",
            "Token de autenticação do webhook",
            "Invente uma senha longa e escreva a mesma no webhook que criar em Integrações > Webhooks.",
        ),
    )
    secret_headers = ("asaas-access-token",)
    needs = frozenset({"name", "tax_id"})
    url = "https://api.asaas.com/v3"
    answer_within_seconds = 10.0
    signs_events = False

    async def test(self, credentials: Credentials) -> Refusal | None:
        """Ask for one payment."""
        answer = await self._ask(credentials, "GET", "/payments?limit=1")
        return answer if isinstance(answer, Refusal) else None

    async def create(self, credentials: Credentials, request: ChargeRequest) -> Charge | Refusal:
        """Look for the payment, else make it, for a customer who may have to be made first."""
        if missing := find_missing(self.label, request, self.needs, self.least_cents):
            return missing
        until = request.asked_at + timedelta(seconds=request.expires_in_seconds)
        payment = await self._find_payment(credentials, request.idempotency_key)
        if payment is None:
            customer = await self._get_customer(credentials, request)
            if isinstance(customer, Refusal):
                return customer
            body = _write(request, customer, until)
            payment = await self._ask(credentials, "POST", "/payments", body)
        if isinstance(payment, Refusal):
            return payment
        made = await self._add_code(credentials, payment)
        return made if isinstance(made, Refusal) else replace(made, expires_at=until)

    async def fetch(self, credentials: Credentials, *, txid: str, provider_id: str) -> Snapshot | Refusal:
        """Return the payment by its id; its code is another request, and left out."""
        payment = await self._ask(credentials, "GET", f"/payments/{quote(provider_id, safe='')}")
        return payment if isinstance(payment, Refusal) else _look(payment)

    async def find(self, credentials: Credentials, idempotency_key: str) -> Snapshot | Refusal | None:
        """List what bears our key; only what is not paid has a code."""
        payment = await self._find_payment(credentials, idempotency_key)
        if payment is None or isinstance(payment, Refusal):
            return payment
        seen = _look(payment)
        if seen.receipts:
            return seen
        charge = await self._add_code(credentials, payment)
        return charge if isinstance(charge, Refusal) else replace(seen, charge=charge)

    async def refund(
        self, credentials: Credentials, *, txid: str, end_to_end_id: str, amount_cents: int, idempotency_key: str
    ) -> Refund | Refusal:
        """Give back, unless a refund of the payment bears our key already: there is no other way to ask once."""
        path = f"/payments/{quote(end_to_end_id, safe='')}"
        payment = await self._ask(credentials, "GET", path)
        if isinstance(payment, Refusal):
            return payment
        if known := _find_refund(payment, idempotency_key):
            return known
        body = {"value": as_reais(amount_cents), "description": idempotency_key}
        payment = await self._ask(credentials, "POST", f"{path}/refund", body)
        if isinstance(payment, Refusal):
            return payment
        if made := _find_refund(payment, idempotency_key):
            return made
        raise Undecided("the provider took the refund on and does not show it")

    async def list(
        self, credentials: Credentials, *, since: datetime, until: datetime
    ) -> tuple[Snapshot, ...] | Refusal:
        """Return what was made or paid on the window's days: the provider counts by days."""
        first, last = (instant.astimezone(BRASILIA).date().isoformat() for instant in (since, until))
        found: dict[str, Snapshot] = {}
        for moment in ("dateCreated", "paymentDate"):
            window = {f"{moment}[ge]": first, f"{moment}[le]": last, "billingType": "PIX"}
            payments = await self._page(credentials, window)
            if isinstance(payments, Refusal):
                return payments
            found |= {read_text(one, "id"): _look(one) for one in payments if find_text(one, "externalReference")}
        return tuple(found.values())

    def verify(self, credentials: Credentials, event: Event, now: datetime) -> Verdict:
        """Compare the token. It says nothing of the body, so what it says is asked about."""
        is_right = is_word(event.headers.get("asaas-access-token", ""), credentials["webhook_token"])
        return Verdict.REQUERY if is_right else Verdict.NO

    def parse(self, event: Event) -> tuple[Hint, ...]:
        """Read which payment an event that moves money speaks of."""
        said = read_object(event.body)
        payment_id = find_text(said, "payment", "id")
        if find_text(said, "event") not in MONEY_EVENTS or payment_id is None:
            return ()
        return (Hint(find_text(said, "payment", "externalReference"), payment_id, None),)

    async def _find_payment(self, credentials: Credentials, key: str) -> dict[str, Any] | Refusal | None:
        answer = await self._ask(credentials, "GET", f"/payments?{urlencode({'externalReference': key})}")
        if isinstance(answer, Refusal):
            return answer
        known = [one for one in _read_page(answer) if find_text(one, "externalReference") == key]
        return known[0] if known else None

    async def _get_customer(self, credentials: Credentials, request: ChargeRequest) -> str | Refusal:
        """Return the customer of this CPF or CNPJ, made if there is none. Asaas itself writes to nobody."""
        tax_id = request.payer.tax_id or ""
        found = await self._ask(credentials, "GET", f"/customers?{urlencode({'cpfCnpj': tax_id})}")
        if isinstance(found, Refusal):
            return found
        for customer in _read_page(found):
            return read_text(customer, "id")
        body = {"name": request.payer.name, "cpfCnpj": tax_id, "notificationDisabled": True}
        made = await self._ask(credentials, "POST", "/customers", body)
        return made if isinstance(made, Refusal) else read_text(made, "id")

    async def _add_code(self, credentials: Credentials, payment: dict[str, Any]) -> Charge | Refusal:
        path = f"/payments/{quote(read_text(payment, 'id'), safe='')}/pixQrCode"
        picture = await self._ask(credentials, "GET", path)
        if isinstance(picture, Refusal):
            return picture
        return replace(_look(payment).charge, code=read_text(picture, "payload"))

    async def _page(self, credentials: Credentials, window: dict[str, str]) -> Sequence[dict[str, Any]] | Refusal:
        found = list[dict[str, Any]]()
        for _ in range(MOST_PAGES):
            which = urlencode({**window, "limit": PAGE, "offset": len(found)})
            answer = await self._ask(credentials, "GET", f"/payments?{which}")
            if isinstance(answer, Refusal):
                return answer
            page = _read_page(answer)
            found += page
            if find(answer, "hasMore") is not True or not page:
                return found
        raise Undecided("the provider's list has no end")

    async def _ask(
        self, credentials: Credentials, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any] | Refusal:
        response = await self._call(credentials, method, path, body)
        if response.status in (401, 404) and not response.body:  # Asaas answers these without a body at times
            return refuse(self.label, response.status)
        answer = read_answer(response)
        return refuse(self.label, response.status, REASONS) if response.status >= 400 else answer

    async def _call(self, credentials: Credentials, method: str, path: str, body: dict[str, Any] | None) -> Response:
        return await self._http.request(
            method,
            self.url + path,
            party=f"gateway:{self.name}",
            headers={"access_token": credentials["api_key"], "User-Agent": "GrimBots"},
            json=body,
            timeout_seconds=self.timeout_seconds,
        )


def _write(request: ChargeRequest, customer: str, until: datetime) -> dict[str, Any]:
    return {
        "customer": customer,
        "billingType": "PIX",
        "value": as_reais(request.amount_cents),
        "dueDate": until.astimezone(BRASILIA).date().isoformat(),
        "externalReference": request.idempotency_key,
        "description": request.description,
    }


def _read_page(answer: dict[str, Any]) -> Sequence[dict[str, Any]]:
    if "data" not in answer:
        raise Undecided("the provider's list has no data")
    return read_objects(answer, "data")


def _look(payment: dict[str, Any]) -> Snapshot:
    """Read a payment. It has `originalValue` where another amount came than was asked."""
    asked = find_reais(payment, "originalValue") or read_reais(payment, "value")
    charge = Charge(
        txid=read_text(payment, "externalReference"),
        provider_id=read_text(payment, "id"),
        code="",
        amount_cents=asked,
        expires_at=read_instant(payment, "dueDate", zone=BRASILIA) + LIFE,
    )
    if find_text(payment, "status") not in PAID:
        return Snapshot(charge, ())
    paid_on = "clientPaymentDate" if find(payment, "clientPaymentDate") else "paymentDate"
    paid, net = read_reais(payment, "value"), find_reais(payment, "netValue")
    at = read_instant(payment, paid_on if find(payment, paid_on) else "confirmedDate", zone=BRASILIA)
    receipt = Receipt(charge.provider_id, paid, at, paid - net if net and 0 < net <= paid else None)
    return Snapshot(charge, (receipt,), (*_list_refunds(payment), *_list_disputes(payment, receipt)))


def _list_refunds(payment: dict[str, Any]) -> Iterator[Return]:
    id_ = read_text(payment, "id")
    for place, refund in _order_refunds(payment):
        at, status = read_instant(refund, "dateCreated", zone=BRASILIA), find_text(refund, "status")
        made = f"{id_}:{place}", id_, read_reais(refund, "value"), at, ReturnKind.REFUND
        yield Return(*made, is_settled=status == "DONE", is_void=status == "CANCELLED")


def _order_refunds(payment: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    refunds = read_objects(payment, "refunds")
    yield from enumerate(sorted(refunds, key=lambda refund: read_text(refund, "dateCreated")), 1)


def _find_refund(payment: dict[str, Any], key: str) -> Refund | None:
    for place, refund in _order_refunds(payment):
        if find(refund, "description") == key and find(refund, "status") != "CANCELLED":
            is_settled = find(refund, "status") == "DONE"
            return Refund(f"{read_text(payment, 'id')}:{place}", read_reais(refund, "value"), is_settled)
    return None


def _list_disputes(payment: dict[str, Any], receipt: Receipt) -> Iterator[Return]:
    is_open = find_text(payment, "status") in DISPUTED
    is_lost = find_text(payment, "chargeback", "status") in LOST
    if is_open or is_lost:
        kind = ReturnKind.CHARGEBACK if is_lost else ReturnKind.DISPUTE
        id_ = f"{receipt.end_to_end_id}:dispute"
        yield Return(id_, receipt.end_to_end_id, receipt.amount_cents, receipt.at, kind, is_lost)
