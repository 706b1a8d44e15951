"""The sandbox's provider: speaks what services/gateways/sandbox.py expects, and misbehaves when told to."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from grimbots.services import brcode
from grimbots.services.gateways.base import Event, ReturnKind
from grimbots.tests.fakes.gateways import FakeGateway, FakeHandler, add_fields


class FakeProvider(FakeGateway):
    """Charges by API key and txid, as the provider would tell them."""

    create_call = ("PUT", r"/charges/\w+$")

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self.charges: dict[tuple[str, str], dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}

    def credentials(self, seller: str = "shop") -> dict[str, str]:
        return {"api_key": f"api key of {seller}", "webhook_secret": f"webhook secret of {seller}"}

    def notify(self, body: bytes, credentials: dict[str, str]) -> Event:
        signed = self.sign(body, credentials["webhook_secret"])
        return Event("", "", {name.lower(): value for name, value in signed.items()}, body)

    def pay(self, txid: str, amount_cents: int | None = None, end_to_end_id: str = "E1") -> bytes:
        charge = self._find(txid)
        paid = {
            "end_to_end_id": end_to_end_id,
            "amount_cents": charge["amount_cents"] if amount_cents is None else amount_cents,
            "at": self.clock().isoformat(),
        }
        charge["paid"].append(paid)
        charge["status"] = "paid"
        return self._write(write_event(txid, **paid))

    def expire(self, txid: str) -> bytes:
        return self.set_status(txid, "expired")

    def give_back(self, txid: str, amount_cents: int, end_to_end_id: str = "E1") -> bytes:
        refund_id = f"rf_{len(self.refunds) + 1}"
        self.take_refund(txid, refund_id, end_to_end_id, amount_cents)
        return self._tell_return(txid, self._find(txid)["returned"][-1])

    def settle_refunds(self) -> bytes:
        for charge in self.charges.values():
            for returned in charge["returned"]:
                returned["status"] = self.refunds[returned["id"]]["status"] = "done"
                told = self._tell_return(charge["txid"], returned)
        return told

    def dispute(self, txid: str, kind: ReturnKind, end_to_end_id: str = "E1") -> bytes:
        charge = self._find(txid)
        amount = next(paid["amount_cents"] for paid in charge["paid"] if paid["end_to_end_id"] == end_to_end_id)
        is_lost = kind is ReturnKind.CHARGEBACK
        returned = self._return(f"ds_{end_to_end_id}", end_to_end_id, amount, kind.value, is_lost)
        charge["returned"] = [known for known in charge["returned"] if known["id"] != returned["id"]] + [returned]
        return self._tell_return(txid, returned)

    def set_status(self, txid: str, word: str) -> bytes:
        self._find(txid)["status"] = word
        return json.dumps({"event": f"charge.{word}", "id": f"ev-{word}", "txid": txid}).encode()

    def sign(self, body: bytes, secret: str) -> dict[str, str]:
        """Return the headers of an event, signed now."""
        return sign(body, secret, self.clock())

    def take_refund(self, txid: str, refund_id: str, end_to_end_id: str, amount_cents: int) -> dict[str, Any]:
        """Take a refund on, once per id."""
        status = "taken" if self.refunds_take_time else "done"
        if refund_id not in self.refunds:
            self.refunds[refund_id] = {"id": refund_id, "amount_cents": amount_cents, "status": status}
            returned = self._return(refund_id, end_to_end_id, amount_cents, "refund", status == "done")
            self._find(txid)["returned"].append(returned)
        return self.refunds[refund_id]

    def _find(self, txid: str) -> dict[str, Any]:
        return next(charge for (_, known), charge in self.charges.items() if known == txid)

    def _return(self, id_: str, end_to_end_id: str, amount_cents: int, kind: str, is_done: bool) -> dict[str, Any]:
        return {
            "id": id_,
            "end_to_end_id": end_to_end_id,
            "amount_cents": amount_cents,
            "at": self.clock().isoformat(),
            "kind": kind,
            "status": "done" if is_done else "taken",
        }

    def _tell_return(self, txid: str, returned: dict[str, Any]) -> bytes:
        return self._write(json.dumps({"event": "pix.returned", "txid": txid, "returned": returned}).encode())

    def _write(self, body: bytes) -> bytes:
        return json.dumps(add_fields(json.loads(body))).encode() if self.adds_fields else body


def write_event(txid: str, **paid: Any) -> bytes:
    """Return an event's body; `id` makes it one of its own."""
    return json.dumps({"event": "pix.received", "id": f"ev-{paid.get('end_to_end_id')}", "txid": txid, **paid}).encode()


def sign(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    """Return the signature header the provider would send at an instant."""
    moment = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Sandbox-Signature": f"t={moment},v1={digest}"}


class _Handler(FakeHandler):
    provider: FakeProvider

    def authenticate(self) -> None:
        self.api_key = self.request.headers.get("Authorization", "").removeprefix("Bearer").strip()
        if not self.api_key:
            self.reply(401, {"error": {"message": "no key"}})


class _Charge(_Handler):
    async def put(self, txid: str) -> None:
        asked = json.loads(self.request.body)
        known = self.provider.charges.get((self.api_key, txid))
        charge = known or self.make(txid, asked)
        self.provider.charges[self.api_key, txid] = charge
        if self.provider.before_answer is not None:
            await self.provider.before_answer(txid)
        self.reply(200 if known else 201, charge)

    def get(self, txid: str) -> None:
        charge = self.provider.charges.get((self.api_key, txid))
        self.reply(200, charge) if charge else self.reply(404, {"error": {"message": "no such charge"}})

    def make(self, txid: str, asked: dict[str, Any]) -> dict[str, Any]:
        now = self.provider.clock()
        return {
            "txid": txid,
            "id": f"ch_{txid}",
            "amount_cents": asked["amount_cents"],
            "status": "active",
            "code": brcode.build(url=f"pix.example.com/{txid}", name="Loja", city="Recife", is_one_time=True),
            "created_at": now.isoformat(),
            "expires_at": (now + timedelta(seconds=asked["expires_in_seconds"])).isoformat(),
            "paid": [],
            "returned": [],
        }


class _List(_Handler):
    def get(self) -> None:
        since, until = self.get_query_argument("since"), self.get_query_argument("until")
        mine = [charge for (key, _), charge in self.provider.charges.items() if key == self.api_key]
        self.reply(200, {"charges": [charge for charge in mine if since <= charge["created_at"] < until]})


class _Refund(_Handler):
    def put(self, txid: str, refund_id: str) -> None:
        asked = json.loads(self.request.body)
        charge = self.provider.charges.get((self.api_key, txid))
        if refund_id not in self.provider.refunds and _left(charge, asked["end_to_end_id"]) < asked["amount_cents"]:
            self.reply(422, {"error": {"message": "more than was paid"}})
            return
        self.reply(200, self.provider.take_refund(txid, refund_id, asked["end_to_end_id"], asked["amount_cents"]))


def _left(charge: dict[str, Any] | None, end_to_end_id: str) -> int:
    """Return what of a transfer has not gone back."""
    came, went = [
        sum(move["amount_cents"] for move in (charge or {name: []})[name] if move["end_to_end_id"] == end_to_end_id)
        for name in ("paid", "returned")
    ]
    return came - went


FakeProvider.routes = [
    (r"/pix/v1/charges", _List),
    (r"/pix/v1/charges/(\w+)", _Charge),
    (r"/pix/v1/charges/(\w+)/refunds/(\w+)", _Refund),
]
