"""Woovi as woovibr/woovi-developers bb0dddf describes it; events have the shape of its published samples."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from grimbots.services import brcode
from grimbots.services.gateways.base import Event, ReturnKind
from grimbots.tests.fakes.gateways import FakeGateway, FakeHandler, add_fields

STATES = {ReturnKind.DISPUTE: "OPENED", ReturnKind.CHARGEBACK: "ACCEPTED"}


@cache
def make_key() -> RSAPrivateKey:
    """Make the key it signs by, once: that takes a while."""
    return generate_private_key(65537, 2048)


class Fake(FakeGateway):
    """Charges by AppID and correlationID; what moved on one lies in its `moves`, `refunds` and `dispute`."""

    create_call = ("POST", r"/charge$")

    def patches(self) -> dict[str, object]:
        public = make_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return {"public_keys": (public,)}

    def credentials(self, seller: str = "shop") -> dict[str, str]:
        return {"app_id": f"AppID of {seller}", "webhook_authorization": f"authorization of {seller}"}

    def notify(self, body: bytes, credentials: dict[str, str]) -> Event:
        signature = base64.b64encode(make_key().sign(body, PKCS1v15(), SHA256())).decode()
        proofs = {"x-webhook-signature": signature, "authorization": credentials["webhook_authorization"]}
        return Event("", "", {"content-type": "application/json", **proofs}, body)

    def pay(self, txid: str, amount_cents: int | None = None, end_to_end_id: str = "E1") -> bytes:
        kept, now = self.find(txid), self.write_now()
        move = {"value": kept["charge"]["value"] if amount_cents is None else amount_cents, "time": now}
        payer = {"name": "Somebody Else", "taxID": {"taxID": "11144477735", "type": "BR:CPF"}}
        made = {**move, "endToEndId": end_to_end_id, "type": "PAYMENT", "status": "CONFIRMED", "payer": payer}
        kept["moves"].append({**made, "transactionID": kept["charge"]["transactionID"]})
        kept["charge"] |= {"status": "COMPLETED", "paidAt": now}
        event = "CHARGE_COMPLETED_NOT_SAME_CUSTOMER_PAYER" if len(kept["moves"]) > 1 else "CHARGE_COMPLETED"
        return self.tell(event, {"charge": kept["charge"], "pix": kept["moves"][-1]})

    def expire(self, txid: str) -> bytes:
        return self.set_status(txid, "EXPIRED")

    def give_back(self, txid: str, amount_cents: int, end_to_end_id: str = "E1") -> bytes:
        kept = self.find(txid)
        self.take_refund(kept, f"panel {len(kept['refunds'])}", amount_cents)
        return self.tell_refund(kept)

    def settle_refunds(self) -> bytes:
        for kept in self.charges.values():
            for refund in kept["refunds"]:
                refund["status"] = "CONFIRMED"
        return self.tell_refund(kept)

    def dispute(self, txid: str, kind: ReturnKind, end_to_end_id: str = "E1") -> bytes:
        kept = self.find(txid)
        about = {"status": STATES[kind], "endToEndId": end_to_end_id, "value": kept["moves"][0]["value"]}
        kept["dispute"] = {**about, "name": "Seu Jorge", "disputeReason": "Golpe", "type": "MED"}
        word = "CREATED" if kind is ReturnKind.DISPUTE else "ACCEPTED"
        return self.tell(f"DISPUTE_{word}", {"dispute": kept["dispute"]}, brand="woovi")

    def set_status(self, txid: str, word: str) -> bytes:
        kept = self.find(txid)
        kept["charge"]["status"] = word
        return self.tell(f"CHARGE_{word.upper()}", {"charge": kept["charge"]})

    def pay_for_test(self, txid: str) -> bytes:
        charge = self.find(txid)["charge"]
        pix = {"value": charge["value"], "time": self.write_now(), "endToEndId": "Etest", "type": "PAYMENT"}
        return self.tell("CHARGE_COMPLETED", {"charge": charge, "pix": pix}, environment="TESTING")

    def find(self, txid: str) -> dict[str, Any]:
        """Return what is kept of a correlationID's charge."""
        return next(kept for (_, known), kept in self.charges.items() if known == txid)

    def tell(
        self, event: str, said: dict[str, Any], *, brand: str = "OPENPIX", environment: str = "PRODUCTION"
    ) -> bytes:
        """Return an event's body."""
        company = {"id": "624f46f9e93f9f521c8308d7", "name": "Loja", "taxID": "44720743000101"}
        whole = {"event": f"{brand}:{event}", **said, "company": company, "account": {"environment": environment}}
        return json.dumps(add_fields(whole) if self.adds_fields else whole).encode()

    def tell_refund(self, kept: dict[str, Any]) -> bytes:
        """Return the event of the last refund, which names the transfers and no charge."""
        refund = kept["refunds"][-1]
        back = {"value": refund["value"], "time": refund["time"], "endToEndId": "D1", "status": "CONFIRMED"}
        original = {"endToEndId": kept["moves"][0]["endToEndId"], "value": kept["moves"][0]["value"]}
        said = {"refundTransaction": {**back, "type": "REFUND"}, "originalTransaction": original}
        return self.tell("PIX_TRANSACTION_REFUND_SENT_CONFIRMED", said).replace(b"OPENPIX:PIX", b"PIX")

    def write_now(self) -> str:
        """Return the time as Woovi writes it."""
        return self.clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def take_refund(self, kept: dict[str, Any], key: str, value: int) -> dict[str, Any] | None:
        """Take a refund on; None for a key that was used, and for more than is left."""
        gone = sum(refund["value"] for refund in kept["refunds"]) + value
        if any(refund["correlationID"] == key for refund in kept["refunds"]) or gone > kept["moves"][0]["value"]:
            return None
        status = "IN_PROCESSING" if self.refunds_take_time else "CONFIRMED"
        made = {"correlationID": key, "value": value, "status": status, "time": self.write_now()}
        kept["refunds"].append({**made, "endToEndId": f"D{len(kept['refunds'])}"})
        return kept["refunds"][-1]


