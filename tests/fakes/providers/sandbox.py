"""The sandbox's provider, where the contract suite looks for it and with the verbs it uses."""

from __future__ import annotations

import json

from grimbots.services.gateways.base import Event, ReturnKind
from grimbots.tests.fakes.gateways import FakeGateway, add_fields
from grimbots.tests.fakes.provider import FakeProvider


class Fake(FakeProvider, FakeGateway):
    """FakeProvider, told what to do as every other fake is."""

    def credentials(self, seller: str = "shop") -> dict[str, str]:
        return {"api_key": f"api key of {seller}", "webhook_secret": f"webhook secret of {seller}"}

    def notify(self, body: bytes, credentials: dict[str, str]) -> Event:
        if self.adds_fields:
            body = json.dumps(add_fields(json.loads(body))).encode()
        signed = self.sign(body, credentials["webhook_secret"])
        return Event("", "", {name.lower(): value for name, value in signed.items()}, body)

    @property
    def refunds_take_time(self) -> bool:
        return self.refund_status == "pending"

    @refunds_take_time.setter
    def refunds_take_time(self, is_slow: bool) -> None:
        self.refund_status = "pending" if is_slow else "done"

    def expire(self, txid: str) -> bytes:
        return self.set_status(txid, "expired")

    def give_back(self, txid: str, amount_cents: int, end_to_end_id: str = "E1") -> bytes:  # type: ignore[override]
        return self.note_return(txid, f"rf_{amount_cents}", amount_cents=amount_cents, end_to_end_id=end_to_end_id)

    def settle_refunds(self) -> bytes:
        for charge in self.charges.values():
            for returned in charge["returns"]:
                told = self.note_return(charge["txid"], returned["return_id"], status="done")
        return told

    def dispute(self, txid: str, kind: ReturnKind, end_to_end_id: str = "E1") -> bytes:
        status = "done" if kind is ReturnKind.CHARGEBACK else "pending"
        return self.note_return(txid, "ds_1", kind=kind.value, status=status, end_to_end_id=end_to_end_id)

    def set_status(self, txid: str, word: str) -> bytes:
        next(charge for (_, known), charge in self.charges.items() if known == txid)["status"] = word
        return json.dumps({"event": f"charge.{word}", "id": f"ev-{word}", "txid": txid}).encode()
