"""Mercado Pago as its OpenAPI (mercadopago/openapi f224df3) and validator (sdk-python 2365940) describe it."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any
from uuid import uuid4

from grimbots.services import brcode
from grimbots.services.gateways.base import Event, ReturnKind
from grimbots.tests.fakes.gateways import FakeGateway, FakeHandler, add_fields


class Fake(FakeGateway):
    """Payments by their id; `keys` are the ids of what was made under an X-Idempotency-Key, payments and refunds."""

    create_call = ("POST", r"/v1/payments$")
    takes_many = False

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.keys: dict[tuple[str, str], dict[str, Any]] = {}
        self.refunds: dict[str, list[dict[str, Any]]] = {}

    def credentials(self, seller: str = "shop") -> dict[str, str]:
        return {"access_token": f"APP_USR-{seller}", "webhook_secret": f"webhook secret of {seller}"}

    def notify(self, body: bytes, credentials: dict[str, str]) -> Event:
        id_, request_id, moment = json.loads(body)["data"]["id"], str(uuid4()), int(self.clock().timestamp() * 1000)
        manifest = f"id:{id_};request-id:{request_id};ts:{moment};".encode()
        signature = hmac.new(credentials["webhook_secret"].encode(), manifest, hashlib.sha256).hexdigest()
        headers = {"x-signature": f"ts={moment},v1={signature}", "x-request-id": request_id, "x-retry": "0"}
        return Event("", f"data.id={id_}&type=payment", {"content-type": "application/json", **headers}, body)

    def pay(self, txid: str, amount_cents: int | None = None, end_to_end_id: str = "E1") -> bytes:
        payment = self.find(txid)
        paid = payment["transaction_amount"] if amount_cents is None else amount_cents / 100
        net = round(paid * 0.9901, 2)
        payment["transaction_details"] = {"total_paid_amount": paid, "net_received_amount": net, "overpaid_amount": 0}
        payment["date_approved"] = self.write_now()
        return self.change(payment, "approved", "accredited")

    def expire(self, txid: str) -> bytes:
        return self.change(self.find(txid), "cancelled", "expired")

    def give_back(self, txid: str, amount_cents: int, end_to_end_id: str = "E1") -> bytes:
        payment = self.find(txid)
        self.take_refund(payment, amount_cents / 100)
        return self.tell(payment)

    def settle_refunds(self) -> bytes:
        for id_, refunds in self.refunds.items():
            payment = self.charges[id_]
            for refund in refunds:
                refund["status"] = "approved"
            told = self.count_refunds(payment)
        return told

    def dispute(self, txid: str, kind: ReturnKind, end_to_end_id: str = "E1") -> bytes:
        is_open = kind is ReturnKind.DISPUTE
        return self.change(
            self.find(txid), "in_mediation" if is_open else "charged_back", "pending" if is_open else "settled"
        )

    def set_status(self, txid: str, word: str) -> bytes:
        return self.change(self.find(txid), word, word)

    def pay_for_test(self, txid: str) -> bytes:
        payment = self.find(txid)
        payment["live_mode"] = False
        return self.pay(txid)

    def find(self, txid: str) -> dict[str, Any]:
        """Return the payment of an external_reference."""
        return next(payment for payment in self.charges.values() if payment["external_reference"] == txid)

    def change(self, payment: dict[str, Any], status: str, detail: str) -> bytes:
        """Move a payment and tell of it."""
        payment |= {"status": status, "status_detail": detail}
        return self.tell(payment)

    def tell(self, payment: dict[str, Any]) -> bytes:
        """Return the event of a payment that changed: it says which, and nothing of how."""
        payment["date_last_updated"] = self.write_now()
        event = {
            "id": 12345678,
            "live_mode": payment["live_mode"],
            "type": "payment",
            "date_created": self.write_now(),
            "user_id": 44444,
            "api_version": "v1",
            "action": "payment.updated",
            "data": {"id": str(payment["id"])},
        }
        return json.dumps(add_fields(event) if self.adds_fields else event).encode()

    def write_now(self) -> str:
        """Return the time as Mercado Pago writes it."""
        return self.clock().isoformat(timespec="milliseconds")

    def take_refund(self, payment: dict[str, Any], amount: float) -> dict[str, Any] | None:
        """Take a refund on, or refuse more than is left."""
        known = self.refunds.setdefault(str(payment["id"]), [])
        total = payment["transaction_details"].get("total_paid_amount", 0)
        if round(sum(refund["amount"] for refund in known) + amount, 2) > total:
            return None
        status = "in_process" if self.refunds_take_time else "approved"
        made = {"id": 9000 + len(known), "payment_id": payment["id"], "amount": amount, "status": status}
        known.append({**made, "date_created": self.write_now(), "refund_mode": "standard"})
        self.count_refunds(payment)
        return known[-1]

    def count_refunds(self, payment: dict[str, Any]) -> bytes:
        """Write the sum of what has gone back on the payment."""
        known = self.refunds[str(payment["id"])]
        gone = round(sum(refund["amount"] for refund in known if refund["status"] == "approved"), 2)
        payment["transaction_amount_refunded"] = gone
        if gone:
            is_all = gone >= payment["transaction_amount"]
            payment |= {"status": "refunded"} if is_all else {"status_detail": "partially_refunded"}
        return self.tell(payment)


class _Handler(FakeHandler):
    provider: Fake

    def authenticate(self) -> None:
        self.token = self.request.headers.get("Authorization", "").removeprefix("Bearer").strip()
        if not self.token:
            self.refuse(401, "unauthorized")

    def refuse(self, status: int, error: str) -> None:
        causes = [{"code": 2001, "description": error, "data": None}]
        self.reply(status, {"status": status, "error": error, "message": error, "cause": causes})

    def find(self, id_: str) -> dict[str, Any] | None:
        payment = self.provider.charges.get(id_)
        return payment if payment is not None and payment["owner"] == self.token else None


class _Payments(_Handler):
    async def post(self) -> None:
        key = self.request.headers.get("X-Idempotency-Key")
        asked = json.loads(self.request.body)
        if key is None:
            self.refuse(400, "Header X-Idempotency-Key can't be null")
            return
        known = self.provider.keys.get((self.token, key))
        payment = known or self.make(asked)
        self.provider.keys[self.token, key] = self.provider.charges[str(payment["id"])] = payment
        if self.provider.before_answer is not None:
            await self.provider.before_answer(payment["external_reference"])
        self.reply(200 if known else 201, payment)

    def make(self, asked: dict[str, Any]) -> dict[str, Any]:
        life = datetime.fromisoformat(asked["date_of_expiration"]) - self.provider.clock()
        assert life.total_seconds() >= 30 * 60 and asked["payer"]["email"] and asked["payment_method_id"] == "pix"
        code = brcode.build(url=f"mp.example.com/{uuid4().hex}", name="Loja", city="Osasco", is_one_time=True)
        return {
            "id": 10_000_000 + len(self.provider.charges),
            "owner": self.token,
            "status": "pending",
            "status_detail": "pending_waiting_transfer",
            "live_mode": True,
            "currency_id": "BRL",
            "payment_method_id": "pix",
            "external_reference": asked["external_reference"],
            "transaction_amount": asked["transaction_amount"],
            "transaction_amount_refunded": 0,
            "date_created": self.provider.write_now(),
            "date_last_updated": self.provider.write_now(),
            "date_approved": None,
            "date_of_expiration": asked["date_of_expiration"],
            "transaction_details": {"total_paid_amount": 0, "net_received_amount": 0},
            "point_of_interaction": {"type": "PIX", "transaction_data": {"qr_code": code}},
        }


class _Search(_Handler):
    def get(self) -> None:
        mine = [payment for payment in self.provider.charges.values() if payment["owner"] == self.token]
        reference, moment = self.get_query_argument("external_reference", ""), self.get_query_argument("range", "")
        if reference:
            mine = [payment for payment in mine if payment["external_reference"] == reference]
        if moment:
            begin, end = (datetime.fromisoformat(self.get_query_argument(name)) for name in ("begin_date", "end_date"))
            mine = [payment for payment in mine if begin <= datetime.fromisoformat(payment[moment]) <= end]
        offset, limit = int(self.get_query_argument("offset", "0")), int(self.get_query_argument("limit", "30"))
        paging = {"total": len(mine), "limit": limit, "offset": offset}
        self.reply(200, {"paging": paging, "results": mine[offset : offset + limit]})


class _Payment(_Handler):
    def get(self, id_: str) -> None:
        payment = self.find(id_)
        self.reply(200, payment) if payment else self.refuse(404, "Payment not found")


class _Refunds(_Handler):
    def get(self, id_: str) -> None:
        self.reply(200, self.provider.refunds.get(id_, []) if self.find(id_) else [])

    def post(self, id_: str) -> None:
        payment, key = self.find(id_), self.request.headers["X-Idempotency-Key"]
        known = self.provider.keys.get((self.token, key))
        if payment is not None and known is None:
            known = self.provider.take_refund(payment, json.loads(self.request.body)["amount"])
        if known is None:
            self.refuse(400, "Amount to refund is over what is left")
            return
        self.provider.keys[self.token, key] = known
        self.reply(201, known)


Fake.routes = [
    (r"/v1/payments", _Payments),
    (r"/v1/payments/search", _Search),
    (r"/v1/payments/(\d+)", _Payment),
    (r"/v1/payments/(\d+)/refunds", _Refunds),
]
