"""A payment provider on a real port: speaks what services/gateways/sandbox.py expects, and misbehaves when told to."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from grimbots.services import brcode


@dataclass
class Fault:
    """What befalls the next `times` calls of `method`: answered `http`, or the connection cut `before` or `after`."""

    method: str
    times: int
    http: int = 0
    drop: str = ""


@dataclass
class FakeProvider:
    """Charges by API key and txid, as the provider would tell them; `calls` are (method, path) of every request."""

    clock: Callable[[], datetime]
    url: str = ""
    charges: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    refund_status: str = "done"
    """How the next refunds go: done, pending (`end` ends them) or void: refused."""

    before_answer: Callable[[str], Any] | None = None
    """Awaited with the txid when a charge was made and its answer has not left."""

    async def start(self) -> None:
        """Listen on a free port."""
        routes = [
            (r"/pix/v1/charges", _List),
            (r"/pix/v1/charges/(\w+)", _Charge),
            (r"/pix/v1/charges/(\w+)/refunds/(\w+)", _Refund),
        ]
        sockets = bind_sockets(0, "127.0.0.1")
        self._server = HTTPServer(
            Application([(path, handler, {"provider": self}) for path, handler in routes], log_function=_quiet)
        )
        self._server.add_sockets(sockets)
        self.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening and close every connection."""
        self._server.stop()
        await self._server.close_all_connections()

    def fail(self, method: str, *, times: int = 1, http: int = 0, drop: str = "") -> None:
        """Make the next calls of an HTTP method go wrong."""
        self.faults.append(Fault(method, times, http, drop))

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


def _quiet(handler: RequestHandler) -> None:
    """Say nothing: a fault that was asked for is no news."""


class _Handler(RequestHandler):
    def initialize(self, provider: FakeProvider) -> None:
        self.provider = provider
        self.drop = ""

    def prepare(self) -> None:
        self.provider.calls.append((self.request.method or "", self.request.path))
        self.api_key = self.request.headers.get("Authorization", "").removeprefix("Bearer").strip()
        fault = next(
            (fault for fault in self.provider.faults if fault.method == self.request.method and fault.times), None
        )
        if fault is not None:
            fault.times -= 1
            self.drop = fault.drop
        if fault is not None and (fault.http or fault.drop == "before"):
            self.reply(fault.http or 200, {"error": {"message": "as asked for"}})
        elif not self.api_key:
            self.reply(401, {"error": {"message": "no key"}})

    def reply(self, status: int, value: Any) -> None:
        if self.drop:
            self.request.connection.stream.close()  # type: ignore[union-attr]
        self.set_status(status)
        self.finish(json.dumps(value))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        raise AssertionError("the fake provider is broken") from kwargs["exc_info"][1]


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
        self.reply(200, {"charges": [charge for charge in mine if since <= charge["created_at"] < until]})


class _Refund(_Handler):
    def put(self, txid: str, refund_id: str) -> None:
        asked = json.loads(self.request.body)
        charge = self.provider.charges.get((self.api_key, txid))
        paid = {paid["end_to_end_id"]: paid["amount_cents"] for paid in (charge or {}).get("paid", [])}
        if paid.get(asked["end_to_end_id"], 0) < asked["amount_cents"]:
            self.reply(422, {"error": {"message": "more than was paid"}})
            return
        known = self.provider.refunds.get(refund_id)
        if known is None:
            status = self.provider.refund_status
            known = {"id": refund_id, "amount_cents": asked["amount_cents"], "status": status}
            self.provider.refunds[refund_id] = known
            self.provider.give_back(txid, refund_id, status=status, **asked)
        self.reply(422, {"error": {"message": "it failed"}}) if known["status"] == "void" else self.reply(200, known)
