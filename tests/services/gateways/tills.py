"""A till: a seller who is paid through one gateway, its fake provider, and the real webhook route between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from grimbots.queue.task import Again
from grimbots.services import effects, events, gateway_accounts, leads, payments
from grimbots.services.arrivals import Person
from grimbots.services.funnels import versions
from grimbots.services.funnels.advance import advance
from grimbots.services.funnels.events import Started, Tapped, Wrote
from grimbots.services.gateways.base import Event
from grimbots.tests.fakes.gateways import FakeGateway

PRICE_CENTS = 1990
STEPS = [
    {"id": "name", "kind": "question", "text": "Nome?", "variable": "nome", "next": "tax_id"},
    {"id": "tax_id", "kind": "question", "text": "CPF?", "variable": "cpf", "answer": "cpf", "next": "email"},
    {"id": "email", "kind": "question", "text": "E-mail?", "variable": "email", "answer": "email", "next": "phone"},
    {"id": "phone", "kind": "question", "text": "Fone?", "variable": "fone", "answer": "phone", "next": "offer"},
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
]
FUNNEL = {"name": "curso", "start": "name", "steps": STEPS}
SAID = (Wrote("Ana Souza"), Wrote("529.982.247-25"), Wrote("ana@example.com"), Wrote("(11) 98765-4321"))
ASK_AGAIN_SECONDS = 6  # charges.ASK_EVERY and a little


@dataclass(frozen=True)
class Till:
    """One tenant's. `key` is the last part of its webhook's path."""

    app: Any
    tenant: Any
    gateway: str
    provider: FakeGateway
    credentials: dict[str, str]
    version_id: int
    key: str

    async def accept(self, chat_id: int = 501) -> Any:
        """Let a lead tell of himself and accept the offer; returns the new payment."""
        version = await versions.load(self.app, self.version_id)
        bot = await self.app.bots.by_id(self.app, self.tenant.bot_id)
        now, cause = self.app.clock(), f"u:{bot.id}:{chat_id}"
        async with self.app.db.transaction() as tx:
            lead = await leads.lock(tx, bot, chat_id, Person("Ana"), now)
            walk, planned = leads.walk(lead), ()
            for event in (Started(), *SAID, Tapped("offer", "accept", f"nonce {chat_id}")):
                walk, planned = advance(version, walk, event, now)
            await leads.save(tx, lead, walk, now)
            await effects.plan(self.app, tx, cause=cause, lead=lead, version_id=version.id, effects=planned)
            (opened,) = await tx.payments.list_open_by_cause(account_id=bot.account_id, cause=cause)
        return await self.read(opened.id)

    async def charge(self, chat_id: int = 501) -> Any:
        """Sell, ask the provider, and return the pending payment."""
        payment = await self.accept(chat_id)
        await payments.charge(self.app, payment_id=payment.id)
        charged = await self.read(payment.id)
        assert charged.state == "pending", (self.gateway, charged.error)
        return charged

    async def read(self, payment_id: int) -> Any:
        """Return a payment's row."""
        return await self.app.db.payments.find(account_id=self.tenant.account_id, payment_id=payment_id)

    async def see(self, payment: Any) -> tuple[str, list[str], int]:
        """Return a payment's state, its flags and how many deliveries it has."""
        row, which = await self.read(payment.id), {"account_id": self.tenant.account_id, "payment_id": payment.id}
        return row.state, sorted(row.flags), len(await self.app.db.deliveries.list_by_payment(**which))

    def notify(self, body: bytes) -> Event:
        """Return a genuine event of the provider's."""
        return self.provider.notify(body, self.credentials)

    async def apply(self) -> None:
        """Act upon every event there is, when the provider may be asked again; some will have to wait."""
        self.app.clock.move(seconds=ASK_AGAIN_SECONDS)
        later = self.app.clock() + timedelta(days=1)
        for row in await self.app.db.provider_events.list_stale(before=later, after=0, limit=99):
            try:
                await events.apply(self.app, event_id=row.id)
            except Again:
                continue

    async def expire(self) -> None:
        """Let the charge's time run out."""
        self.app.clock.move(minutes=11)
        now = self.app.clock()
        due = await self.app.db.timers.claim_due(now=now, claimed_until=now + timedelta(minutes=1), limit=9)
        for timer in due:
            await payments.expire(self.app, timer_id=timer.id, **timer.payload)


async def open_till(app: Any, tenant: Any, gateway: str, provider: FakeGateway, seller: str = "shop") -> Till:
    """Publish the funnel for a tenant and connect it to the provider."""
    published = await versions.publish(app, tenant.account_id, FUNNEL, {}, actor="test")
    credentials = provider.credentials(seller)
    account = await gateway_accounts.add_gateway_account(app, tenant.account_id, gateway, credentials, actor="test")
    return Till(app, tenant, gateway, provider, credentials, published.version_id, account.key)
