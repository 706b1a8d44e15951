"""The sandbox provider's API, which the gateway `sandbox` speaks: /pix/v1/charges and all below it."""

from __future__ import annotations

import hashlib
from datetime import datetime

from grimbots.services.errors import Invalid, Unauthorized
from grimbots.services.sandbox import charges, payments
from grimbots.services.sandbox.requests import LocalHandler, take


class ProviderHandler(LocalHandler):
    """Whoever holds an API key sees the charges made with it."""

    def read_owner(self) -> str:
        """Give a fingerprint of the caller's API key: any key will do, and the key itself is not kept.

        Raises:
            Unauthorized: there is none.
        """
        scheme, _, key = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Unauthorized("Send the header Authorization: Bearer <api key>.")
        return hashlib.sha256(key.strip().encode()).hexdigest()


class ChargeHandler(ProviderHandler):
    """PUT and GET charges/<txid>."""

    async def put(self, txid: str) -> None:
        """Make the charge: 201, or 200 when it is already there."""
        with self.sandbox.store.change():
            charge, is_new = charges.create(self.sandbox, self.read_owner(), txid, self.read_json())
        await self.sandbox.commit()
        self.answer(charge, 201 if is_new else 200)

    async def get(self, txid: str) -> None:
        """Tell how it stands."""
        self.answer(charges.show(self.sandbox, self.read_owner(), txid))


class ChargesHandler(ProviderHandler):
    """GET charges?since=&until=."""

    async def get(self) -> None:
        """List the charges made in a window."""
        window = self._read_instant("since"), self._read_instant("until")
        self.answer({"charges": charges.list_between(self.sandbox, self.read_owner(), *window)})

    def _read_instant(self, name: str) -> float:
        try:
            instant = datetime.fromisoformat(self.get_query_argument(name, ""))
        except ValueError as error:
            raise Invalid(f"{name!r} must be an ISO 8601 instant.") from error
        if instant.tzinfo is None:
            raise Invalid(f"{name!r} must have a time zone.")
        return instant.timestamp()


class RefundHandler(ProviderHandler):
    """PUT charges/<txid>/refunds/<id>."""

    async def put(self, txid: str, refund_id: str) -> None:
        """Give a payment back, once per id."""
        body = self.read_json()
        with self.sandbox.store.change():
            refund = payments.refund(
                self.sandbox,
                self.read_owner(),
                txid,
                refund_id,
                end_to_end_id=take(body, "end_to_end_id", str),
                amount_cents=take(body, "amount_cents", int),
            )
        await self.sandbox.commit()
        self.answer(refund)
