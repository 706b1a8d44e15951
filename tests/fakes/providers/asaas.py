"""Asaas as docs.asaas.com describes it: the webhook's body is its published sample, filled in."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from grimbots.services import brcode
from grimbots.services.gateways.base import Event, ReturnKind
from grimbots.tests.fakes.gateways import FakeGateway, FakeHandler, add_fields

BRASILIA = ZoneInfo("America/Sao_Paulo")


class Fake(FakeGateway):
    """Payments by their id, and customers by owner and CPF."""

    create_call = ("POST", r"/payments$")
    takes_many = False
    tells_time = False

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.customers: dict[tuple[str, str], dict[str, Any]] = {}

    def credentials(self, seller: str = "shop") -> dict[str, str]:
        return {"api_key": f"$aact_prod_{seller}", "webhook_token": f"webhook token of {seller}"}

    def notify(self, body: bytes, credentials: dict[str, str]) -> Event:
        headers = {"content-type": "application/json", "asaas-access-token": credentials["webhook_token"]}
        return Event("", "", headers, body)

    def pay(self, txid: str, amount_cents: int | None = None, end_to_end_id: str = "E1") -> bytes:
        payment = self.find(txid)
        if amount_cents is not None:
            payment |= {"originalValue": payment["value"], "value": amount_cents / 100}
        payment["netValue"] = round(payment["value"] * 0.99, 2)
        payment |= dict.fromkeys(("paymentDate", "clientPaymentDate", "confirmedDate"), self.write_day())
        payment["pixTransaction"] = f"pix-{end_to_end_id}"
        return self.change(payment, "RECEIVED", "PAYMENT_RECEIVED")

    def expire(self, txid: str) -> bytes:
        return self.change(self.find(txid), "OVERDUE", "PAYMENT_OVERDUE")

    def give_back(self, txid: str, amount_cents: int, end_to_end_id: str = "E1") -> bytes:
        payment = self.find(txid)
        self.take_refund(payment, amount_cents / 100, "Estorno pelo painel")
        return self.tell("PAYMENT_REFUNDED", payment)

    def settle_refunds(self) -> bytes:
        for payment in self.charges.values():
            for refund in payment["refunds"] or []:
                refund["status"] = "DONE"
        return self.change(payment, "REFUNDED", "PAYMENT_REFUNDED")

    def dispute(self, txid: str, kind: ReturnKind, end_to_end_id: str = "E1") -> bytes:
        payment, is_open = self.find(txid), kind is ReturnKind.DISPUTE
        payment["chargeback"] = {"status": "REQUESTED" if is_open else "DISPUTE_LOST", "reason": "FRAUD"}
        return self.change(payment, "CHARGEBACK_REQUESTED", "PAYMENT_CHARGEBACK_REQUESTED")

    def set_status(self, txid: str, word: str) -> bytes:
        return self.change(self.find(txid), word, f"PAYMENT_{word.upper()}")

    def find(self, txid: str) -> dict[str, Any]:
        """Return the payment of an externalReference."""
        return next(payment for payment in self.charges.values() if payment["externalReference"] == txid)

    def change(self, payment: dict[str, Any], status: str, event: str) -> bytes:
        """Move a payment and tell of it."""
        payment["status"] = status
        return self.tell(event, payment)

    def tell(self, event: str, payment: dict[str, Any]) -> bytes:
        """Return an event's body."""
        made = {"id": f"evt_{len(event)}{payment['id']}", "event": event, "dateCreated": self.write_time()}
        said = {**made, "payment": {name: value for name, value in payment.items() if name != "owner"}}
        return json.dumps(add_fields(said) if self.adds_fields else said).encode()

    def write_day(self) -> str:
        """Return the day in Brasília."""
        return self.clock().astimezone(BRASILIA).date().isoformat()

    def write_time(self) -> str:
        """Return the time as Asaas writes it: that of Brasília, without saying so."""
        return self.clock().astimezone(BRASILIA).strftime("%Y-%m-%d %H:%M:%S")

    def take_refund(self, payment: dict[str, Any], value: float, description: str) -> bool:
        """Take a refund on, or refuse more than is left."""
        known = payment["refunds"] or []
        gone = round(sum(refund["value"] for refund in known) + value, 2)
        if gone > payment["value"]:
            return False
        made = {"dateCreated": self.write_time(), "status": "PENDING" if self.refunds_take_time else "DONE"}
        payment["refunds"] = [*known, {**made, "value": value, "description": description, "endToEndIdentifier": None}]
        if gone >= payment["value"]:
            payment["status"] = "REFUND_IN_PROGRESS" if self.refunds_take_time else "REFUNDED"
        return True


