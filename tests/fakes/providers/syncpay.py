"""SyncPay, as public integrations show it: a token of an hour, reais, and a word for each charge."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

from grimbots.services import brcode
from grimbots.services.gateways.base import Event, ReturnKind
from grimbots.tests.fakes.gateways import FakeGateway, FakeHandler, add_fields

WORDS = {ReturnKind.DISPUTE: "med", ReturnKind.CHARGEBACK: "chargeback"}


class Fake(FakeGateway):
    """Charges by identifier."""

    create_call = ("POST", r"/cash-in$")
    takes_many = False
    takes_any_amount = False
    logs_in = True

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self.tokens: dict[str, str] = {}
        self.clients: list[dict[str, str]] = []

    def credentials(self, seller: str = "shop") -> dict[str, str]:
        return {"client_id": f"id of {seller}", "client_secret": f"secret of {seller}"}

    def notify(self, body: bytes, credentials: dict[str, str]) -> Event:
        return Event("", "", {"content-type": "application/json"}, body)

    def pay(self, txid: str, amount_cents: int | None = None, end_to_end_id: str = "E1") -> bytes:
        self._find(txid)["transaction_date"] = self.clock().isoformat()
        return self.set_status(txid, "completed")

    def expire(self, txid: str) -> bytes:
        return self.set_status(txid, "failed")

    def give_back(self, txid: str, amount_cents: int, end_to_end_id: str = "E1") -> bytes:
        return self.set_status(txid, "refunded")

    def settle_refunds(self) -> bytes:
        return b""

    def dispute(self, txid: str, kind: ReturnKind, end_to_end_id: str = "E1") -> bytes:
        return self.set_status(txid, WORDS[kind])

    def set_status(self, txid: str, word: str) -> bytes:
        charge = self._find(txid)
        charge["status"] = word
        told = {name: charge[name] for name in ("reference_id", "status", "amount", "currency")}
        said = {"event": "transaction.updated", "event_id": str(uuid4()), "transaction": told}
        return json.dumps(add_fields(said) if self.adds_fields else said).encode()

    def forget_tokens(self) -> None:
        self.tokens.clear()

    def _find(self, txid: str) -> dict[str, Any]:
        return next(charge for (_, known), charge in self.charges.items() if known == txid)


class _Token(FakeHandler):
    provider: Fake

    def authenticate(self) -> None:
        """Whoever comes may try."""

    def post(self) -> None:
        asked = json.loads(self.request.body)
        seller = asked["client_id"].removeprefix("id of ")
        if asked != self.provider.credentials(seller) or not seller:
            self.reply(401, {"message": "Credenciais inválidas."})
            return
        token = uuid4().hex
        self.provider.tokens[token] = seller
        self.reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600})


class _Handler(FakeHandler):
    provider: Fake

    def authenticate(self) -> None:
        token = self.request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.seller = self.provider.tokens.get(token, "")
        if not self.seller:
            self.reply(401, {"message": "Unauthenticated."})


class _Charges(_Handler):
    async def post(self) -> None:
        asked = json.loads(self.request.body)
        client = asked["client"]
        self.provider.clients.append(client)
        if not all(client.get(name) for name in ("name", "cpf", "email", "phone")) or client["phone"].startswith("+"):
            self.reply(422, {"message": "The given data was invalid."})
            return
        id_ = str(uuid4())
        self.provider.charges[self.seller, id_] = {
            "reference_id": id_,
            "currency": "BRL",
            "amount": asked["amount"],
            "transaction_date": self.provider.clock().isoformat(),
            "status": "pending",
            "description": asked["description"],
            "pix_code": brcode.build(url=f"pix.example.com/{id_}", name="Loja", city="Recife", is_one_time=True),
        }
        if self.provider.before_answer is not None:
            await self.provider.before_answer(id_)
        code = self.provider.charges[self.seller, id_]["pix_code"]
        self.reply(200, {"message": "Cashin request successfully submitted", "pix_code": code, "identifier": id_})


class _Charge(_Handler):
    def get(self, id_: str) -> None:
        charge = self.provider.charges.get((self.seller, id_))
        self.reply(200, {"data": charge}) if charge else self.reply(404, {"message": "Not found"})


Fake.routes = [(r"/auth-token", _Token), (r"/cash-in", _Charges), (r"/transaction/([\w-]+)", _Charge)]
