"""Somebody who tells a bot all about himself, and what is left of him anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis.asyncio

from grimbots.queue.task import REGISTRY
from grimbots.services import payments
from grimbots.services.funnels import versions
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.shops import Shop

Query = Callable[..., list[Any]]

CHAT = 7316524098
EMAIL, CPF, PHONE = "bruna.teles@exemplo.com.br", "529.982.247-25", "(11) 98765-4321"
PERSON = {
    "id": CHAT,
    "is_bot": False,
    "first_name": "Brunhilde",
    "last_name": "Telesforo",
    "username": "brunhilde_t",
    "language_code": "pt-br",
}
TRACES = (
    "brunhilde",
    "telesforo",
    "bruna.teles",
    "52998224725",
    "529.982",
    "98765",
    str(CHAT),
    "203.0.113.77",
    "agent 007",
)
FUNNEL: dict[str, Any] = {
    "name": "conta",
    "steps": [
        {"id": "email", "kind": "question", "text": "E-mail, {{first_name}}?", "variable": "email",
         "answer": "email", "next": "cpf"},
        {"id": "cpf", "kind": "question", "text": "CPF?", "variable": "cpf", "answer": "cpf", "next": "fone"},
        {"id": "fone", "kind": "question", "text": "Telefone?", "variable": "fone", "answer": "phone", "next": "avisa"},
        {"id": "avisa", "kind": "notify", "text": "{{first_name}} {{username}} {{email}}", "next": "conta"},
        {"id": "conta", "kind": "webhook", "url": "https://example.com/x", "values": {"e": "{{email}} {{cpf}}"},
         "next": "offer"},
        {"id": "offer", "kind": "offer", "product": "Curso", "price_cents": 1990,
         "text": "Confirma {{email}}, {{fone}}?", "accept": {"text": "Quero", "next": "pay"}},
        {"id": "pay", "kind": "charge", "expires_in_minutes": 10, "next": "access"},
        {"id": "access", "kind": "delivery", "text": "Aqui, {{first_name}}: https://example.com/curso"},
    ],
}  # fmt: skip


class Teller(Buyer):
    """A buyer of a shop whose seller gets notices, come by a click."""

    def __init__(self, shop: Shop, query: Query, chat_id: int = CHAT) -> None:
        super().__init__(shop.app, shop.tenant, query, chat_id)
        self.shop = shop
        self.person = {**PERSON, "id": chat_id}

    async def open(self) -> Teller:
        """Publish the funnel, and let the seller's chat be there."""
        published = await versions.publish(self.app, self.tenant.account_id, FUNNEL, {}, actor="test")
        self.query("UPDATE bots SET funnel_id = %s WHERE id = %s", published.funnel_id, self.tenant.bot_id)
        seller = Buyer(self.app, self.tenant, self.query, chat_id=900)
        seller.next_update_id = 10
        await seller.say("/start")
        self.query(
            "UPDATE bots SET notices_lead_id = (SELECT id FROM leads WHERE chat_id = 900) WHERE id = %s",
            self.tenant.bot_id,
        )
        return self

    async def tell(self) -> Any:
        """Tell everything, and ask for a charge; returns the pending payment."""
        for text in ("/start", EMAIL, CPF, PHONE):
            await self.say(text)
        self._come_by_click()
        await self.tap("Quero")
        ((payment_id,),) = self.query("SELECT max(id) FROM payments")
        await payments.charge(self.app, payment_id=payment_id)
        return await self.shop.read(payment_id)

    def read_lead(self) -> Any:
        """Return the lead's id."""
        rows = self.query("SELECT id FROM leads WHERE chat_id = %s ORDER BY id", self.chat_id)
        return rows[-1][0] if rows else None

    async def run(self, job: Any) -> list[Any]:
        """Run a job as a worker would, and what follows from it, but for messages; returns the jobs that ran."""
        done = await REGISTRY[job.task](self.app, **job.payload)
        follow_ups = [one for one in (done.follow_ups if done else ()) if one.task.startswith("privacy.")]
        return [job, *[after for one in follow_ups for after in await self.run(one)]]

    async def erase(self) -> list[Any]:
        """Ask to be erased and press the button; returns the jobs that ran."""
        from grimbots.services import updates

        await self.say("/excluir")
        update = self.make_tap(self.find_button("Apagar os meus dados"))
        done = await updates.handle(self.app, bot_id=self.tenant.bot_id, update=update)
        assert done is not None
        return [ran for job in done.follow_ups for ran in await self.run(job)]

    def _come_by_click(self) -> None:
        ((click_id,),) = self.query(
            "INSERT INTO clicks"
            " (account_id, bot_id, token, noted_at, address, user_agent, parameters, fbclid, utm_source)"
            " VALUES (%s, %s, 'token', now(), '203.0.113.77', 'agent 007', '\"brunhilde\"', 'telesforo', 'ig')"
            " RETURNING id",
            *(self.tenant.account_id, self.tenant.bot_id),
        )
        self.query(
            "UPDATE leads SET first_click_id = %s, last_click_id = %s WHERE chat_id = %s", click_id, click_id, CHAT
        )


def search_tables(query: Query) -> list[str]:
    """Name the tables in which some row says a word of the person."""
    tables = [name for (name,) in query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    found = []
    for table in tables:
        rows = query(f"SELECT t::text, encode(convert_to(t::text, 'UTF8'), 'hex') FROM {table} AS t")
        texts = [text.lower() for text, _ in rows]
        hexed = [trace.encode().hex() for trace in TRACES]  # what stands in bytea
        if any(trace in text for text in texts for trace in (*TRACES, *hexed)):
            found.append(table)
    return found


async def search_redis(url: str) -> list[str]:
    """Name the keys of Redis that are or hold a word of the person."""
    found = []
    async with redis.asyncio.from_url(url, protocol=3) as client:
        async for key in client.scan_iter():
            raw = (await client.dump(key) or b"") + key
            if any(trace.encode() in raw.lower() for trace in TRACES):
                found.append(key.decode())
    return found