class _Handler(FakeHandler):
    provider: Fake

    def authenticate(self) -> None:
        self.key = self.request.headers.get("access_token", "")
        assert self.request.headers["User-Agent"]
        if not self.key:
            self.refuse(401, "invalid_access_token", "A chave de API informada é inválida")

    def refuse(self, status: int, code: str, description: str) -> None:
        self.reply(status, {"errors": [{"code": code, "description": description}]})

    def reply_list(self, rows: list[dict[str, Any]]) -> None:
        limit, offset = int(self.get_query_argument("limit", "10")), int(self.get_query_argument("offset", "0"))
        page, head = rows[offset : offset + limit], {"object": "list", "limit": limit, "offset": offset}
        self.reply(200, {**head, "hasMore": offset + limit < len(rows), "totalCount": len(rows), "data": page})

    def find(self, id_: str) -> dict[str, Any] | None:
        payment = self.provider.charges.get(id_)
        return payment if payment is not None and payment["owner"] == self.key else None


class _Customers(_Handler):
    def get(self) -> None:
        known = self.provider.customers.get((self.key, self.get_query_argument("cpfCnpj")))
        self.reply_list([known] if known else [])

    def post(self) -> None:
        asked = json.loads(self.request.body)
        assert asked["name"] and asked["cpfCnpj"] and asked["notificationDisabled"]
        made = {**asked, "object": "customer", "id": f"cus_{len(self.provider.customers)}"}
        self.provider.customers[self.key, asked["cpfCnpj"]] = made
        self.reply(200, made)


class _Payments(_Handler):
    def get(self) -> None:
        mine = [payment for payment in self.provider.charges.values() if payment["owner"] == self.key]
        reference = self.get_query_argument("externalReference", "")
        rows = [payment for payment in mine if not reference or payment["externalReference"] == reference]
        for moment in ("dateCreated", "paymentDate"):
            least, most = (self.get_query_argument(f"{moment}[{end}]", "") for end in ("ge", "le"))
            if least:
                rows = [payment for payment in rows if least <= (payment[moment] or "") <= most]
        self.reply_list(rows)

    async def post(self) -> None:
        asked = json.loads(self.request.body)
        assert datetime.fromisoformat(asked["dueDate"]).date().isoformat() >= self.provider.write_day()
        payment = {
            "object": "payment",
            "id": f"pay_{len(self.provider.charges):012d}",
            "owner": self.key,
            "dateCreated": self.provider.write_day(),
            **asked,
            "netValue": asked["value"],
            "originalValue": None,
            "status": "PENDING",
            "pixTransaction": None,
            **dict.fromkeys(("confirmedDate", "paymentDate", "clientPaymentDate", "chargeback", "refunds")),
            "deleted": False,
        }
        self.provider.charges[str(payment["id"])] = payment
        if self.provider.before_answer is not None:
            await self.provider.before_answer(asked["externalReference"])
        self.reply(200, payment)


class _Payment(_Handler):
    def get(self, id_: str) -> None:
        payment = self.find(id_)
        self.reply(200, payment) if payment else self.refuse(404, "not_found", "Cobrança não encontrada")


class _Code(_Handler):
    def get(self, id_: str) -> None:
        code = brcode.build(url=f"qr.asaas.example/{id_}", name="Loja", city="Joinville", is_one_time=True)
        self.reply(200, {"encodedImage": "iVBOR", "payload": code, "expirationDate": "2027-03-02 23:59:59"})


class _Refund(_Handler):
    def post(self, id_: str) -> None:
        payment, asked = self.find(id_), json.loads(self.request.body)
        if payment is None or not self.provider.take_refund(payment, asked["value"], asked["description"]):
            self.refuse(400, "invalid_value", "O valor do estorno é maior que o da cobrança")
            return
        self.reply(200, payment)


Fake.routes = [
    (r"/customers", _Customers),
    (r"/payments", _Payments),
    (r"/payments/(\w+)", _Payment),
    (r"/payments/(\w+)/pixQrCode", _Code),
    (r"/payments/(\w+)/refund", _Refund),
]
