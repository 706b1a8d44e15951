"""A shop whose funnel sells with reminders, downsells, upsells and coupons, and what tests do with its buyers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grimbots.services import nudges, payments, timers
from grimbots.services.funnels import versions
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.shops import Shop

PRICE_CENTS = 1990
FUNNEL: dict[str, Any] = {
    "name": "ofertas",
    "coupons": [{"code": "BACK10", "percent": 10, "uses": 7}],
    "steps": [
        {"id": "hi", "kind": "message", "text": "Oi", "buttons": [{"text": "Curso", "next": "course"}]},
        {"id": "course", "kind": "pick", "product": "Curso", "price_cents": PRICE_CENTS, "next": "pix"},
        {"id": "pix", "kind": "charge", "expires_in_minutes": 30, "next": "access",
         "reminders": [{"after_minutes": 10, "text": "Lembrete {{code}}"}],
         "downsells": [{"after_minutes": 20, "next": "half"}],
         "upsells": [{"after_minutes": 5, "next": "more", "of": "course"}]},
        {"id": "access", "kind": "delivery", "text": "Aqui"},
        {"id": "half", "kind": "offer", "product": "Curso", "discount": {"percent": 50, "of": "course"},
         "text": "Metade: {{price}}", "accept": {"text": "Sim", "next": "pix"}},
        {"id": "more", "kind": "offer", "product": "Mais", "price_cents": 500, "text": "Mais: {{price}}",
         "accept": {"text": "Mais", "next": "pix"}},
    ],
}  # fmt: skip


class Sale:
    """One buyer of a shop that sells by this funnel."""

    def __init__(self, shop: Shop, query: Callable[..., list[Any]], chat_id: int = 4242) -> None:
        self.shop, self.query = shop, query
        self.buyer = Buyer(shop.app, shop.tenant, query, chat_id)
        self.buyer.next_update_id = 1000 * chat_id

    async def open(self) -> Sale:
        """Publish the funnel for the shop's bot."""
        published = await versions.publish(self.shop.app, self.shop.tenant.account_id, FUNNEL, {}, actor="test")
        self.query("UPDATE bots SET funnel_id = %s WHERE id = %s", published.funnel_id, self.shop.tenant.bot_id)
        return self

    async def order(self, start: str = "/start") -> Any:
        """Let the buyer ask for a code and get it; returns the payment."""
        await self.buyer.say(start)
        await self.buyer.tap("Curso")
        return await self.charge()

    async def charge(self) -> Any:
        """Let the provider make the newest charge."""
        ((payment_id,),) = self.query(
            "SELECT max(payments.id) FROM payments JOIN leads ON leads.id = lead_id WHERE chat_id = %s",
            self.buyer.chat_id,
        )
        await payments.charge(self.shop.app, payment_id=payment_id)
        return await self.shop.read(payment_id)

    async def pay(self, payment: Any) -> None:
        """Let the money come in."""
        key = {"payment_id": payment.id, "account_id": payment.account_id, "end_to_end_id": f"E{payment.id}"}
        money = {"paid_cents": payment.amount_cents, "paid_at": self.shop.app.clock()}
        await payments.settle(self.shop.app, **key, **money, actor="test", reason="test")

    async def claim(self) -> list[Any]:
        """Take the nudges that are due, as timers.fire_due does."""
        now = self.shop.app.clock()
        due = await self.shop.app.db.timers.claim_due(now=now, claimed_until=now + timers.CLAIM, limit=99)
        return [timer for timer in due if timer.kind == "nudges.give"]

    async def give(self, claimed: list[Any]) -> list[str]:
        """Run their tasks; returns the ids of the jobs that follow."""
        done = [await nudges.give(self.shop.app, timer_id=one.id, **one.payload) for one in claimed]
        return [job.id for one in done for job in (one.follow_ups if one else ())]

    async def fire(self) -> list[str]:
        """Do what is due now."""
        return await self.give(await self.claim())

    def list_said(self) -> list[str]:
        """Give the steps that spoke to the buyer because of timers, in order."""
        return [
            step
            for (step,) in self.query(
                "SELECT step FROM messages WHERE cause LIKE 't:%%' AND chat_id = %s ORDER BY id", self.buyer.chat_id
            )
        ]
