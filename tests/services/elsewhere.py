"""Gateways of the tests alone: the sandbox's at an address of their own, so that a seller has two providers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

import pytest

from grimbots.services import gateway_accounts
from grimbots.services.gateways import scan
from grimbots.services.gateways.base import Credentials, Field, Refusal, Return, Snapshot
from grimbots.services.gateways.sandbox import Sandbox
from grimbots.tests.fakes.provider import FakeProvider
from grimbots.tests.services.shops import Shop


class Elsewhere(Sandbox):
    """The sandbox's provider, at the address its credentials name; what goes back there is told by `returns`."""

    name = "elsewhere"
    fields = (*Sandbox.fields, Field("address", "Endereço", "Onde atende."))
    returns: ClassVar[dict[str, tuple[Return, ...]]] = {}

    async def fetch(self, credentials: Credentials, *, txid: str, provider_id: str) -> Snapshot | Refusal:
        seen = await super().fetch(credentials, txid=txid, provider_id=provider_id)
        return replace(seen, returns=self.returns.get(txid, ())) if isinstance(seen, Snapshot) else seen

    async def list(
        self, credentials: Credentials, *, since: datetime, until: datetime
    ) -> tuple[Snapshot, ...] | Refusal:
        listed = await super().list(credentials, since=since, until=until)
        if isinstance(listed, Refusal):
            return listed
        return tuple(replace(seen, returns=self.returns.get(seen.charge.txid, ())) for seen in listed)

    async def _call(self, credentials: Credentials, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        there = replace(self._settings, sandbox_url=credentials["address"])
        return await Sandbox(self._http, there)._call(credentials, method, path, body)


class Asking(Elsewhere):
    """One that makes no charge without the buyer's CPF."""

    name = "asking"
    needs = frozenset({"tax_id"})


def offer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this installation offer them."""
    kinds: Mapping[str, Any] = {kind.name: kind for kind in (Sandbox, Elsewhere, Asking)}
    monkeypatch.setattr(scan, "find_gateways", lambda: kinds)
    monkeypatch.setattr(Elsewhere, "returns", {})


async def connect(shop: Shop, provider: FakeProvider, gateway: str = "elsewhere", *, is_backup: bool = True) -> Any:
    """Connect a shop to a provider behind its first one; returns the gateway account."""
    credentials = {"api_key": "second key", "webhook_secret": "second secret", "address": provider.url}
    return await gateway_accounts.add_gateway_account(
        shop.app, shop.tenant.account_id, gateway, credentials, "test", is_backup=is_backup
    )
