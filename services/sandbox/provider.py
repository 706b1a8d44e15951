"""The sandbox provider's API, which the gateway `sandbox` speaks: /pix/v1/charges and all below it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from grimbots.services.errors import Invalid, Unauthorized
from grimbots.services.sandbox import charges, faults, returns
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

    async def serve(self, method: str, txid: str, act: Callable[[str], tuple[Any, int]]) -> None:
        """Answer with what `act` gives for the caller (a value and its status); or do what a fault says."""
        owner = self.read_owner()
        fault = faults.take(self.sandbox, "provider", method=method, txid=txid)
        await asyncio.sleep(fault.seconds_before)
        answer: tuple[Any, int] = ({"error": {"code": "fault", "message": fault.refusal.description}}, fault.http)
        if fault.lets_run:
            with self.sandbox.store.change():
                done = act(owner)
            answer = answer if fault.http else done
        await self.sandbox.commit()
        await asyncio.sleep(fault.seconds_after)
        if fault.drop:
            self.detach().close()
        else:
            self.answer(*answer)


class ChargeHandler(ProviderHandler):
    """PUT and GET charges/<txid>."""

    async def put(self, txid: str) -> None:
        """Make the charge: 201, or 200 when it is already there."""
        await self.serve("create", txid, lambda owner: self._create(owner, txid))

    async def get(self, txid: str) -> None:
        """Tell how it stands."""
        await self.serve("fetch", txid, lambda owner: (charges.show(self.sandbox, owner, txid), 200))

    def _create(self, owner: str, txid: str) -> tuple[Any, int]:
        charge, is_new = charges.create(self.sandbox, owner, txid, self.read_json())
        return charge, 201 if is_new else 200


class ChargesHandler(ProviderHandler):
    """GET charges?since=&until=&skip=."""

    async def get(self) -> None:
        """List the charges made in a window, a page at a time: the next one skips what was given."""
        await self.serve("list", "", self._list)

    def _list(self, owner: str) -> tuple[Any, int]:
        window = self._read_instant("since"), self._read_instant("until")
        page = charges.list_between(self.sandbox, owner, *window, skip=self.read_number("skip"))
        return {"charges": page, "has_more": len(page) == charges.PAGE}, 200

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
        self.queues: list[str] = []
        await self.serve("refund", txid, lambda owner: self._refund(owner, txid, refund_id))
        await self.sandbox.commit(*self.queues)

    def _refund(self, owner: str, txid: str, refund_id: str) -> tuple[Any, int]:
        body = self.read_json()
        refund, self.queues = returns.refund(
            self.sandbox,
            owner,
            txid,
            refund_id,
            end_to_end_id=take(body, "end_to_end_id", str),
            amount_cents=take(body, "amount_cents", int),
        )
        if refund["status"] == "void":
            return {"error": {"code": "failed", "message": "The refund failed: the money stays."}}, 422
        return {name: refund[name] for name in ("id", "end_to_end_id", "amount_cents", "status")}, 200
