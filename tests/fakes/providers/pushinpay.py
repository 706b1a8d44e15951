"""PushinPay, as its documents and public integrations show it: a token, ids, and a word for each charge."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from grimbots.services import brcode
from grimbots.services.gateways.base import Event, ReturnKind
from grimbots.tests.fakes.gateways import FakeGateway, FakeHandler, add_fields


class Fake(FakeGateway):
    """Charges by id. `writes_forms`: its events come as forms."""

    create_call = ("POST", r"/pix/cashIn$")
    takes_many = False
    takes_any_amount = False
    tells_returns = frozenset[ReturnKind]()

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self.writes_forms = False

    def credentials(self, seller: str = "shop") -> dict[str, str]:
        return {"api_key": f"token of {seller}"}

    def notify(self, body: bytes, credentials: dict[str, str]) -> Event:
        kind = "application/x-www-form-urlencoded" if self.writes_forms else "application/json"
        return Event("", "", {"content-type": kind}, body)

    def pay(self, txid: str, amount_cents: int | None = None, end_to_end_id: str = "E1") -> bytes:
        charge = self._find(txid)
        charge |= {"status": "paid", "end_to_end_id": f"E12345678202603021201{end_to_end_id:k>11}"}
        charge["paid_at"] = self.clock().isoformat()
        return self._tell(charge)

    def expire(self, txid: str) -> bytes:
        return self.set_status(txid, "expired")

    def give_back(self, txid: str, amount_cents: int, end_to_end_id: str = "E1") -> bytes:
        """Do it in the panel: nobody else hears of it."""
        return b""

    def settle_refunds(self) -> bytes:
        return b""

    def dispute(self, txid: str, kind: ReturnKind, end_to_end_id: str = "E1") -> bytes:
        return b""

    def set_status(self, txid: str, word: str) -> bytes:
        charge = self._find(txid)
        charge["status"] = word
        return self._tell(charge)

    def _find(self, txid: str) -> dict[str, Any]:
        return next(charge for charge in self.charges.values() if charge["id"].lower() == txid)

    def _tell(self, charge: dict[str, Any]) -> bytes:
        """Tell of a charge; its id in capitals, as some have seen it."""
        told = {name: charge[name] for name in ("status", "value", "end_to_end_id") if name in charge}
        said = {"id": charge["id"].upper(), **told}
        if self.writes_forms:
            return urlencode(said).encode()
        return json.dumps(add_fields(said) if self.adds_fields else said).encode()


class _Handler(FakeHandler):
    provider: Fake

    def authenticate(self) -> None:
        self.token = self.request.headers.get("Authorization", "").removeprefix("Bearer").strip()
        if not self.token:
            self.reply(401, {"message": "Unauthenticated."})


class _Charges(_Handler):
    async def post(self) -> None:
        asked = json.loads(self.request.body)
        if asked["value"] < 50:
            self.reply(422, {"message": "O campo value deve ser no mínimo 50."})
            return
        id_ = str(uuid4())
        code = brcode.build(url=f"pix.example.com/{id_}", name="Loja", city="Recife", is_one_time=True)
        charge = {
            "id": id_,
            "qr_code": code,
            "status": "created",
            "value": asked["value"],
            "webhook_url": asked["webhook_url"],
            "qr_code_base64": "data:image/png;base64,",
        }
        self.provider.charges[self.token, id_] = charge
        if self.provider.before_answer is not None:
            await self.provider.before_answer(id_)
        self.reply(200, charge)


class _Charge(_Handler):
    def get(self, id_: str) -> None:
        charge = self.provider.charges.get((self.token, id_))
        self.reply(200, charge) if charge else self.reply(404, {"error": "PIX não encontrado"})


Fake.routes = [(r"/pix/cashIn", _Charges), (r"/transactions/([\w-]+)", _Charge)]
