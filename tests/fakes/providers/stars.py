"""Telegram, as far as Stars go: invoice links, the bot's transactions, refunds. One token is one bot."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from grimbots.services.gateways.base import Event, ReturnKind
from grimbots.services.gateways.stars import LINK
from grimbots.tests.fakes.gateways import FakeGateway, FakeHandler, add_fields

BUYER = {"id": 77, "is_bot": False, "first_name": "Ana"}
BOTS = {"shop": "1001:" + "a" * 35, "another shop": "1002:" + "b" * 35}


class Fake(FakeGateway):
    """Bots by token. `charges` are the invoices by their slug."""

    create_call = ("POST", "/createInvoiceLink$")
    takes_any_amount = False
    refunds_at_once = True

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.transactions: dict[str, list[dict[str, Any]]] = {token: [] for token in BOTS.values()}

    def credentials(self, seller: str = "shop") -> dict[str, str]:
        return {"bot_token": BOTS[seller]}

    def notify(self, body: bytes, credentials: dict[str, str]) -> Event:
        return Event("", "", {}, body)

    def pay(self, txid: str, amount_cents: int | None = None, end_to_end_id: str = "E1") -> bytes:
        invoice = self._find(txid)
        amount = invoice["prices"][0]["amount"] if amount_cents is None else amount_cents
        source = {"type": "user", "transaction_type": "invoice_payment", "user": BUYER, "invoice_payload": txid}
        paid = {"id": f"{end_to_end_id}-{txid}", "amount": amount, "date": self._now(), "source": source}
        self.transactions[invoice["token"]].append(paid)
        told = {
            "currency": "XTR",
            "total_amount": amount,
            "invoice_payload": txid,
            "telegram_payment_charge_id": paid["id"],
            "provider_payment_charge_id": txid,
        }
        return json.dumps(add_fields(told) if self.adds_fields else told).encode()

    def expire(self, txid: str) -> bytes:
        return b""

    def give_back(self, txid: str, amount_cents: int, end_to_end_id: str = "E1") -> bytes:
        self.refund(self._find(txid)["token"], f"{end_to_end_id}-{txid}")
        return b""

    def refund(self, token: str, charge_id: str) -> bool:
        """Give a payment back, once."""
        known = [one for one in self.transactions[token] if one["id"] == charge_id]
        if len(known) != 1:
            return False
        receiver = {"type": "user", "transaction_type": "invoice_payment", "user": BUYER}
        back = {"id": charge_id, "amount": known[0]["amount"], "date": self._now(), "receiver": receiver}
        self.transactions[token].append(back)
        return True

    def settle_refunds(self) -> bytes:
        return b""

    def dispute(self, txid: str, kind: ReturnKind, end_to_end_id: str = "E1") -> bytes:
        pytest.skip("Stars have no disputes: Telegram gives back")

    def set_status(self, txid: str, word: str) -> bytes:
        return b""

    def _find(self, txid: str) -> dict[str, Any]:
        return next(invoice for invoice in self.charges.values() if invoice["payload"] == txid)

    def _now(self) -> int:
        return int(self.clock().timestamp())


class _Method(FakeHandler):
    provider: Fake

    def authenticate(self) -> None:
        self.token, method = self.path_args
        if self.token not in self.provider.transactions:
            self.reply(401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
            return
        asked = json.loads(self.request.body)
        methods = {"getMe": self.get_me, "createInvoiceLink": self.create, "getStarTransactions": self.list}
        self.reply(*{**methods, "refundStarPayment": self.refund}[method](asked))

    def get_me(self, asked: dict[str, Any]) -> tuple[int, Any]:
        return 200, {"ok": True, "result": {"id": int(self.token.partition(":")[0]), "is_bot": True}}

    def create(self, asked: dict[str, Any]) -> tuple[int, Any]:
        slug = uuid4().hex
        self.provider.charges[slug] = {**asked, "token": self.token}
        return 200, {"ok": True, "result": LINK + slug}

    def list(self, asked: dict[str, Any]) -> tuple[int, Any]:
        page = self.provider.transactions[self.token][asked["offset"] :][: asked["limit"]]
        return 200, {"ok": True, "result": {"transactions": page}}

    def refund(self, asked: dict[str, Any]) -> tuple[int, Any]:
        if asked["user_id"] == BUYER["id"] and self.provider.refund(self.token, asked["telegram_payment_charge_id"]):
            return 200, {"ok": True, "result": True}
        return 400, {"ok": False, "error_code": 400, "description": "Bad Request: CHARGE_ALREADY_REFUNDED"}


Fake.routes = [(r"/bot([^/]*)/(\w+)", _Method)]
