"""A shop to sell in: a tenant with a funnel, the sandbox gateway on a fake provider, and leads who accept the offer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from grimbots.services import effects, events, gateway_accounts, leads, payments, receptions
from grimbots.services.arrivals import Person
from grimbots.services.funnels import versions
from grimbots.services.funnels.advance import advance
from grimbots.services.funnels.events import Started, Tapped
from grimbots.tests.fakes.provider import FakeProvider

PRICE_CENTS = 1990
SECRET = "webhook secret of "
FUNNEL = {
    "name": "curso",
    "start": "offer",
    "steps": [
        {
            "id": "offer",
            "kind": "offer",
            "product": "Curso",
            "price_cents": PRICE_CENTS,
            "text": "{{product}} por {{price}}",
            "accept": {"text": "Quero", "next": "pay"},
        },
        {"id": "pay", "kind": "charge", "expires_in_minutes": 10, "next": "access"},
        {"id": "access", "kind": "delivery", "text": "Seu acesso: https://example.com/curso"},
    ],
}


@dataclass(frozen=True)
class Shop:
    """One tenant's shop. `key` is its webhook's, `secret` signs its events."""

    app: Any
    provider: FakeProvider
    tenant: Any
    version_id: int
    key: str
    secret: str

    async def accept_offer(self, chat_id: int = 501, update_id: int = 0) -> Any:
        """Let a lead accept the offer and return the new payment; again with another `update_id`."""
        version = await versions.load(self.app, self.version_id)
        bot = await self.app.bots.by_id(self.app, self.tenant.bot_id)
        now, cause = self.app.clock(), f"u:{bot.id}:{update_id or chat_id}"
        async with self.app.db.transaction() as tx:
            lead = await leads.lock(tx, bot, chat_id, Person("Ana"), now)
            walk, _ = advance(version, leads.walk(self.app, lead), Started(), now)
            walk, planned = advance(version, walk, Tapped("offer", "accept", f"nonce {update_id}"), now)
            await leads.save(self.app, tx, lead, walk)
            await effects.plan(self.app, tx, cause=cause, lead=lead, version_id=version.id, effects=planned)
            (opened,) = await tx.payments.list_open_by_cause(account_id=bot.account_id, cause=cause)
        return await self.read(opened.id)

    async def charge(self, chat_id: int = 501, update_id: int = 0) -> Any:
        """Let a lead accept the offer, ask the provider, and return the pending payment."""
        payment = await self.accept_offer(chat_id, update_id)
        await payments.charge(self.app, payment_id=payment.id)
        return await self.read(payment.id)

    async def read(self, payment_id: int) -> Any:
        """Return a payment's row."""
        return await self.app.db.payments.find(account_id=self.tenant.account_id, payment_id=payment_id)

    async def list_moves(self, payment: Any) -> list[tuple[str, str]]:
        """Return the payment's transitions as (from, to)."""
        rows = await self.app.db.payments.list_transitions(account_id=self.tenant.account_id, payment_id=payment.id)
        return [(row.from_state, row.to_state) for row in rows]

    async def list_deliveries(self, payment: Any) -> list[Any]:
        """Return the payment's deliveries."""
        rows: list[Any] = await self.app.db.deliveries.list_by_payment(
            account_id=self.tenant.account_id, payment_id=payment.id
        )
        return rows

    async def list_said(self, cause: str) -> list[Any]:
        """Return the messages planned for a cause."""
        rows: list[Any] = await self.app.db.messages.list_open_by_cause(account_id=self.tenant.account_id, cause=cause)
        return rows

    async def receive(self, body: bytes, headers: dict[str, str] | None = None, *, key: str = "") -> None:
        """Post an event to the webhook: with its true signature unless `headers` are given."""
        signed = self.provider.sign(body, self.secret) if headers is None else headers
        await receptions.receive(self.app, "sandbox", key or self.key, "", "", signed, body)

    async def list_events(self) -> list[int]:
        """Return the ids of every account's events that have not been acted upon."""
        later = self.app.clock() + timedelta(days=1)
        return [row.id for row in await self.app.db.provider_events.list_stale(before=later, after=0, limit=99)]

    async def apply_events(self) -> list[Any]:
        """Act upon what was received; returns the follow-up jobs."""
        done = [await events.apply(self.app, event_id=event_id) for event_id in await self.list_events()]
        return [job for one in done for job in (one.follow_ups if one else ())]


async def open_shop(app: Any, provider: FakeProvider, tenant: Any) -> Shop:
    """Publish the funnel for a tenant and connect the provider, over an App whose sandbox is the fake provider."""
    over = replace(app, settings=replace(app.settings, sandbox=True, sandbox_url=provider.url))
    published = await versions.publish(over, tenant.account_id, FUNNEL, {}, actor="test")
    secret = SECRET + tenant.name
    credentials = {"api_key": f"api key of {tenant.name}", "webhook_secret": secret}
    account = await gateway_accounts.add_gateway_account(over, tenant.account_id, "sandbox", credentials, actor="test")
    return Shop(over, provider, tenant, published.version_id, account.key, secret)
