"""A shop that sells places in a group, over the real sandbox: people come and go, its updates are handled at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from grimbots.queue.task import REGISTRY, Again
from grimbots.services import bots, updates
from grimbots.services.clients.telegram import TelegramClient
from grimbots.services.funnels import versions
from grimbots.services.payments import settle
from grimbots.services.sandbox import parcels
from grimbots.tests.services.sandbox.drivers import Driver, Webhook
from grimbots.tests.services.shops import PRICE_CENTS, Shop

BUYER, STRANGER = 501, 666
WAYS = {
    "invite": {"kind": "invite"},
    "one_use": {"kind": "invite", "by": "one_use"},
    "subscription": {"kind": "subscription", "days": 30, "remind_days": [3, 1], "grace_days": 2, "renew": "offer"},
}


class Vip:
    """One tenant's bot in the sandbox, and a group it is an administrator of."""

    def __init__(self, shop: Shop, driver: Driver, query: Callable[..., list[Any]], clock: Any) -> None:
        self.shop, self.driver, self.query, self.clock = shop, driver, query, clock
        self.app = shop.app
        self.group = 0
        self.seen = 0
        self.jobs_run: list[str] = []

    async def open(self, sink: Webhook, way: str = "invite", kind: str = "supergroup", **rights: Any) -> Vip:
        """Move the tenant's bot into the sandbox, make the group, publish what is sold."""
        driver, sandbox = self.driver, self.driver.server.sandbox
        sandbox.floods.burst = 0
        row = sandbox.store.find("SELECT * FROM bots WHERE username = :name", name=driver.username)
        assert row is not None
        sealed, bot_id = self.app.vault.encrypt(row["token"]), self.shop.tenant.bot_id
        self.query("UPDATE bots SET telegram_id = %s, token_encrypted = %s WHERE id = %s", row["id"], sealed, bot_id)
        self.app.bots._bots.expire("")
        self.app = replace(self.app, telegram=TelegramClient(self.app.http, driver.server.url))
        await driver.call("setWebhook", url=sink.url, allowed_updates=bots.ALLOWED_UPDATES)
        made = (await driver.face("groups", "POST", {"title": "VIP", "type": kind})).json
        self.group = made["id"]
        await self.set_rights(**rights)
        for person in (BUYER, STRANGER):
            await driver.say(chat=person)
        self.seen = self._list_parcels()[-1]["seq"]
        await self.sell_way(way)
        return self

    async def sell_way(self, way: str, **changes: Any) -> None:
        """Publish what is sold from now on."""
        offer = {"id": "offer", "kind": "offer", "product": "VIP", "price_cents": PRICE_CENTS, "text": "{{product}}"}
        gives = {**WAYS[way], "group": self.group, **changes}
        steps = [
            {**offer, "accept": {"text": "Quero", "next": "pay"}},
            {"id": "pay", "kind": "charge", "expires_in_minutes": 10, "next": "access"},
            {"id": "access", "kind": "delivery", "gives": gives},
        ]
        funnel = {"name": "vip", "start": "offer", "steps": steps}
        published = await versions.publish(self.app, self.shop.tenant.account_id, funnel, {}, actor="test")
        self.shop = replace(self.shop, app=self.app, version_id=published.version_id)

    async def set_rights(self, **status: Any) -> None:
        """Change what the bot is in the group, and let it hear of that."""
        await self.driver.face(f"groups/{self.group}/bots", "POST", {"bot": self.driver.username, **status})

    async def buy(self, update_id: int = 0) -> Any:
        """Let the buyer buy; returns the payment."""
        return await self.pay(await self.shop.charge(BUYER, update_id))

    async def pay(self, payment: Any) -> Any:
        """Let the money of a charge come in; returns the payment."""
        told = {"paid_cents": PRICE_CENTS, "paid_at": self.app.clock(), "end_to_end_id": f"E{payment.id}"}
        of_payment = {"payment_id": payment.id, "account_id": payment.account_id}
        await self.run(await settle(self.app, **of_payment, **told, actor="webhook", reason="told"))
        return await self.shop.read(payment.id)

    async def run(self, jobs: Any) -> None:
        """Run jobs and what follows from them, here and now; what is to be tried again later is left."""
        for job in jobs:
            self.jobs_run.append(job.id)
            try:
                done = await REGISTRY[job.task](self.app, **job.payload)
            except Again:
                continue
            await self.run(done.follow_ups if done else ())

    async def hear(self) -> list[str]:
        """Handle what the sandbox has to tell; returns the kinds of update."""
        kinds = []
        while news := [one for one in self._list_parcels() if one["seq"] > self.seen]:
            self.seen = news[0]["seq"]
            update = json.loads(news[0]["body"])
            kinds.append(next(name for name in update if name != "update_id"))
            if kinds[-1] != "message" or update["message"]["chat"]["id"] < 0:
                await self.handle(update)
        return kinds

    async def handle(self, update: dict[str, Any]) -> None:
        """Handle one update and all that follows from it."""
        done = await updates.handle(self.app, bot_id=self.shop.tenant.bot_id, update=update)
        await self.run(done.follow_ups if done else ())

    async def pass_time(self, **span: float) -> None:
        """Let time pass in steps of six hours, doing what the timers ask for and hearing what comes of it."""
        end = self.clock() + timedelta(**span)
        while self.clock() < end:
            self.clock.move(seconds=min((end - self.clock()).total_seconds(), 6 * 3600))
            await self.fire()
            await self.hear()

    async def fire(self) -> None:
        """Run the timers that are due."""
        now = self.clock()
        for timer in await self.app.db.timers.claim_due(now=now, claimed_until=now + timedelta(seconds=1), limit=50):
            done = await REGISTRY[timer.kind](self.app, timer_id=timer.id, **timer.payload)
            await self.run(done.follow_ups if done else ())

    async def join(self, person: int = BUYER, link: str = "") -> str:
        """Open the newest link as somebody, and let the bot hear of it; returns what came of it."""
        wish = {"user_id": person, "link": link or await self.find_link()}
        reply = await self.driver.face(f"groups/{self.group}/joins", "POST", wish)
        await self.hear()
        return str(reply.json.get("outcome", reply.status))

    async def find_link(self) -> str:
        """Give the newest link that the buyer was shown."""
        return [url for message in await self.read_chat() for url in list_urls(message)][-1]

    async def read_chat(self) -> list[Any]:
        """Give what was said to the buyer."""
        messages: list[Any] = (await self.driver.chat("messages", chat=BUYER)).json
        return messages

    async def list_said(self) -> list[str]:
        """Give the first words of what was said to the buyer."""
        said = [message for message in await self.read_chat() if message["from"]["is_bot"]]
        return [" ".join(message.get("text", message.get("caption", "")).split()[:4]) for message in said]

    async def status(self, person: int = BUYER) -> str:
        """Tell what somebody is in the group, as the sandbox knows."""
        groups = (await self.driver.face("groups")).json
        (found,) = [group for group in groups if group["id"] == self.group]
        return str(found["members"].get(str(person), "left"))

    def read_access(self) -> Any:
        """Return the only access: its status, its end, what it is owed."""
        (row,) = self.query("SELECT status, ends_at, days_owed FROM accesses")
        return row

    def read_group(self) -> Any:
        """Return what is known of the group."""
        (row,) = self.query("SELECT status, reason FROM groups WHERE chat_id = %s", self.group)
        return row

    def list_acts(self) -> list[Any]:
        """Return what was done to people: whom, what came of it."""
        return self.query("SELECT user_id, status, outcome FROM group_acts ORDER BY id")

    def count_calls(self, method: str) -> int:
        """Count the sandbox's calls of a method."""
        store = self.driver.server.sandbox.store
        return int(store.value("SELECT count(*) FROM calls WHERE method = :method", method=method))

    def _list_parcels(self) -> list[dict[str, Any]]:
        return [one for one in parcels.list_after(self.driver.server.sandbox, 0) if one["kind"] == "update"]


def list_urls(message: Any) -> Iterator[str]:
    """Give the links of a message's buttons."""
    for row in message.get("reply_markup", {}).get("inline_keyboard", []):
        for button in row:
            if "url" in button:
                yield button["url"]
