"""A shop whose conversions go to fake networks, and buyers who come by a click."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from grimbots.services import clicks, conversion_destinations, conversion_sends, payments, pools, visits
from grimbots.services.conversion_destinations import Wish
from grimbots.tests.fakes import networks
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.shops import PRICE_CENTS, Shop

BROWSER = "Mozilla/5.0 (Linux; Android 14)"
ADDRESS = "203.0.113.7"
CREDENTIALS: dict[str, dict[str, str]] = {
    "google": {
        "customer_id": "1112223333",
        "conversion_action_id": "11",
        "client_id": "client",
        "client_secret": "secret of the client",
        "refresh_token": networks.Google.token,
    },
    "kwai": {"pixel_id": "123", "access_token": networks.Kwai.token},
    "meta": {"pixel_id": "1234567890", "access_token": networks.Meta.token},
    "tiktok": {"pixel_code": "PIXEL", "access_token": networks.TikTok.token},
    "utmify": {"api_token": networks.Utmify.token, "fallback_email": "sem-email@loja.example"},
}
FAKES: dict[str, type[networks.Receiver]] = {
    "google": networks.Google,
    "kwai": networks.Kwai,
    "meta": networks.Meta,
    "tiktok": networks.TikTok,
    "utmify": networks.Utmify,
    "webhook": networks.Webhook,
}


class Reporter:
    """One tenant's shop and the networks it reports to. `app` reaches the fakes."""

    def __init__(self, shop: Shop, receivers: dict[str, Any], query: Callable[..., list[Any]], clock: Any) -> None:
        urls = {name: receiver.url for name, receiver in receivers.items()}
        self.app = replace(shop.app, settings=replace(shop.app.settings, conversion_urls=urls))
        self.shop = replace(shop, app=self.app)
        self.receivers, self.query, self.clock = receivers, query, clock
        self.slug = shop.tenant.name
        self._starts = 0

    async def open(self) -> Reporter:
        """Make the link."""
        names = [f"{self.shop.tenant.name}_bot"]
        await pools.save(self.app, account=self.shop.tenant.name, slug=self.slug, usernames=names, actor="test")
        return self

    async def connect(self, name: str, **wish: Any) -> int:
        """Have a network told."""
        credentials = CREDENTIALS.get(name) or {"url": f"{self.receivers['webhook'].url}/hook"}
        if name == "webhook":
            self.receivers[name].key_bytes = self.app.vault.post_key(self.shop.tenant.account_id)
        given = Wish(name, wish.pop("credentials", credentials), **wish)
        return await conversion_destinations.add(self.app, self.shop.tenant.account_id, given, "test")

    async def click(self, *, is_stored: bool = True, user_agent: str = BROWSER, **query: str) -> str:
        """Click on the link; returns the token the visitor goes on with."""
        visit = visits.read(
            query={name: [value.encode()] for name, value in query.items()},
            cookies={},
            headers={"User-Agent": user_agent},
            address=ADDRESS,
            now=self.clock(),
        )
        way = await clicks.follow(self.app, self.slug, visit)
        if is_stored:
            await clicks.store_spooled(self.app)
        return parse_qs(urlsplit(way.address).query)["start"][0]

    async def start(self, token: str, chat_id: int = 501) -> None:
        """Press /start with a token."""
        buyer = Buyer(self.app, self.shop.tenant, self.query, chat_id)
        buyer.next_update_id += self._starts
        self._starts += 1
        await buyer.say(f"/start {token}")

    async def pay(self, chat_id: int = 501, update_id: int = 0) -> Any:
        """Ask for a charge and pay it; returns the payment."""
        return await self.settle(await self.shop.charge(chat_id, update_id))

    async def settle(self, payment: Any, end_to_end_id: str = "E1") -> Any:
        """Pay a charge."""
        await payments.settle(
            self.app,
            payment_id=payment.id,
            account_id=payment.account_id,
            paid_cents=PRICE_CENTS,
            paid_at=self.clock(),
            end_to_end_id=f"{end_to_end_id}-{payment.id}",
            actor="webhook",
            reason="test",
        )
        return payment

    async def send(self, **span: float) -> int:
        """Let time pass and every round that is due be done; returns how many."""
        self.clock.move(**(span or {"seconds": 5}))
        now = self.clock()
        due = await self.app.db.conversion_destinations.claim_due(
            now=now,
            before=now - conversion_sends.LINGER,
            claimed_until=now + conversion_sends.CLAIM,
            limit=conversion_sends.DESTINATIONS_A_LOOK,
        )
        for row in due:
            await conversion_sends.send(self.app, account_id=row.account_id, destination_id=row.id, number=row.rounds)
        return len(due)

    def list_rows(self) -> list[tuple[str, str]]:
        """Give each row's event and status, of all accounts."""
        return self.query("SELECT event, status FROM conversions ORDER BY id")
