"""A gateway on the bench: over a fake of its provider, with credentials that provider takes."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from typing import Any
from uuid import uuid4

from grimbots.conf.settings import Settings
from grimbots.services.clients.http import HttpClient
from grimbots.services.gateways.base import Charge, ChargeRequest, Event, Gateway, Payer, Refusal, Snapshot
from grimbots.services.gateways.described_gateways import find_described
from grimbots.tests.fakes import providers
from grimbots.tests.fakes.described import make_fake
from grimbots.tests.fakes.gateways import FakeGateway

PAYER = Payer(name="Ana Souza", tax_id="52998224725", email="ana@example.com", phone="+5511987654321")
ADDRESS = "https://bots.example.com/webhook/payment/x/key"


def find_fakes() -> Mapping[str, type[FakeGateway]]:
    """Return the fake of each provider that has one, by the gateway's name."""
    names = [info.name for info in pkgutil.iter_modules(providers.__path__)]
    written = {name: import_module(f"{providers.__name__}.{name}").Fake for name in names}
    described = {gateway.name: make_fake(gateway) for gateway in find_described()}
    return {**described, **written}


@dataclass(frozen=True)
class Bench:
    """A gateway, credentials its fake provider accepts, and that provider."""

    gateway: Gateway
    credentials: dict[str, str]
    provider: FakeGateway

    def ask(self, key: str = "", amount_cents: int = 1990, **changes: Any) -> ChargeRequest:
        """Return a request for a charge of ten minutes, by a buyer who told what the provider needs of him."""
        told = {name: getattr(PAYER, name) for name in self.gateway.needs}
        request = ChargeRequest(key or uuid4().hex, amount_cents, "Curso", 600, ADDRESS, Payer(**told))
        return replace(request, asked_at=self.provider.clock(), **changes)

    async def create(self, key: str = "", amount_cents: int = 1990) -> Charge:
        """Make a charge that must be made."""
        made = await self.gateway.create(self.credentials, self.ask(key, amount_cents))
        assert isinstance(made, Charge), made
        return made

    async def look(self, made: Charge) -> Snapshot:
        """Return a charge as it is now; it must be there."""
        seen = await self.gateway.fetch(self.credentials, txid=made.txid, provider_id=made.provider_id)
        assert isinstance(seen, Snapshot), seen
        return seen

    async def refund(self, made: Charge, amount_cents: int, key: str = "") -> Any:
        """Ask for money of a charge's only transfer back."""
        (receipt,) = (await self.look(made)).receipts
        return await self.gateway.refund(
            self.credentials,
            txid=made.txid,
            end_to_end_id=receipt.end_to_end_id,
            amount_cents=amount_cents,
            idempotency_key=key or uuid4().hex,
        )

    def receive(self, body: bytes) -> Event:
        """Return a genuine event as handlers hand it over: only with the headers the gateway keeps."""
        event = self.provider.notify(body, self.credentials)
        kept = {*self.gateway.kept_headers, *self.gateway.secret_headers}
        return replace(event, headers={name: value for name, value in event.headers.items() if name in kept})


def place(
    kind: type[Gateway], fake: type[FakeGateway], clock: Callable[[], datetime]
) -> tuple[FakeGateway, Callable[[HttpClient, Settings], Bench]]:
    """Return a gateway's fake provider, and what makes the bench once that listens."""
    provider = fake(clock)

    def make(http: HttpClient, settings: Settings) -> Bench:
        at_provider = replace(settings, sandbox=True, sandbox_url=provider.url, gateway_urls={kind.name: provider.url})
        return Bench(kind(http, at_provider), provider.credentials(), provider)

    return provider, make


def is_same(seen: Charge, made: Charge) -> bool:
    """Tell whether what is seen is what was made: its time may be counted otherwise, its code shown no more."""
    return replace(seen, expires_at=made.expires_at, code=seen.code or made.code) == made


def is_refused(answer: Any) -> bool:
    """Tell whether it is a "no" that a seller can read."""
    return isinstance(answer, Refusal) and len(answer.reason) > 5