class _Handler(FakeHandler):
    provider: Fake

    def authenticate(self) -> None:
        self.app_id = self.request.headers.get("Authorization", "")
        if not self.app_id:
            self.reply(401, {"error": "appID inválido"})

    def find(self, key: str) -> dict[str, Any] | None:
        return self.provider.charges.get((self.app_id, key))

    def list_mine(self) -> list[dict[str, Any]]:
        return [kept for (owner, _), kept in self.provider.charges.items() if owner == self.app_id]

    def reply_page(self, name: str, rows: list[dict[str, Any]], moment: str) -> None:
        start, end = (self.get_query_argument(side, "") for side in ("start", "end"))
        if start:
            window = datetime.fromisoformat(start), datetime.fromisoformat(end)
            rows = [row for row in rows if window[0] <= datetime.fromisoformat(row[moment]) <= window[1]]
        skip, limit = int(self.get_query_argument("skip", "0")), int(self.get_query_argument("limit", "100"))
        info = {"skip": skip, "limit": limit, "hasNextPage": skip + limit < len(rows)}
        self.reply(200, {name: rows[skip : skip + limit], "pageInfo": info})


class _Charges(_Handler):
    def get(self) -> None:
        self.reply_page("charges", [kept["charge"] for kept in self.list_mine()], "createdAt")

    async def post(self) -> None:
        asked = json.loads(self.request.body)
        assert self.get_query_argument("return_existing") == "true" and asked["expiresIn"] >= 300
        kept = self.find(asked["correlationID"]) or self.make(asked)
        self.provider.charges[self.app_id, asked["correlationID"]] = kept
        if self.provider.before_answer is not None:
            await self.provider.before_answer(asked["correlationID"])
        self.reply(200, {"charge": kept["charge"], "correlationID": asked["correlationID"], "brCode": "x"})

    def make(self, asked: dict[str, Any]) -> dict[str, Any]:
        txid, now = f"t{len(self.provider.charges):031d}", self.provider.clock()
        ends_at = (now + timedelta(seconds=asked["expiresIn"])).isoformat(timespec="milliseconds")
        charge = {
            **asked,
            "status": "ACTIVE",
            "transactionID": txid,
            "identifier": txid,
            "fee": 85,
            "brCode": brcode.build(url=f"api.woovi.example/{txid}", name="Loja", city="Sao Paulo", is_one_time=True),
            "createdAt": self.provider.write_now(),
            "expiresDate": ends_at,
            "type": "DYNAMIC",
        }
        return {"charge": charge, "moves": [], "refunds": [], "dispute": None}


class _Charge(_Handler):
    def get(self, key: str) -> None:
        kept = self.find(key)
        self.reply(200, {"charge": kept["charge"]}) if kept else self.reply(400, {"error": "Cobrança não encontrada"})


class _Refunds(_Handler):
    def get(self, key: str) -> None:
        kept = self.find(key)
        self.reply(200, {"refunds": kept["refunds"] if kept else []})

    def post(self, key: str) -> None:
        kept, asked = self.find(key), json.loads(self.request.body)
        made = self.provider.take_refund(kept, asked["correlationID"], asked["value"]) if kept else None
        self.reply(200, {"refund": made}) if made else self.reply(400, {"error": "Reembolso não permitido"})


class _Transactions(_Handler):
    def get(self) -> None:
        key = self.get_query_argument("charge", "")
        mine = [kept for kept in self.list_mine() if not key or kept["charge"]["correlationID"] == key]
        rows = [{**move, "charge": kept["charge"]} for kept in mine for move in kept["moves"]]
        self.reply_page("transactions", rows, "time")


class _Dispute(_Handler):
    def get(self, end_to_end_id: str) -> None:
        open_ = [kept["dispute"] for kept in self.list_mine() if kept["dispute"]]
        found = next((one for one in open_ if one["endToEndId"] == end_to_end_id), None)
        self.reply(200, {"dispute": found}) if found else self.reply(400, {"error": "Dispute not found"})


Fake.routes = [
    (r"/api/v1/charge", _Charges),
    (r"/api/v1/charge/(\w+)", _Charge),
    (r"/api/v1/charge/(\w+)/refund", _Refunds),
    (r"/api/v1/transaction", _Transactions),
    (r"/api/v1/dispute/(\w+)", _Dispute),
]
