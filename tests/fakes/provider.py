"""A payment provider on a real port: speaks what services/gateways/sandbox.py expects, and misbehaves when told to."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from grimbots.services import brcode
from grimbots.tests.fakes.gateways import FakeHandler, FakeServer

PAGE = 100  # charges of a list's answer


class FakeProvider(FakeServer):
    """Charges by API key and txid, as the provider would tell them."""

    create_call = ("PUT", r"/charges/\w+$")

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(clock)
        self.charges: dict[tuple[str, str], dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.refund_status = "done"
        """How the next refunds go: done, pending (`give_back` ends them) or void: refused."""

    def pay(self, txid: str, amount_cents: int | None = None, end_to_end_id: str = "E1") -> bytes:
        """Take the money in and return the body of the event that tells of it."""
        charge = next(charge for (_, known), charge in self.charges.items() if known == txid)
        paid = {
            "end_to_end_id": end_to_end_id,
            "amount_cents": charge["amount_cents"] if amount_cents is None else amount_cents,
            "at": self.clock().isoformat(),
        }
        charge["paid"].append(paid)
        charge["status"] = "paid"
        return write_event(txid, **paid)

    def give_back(self, txid: str, return_id: str, **told: Any) -> bytes:
        """Let money of a charge go back, or go on its way, and return the body of the event that tells of it."""
        return self.note_return(txid, return_id, **told)

    def note_return(self, txid: str, return_id: str, **told: Any) -> bytes:
        """Note what goes back of a charge, or how it stands now, and return the body of the event that tells of it."""
        charge = next(charge for (_, known), charge in self.charges.items() if known == txid)
        known = next((one for one in charge["returns"] if one["return_id"] == return_id), None)
        usual = {"end_to_end_id": "E1", "amount_cents": charge["amount_cents"], "kind": "refund", "status": "done"}
        back = {"return_id": return_id, **usual, **(known or {}), "at": self.clock().isoformat(), **told}
        charge["returns"] = [*(one for one in charge["returns"] if one is not known), back]
        refund = self.refunds.get(return_id)
        if refund is not None:
            refund["status"] = back["status"]
        return json.dumps(
            {"event": "pix.returned", "id": f"ev-{return_id}-{back['status']}", "txid": txid, **back}
        ).encode()

    def sign(self, body: bytes, secret: str) -> dict[str, str]:
        """Return the headers of an event, signed now."""
        return sign(body, secret, self.clock())


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
            "returns": [],
        }


class _List(_Handler):
    def get(self) -> None:
        since, until = self.get_query_argument("since"), self.get_query_argument("until")
        mine = [charge for (key, _), charge in self.provider.charges.items() if key == self.api_key]
        inside = [charge for charge in mine if since <= charge["created_at"] < until]
        skip = int(self.get_query_argument("skip"))
        page = inside[skip : skip + PAGE]
        self.reply(200, {"charges": page, "has_more": len(page) == PAGE})


class _Refund(_Handler):
    def put(self, txid: str, refund_id: str) -> None:
        asked = json.loads(self.request.body)
        charge = self.provider.charges.get((self.api_key, txid))
        if refund_id not in self.provider.refunds and _left(charge, asked["end_to_end_id"]) < asked["amount_cents"]:
            self.reply(422, {"error": {"message": "more than was paid"}})
            return
        known = self.provider.refunds.get(refund_id)
        if known is None:
            status = self.provider.refund_status
            known = {"id": refund_id, "amount_cents": asked["amount_cents"], "status": status}
            self.provider.refunds[refund_id] = known
            self.provider.note_return(txid, refund_id, status=status, **asked)
        self.reply(422, {"error": {"message": "it failed"}}) if known["status"] == "void" else self.reply(200, known)


def _left(charge: dict[str, Any] | None, end_to_end_id: str) -> int:
    """Return what of a transfer has not gone back."""
    came, went = [
        sum(
            move["amount_cents"]
            for move in (charge or {name: []})[name]
            if move["end_to_end_id"] == end_to_end_id and move.get("status") != "void"
        )
        for name in ("paid", "returns")
    ]
    return came - went


FakeProvider.routes = [
    (r"/pix/v1/charges", _List),
    (r"/pix/v1/charges/(\w+)", _Charge),
    (r"/pix/v1/charges/(\w+)/refunds/(\w+)", _Refund),
]
