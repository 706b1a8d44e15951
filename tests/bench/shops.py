"""A shop of bots in service, and what its buyers' Telegram and its payment provider post."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from grimbots.conf.settings import load
from grimbots.server import build_app, now
from grimbots.services import accounts, bots, gateway_accounts
from grimbots.services.app import App
from grimbots.services.funnels import versions
from grimbots.tests.bench import people
from grimbots.tests.bench.loads import write_request
from grimbots.tests.fakes.provider import sign, write_event

BOTS, ACCOUNT = 20, "bench"
MakeToken = Callable[[App, int], Awaitable[str]]
FUNNEL: dict[str, Any] = {
    "name": "bench",
    "start": "offer",
    "steps": [
        {
            "id": "offer",
            "kind": "offer",
            "text": "Oi, {{first_name|que bom ter você aqui}}! Este é o <b>{{product}}</b>, por {{price}}. Vamos?",
            "product": "Guia Manhãs Leves",
            "price_cents": 1990,
            "accept": {"text": "Quero o guia", "next": "charge"},
        },
        {"id": "charge", "kind": "charge", "expires_in_minutes": 30, "next": "delivery"},
        {
            "id": "delivery",
            "kind": "delivery",
            "text": "Prontinho, {{first_name|tudo certo}}! Aqui está o seu acesso.",
            "link": {"text": "Abrir o meu guia", "url": "https://example.com/guia"},
        },
    ],
}


@dataclass(frozen=True)
class Webhook:
    """Where a bot's updates go, what proves that Telegram sent them, and their numbers."""

    path: str
    secret: str
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(700_000_000))

    def post(self, content: Mapping[str, Any]) -> bytes:
        """Give the next update as Telegram posts it."""
        return self.write(next(self.numbers), content)

    def write(self, number: int, content: Mapping[str, Any]) -> bytes:
        """Give an update of this number as Telegram posts it."""
        update = {"update_id": number, **content}
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.secret}
        return write_request(self.path, headers, json.dumps(update, ensure_ascii=False).encode())


@dataclass
class Shop:
    """Bots of one account, their webhooks by the chat's number, and the account's provider."""

    webhooks: list[Webhook]
    payment_path: str
    payment_secret: str
    first_chat: int = 5_000_000_000
    chats: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        self.chats = itertools.count(self.first_chat)

    def start(self, chat_id: int) -> bytes:
        """Somebody presses /start."""
        return self.find(chat_id).post(people.start(chat_id))

    def text(self, chat_id: int, text: str) -> bytes:
        """Somebody writes something."""
        return self.find(chat_id).post(people.text(chat_id, text))

    def tap(self, chat_id: int, data: str) -> bytes:
        """Somebody presses a button."""
        return self.find(chat_id).post(people.tap(chat_id, data))

    def pay(self, txid: str, amount_cents: int) -> bytes:
        """The provider tells of a payment."""
        paid = {"end_to_end_id": f"E{txid}", "amount_cents": amount_cents, "at": now().isoformat()}
        body = write_event(txid, **paid)
        return write_request(self.payment_path, sign(body, self.payment_secret, now()), body)

    def find(self, chat_id: int) -> Webhook:
        """Give the webhook of the bot whose chat this is."""
        return self.webhooks[chat_id % len(self.webhooks)]


async def _make_up_token(app: App, place: int) -> str:
    return f"{900_000 + place}:{'A' * 35}"


async def open_shop(
    environ: Mapping[str, str], funnel: Mapping[str, Any] = FUNNEL, make_token: MakeToken = _make_up_token
) -> Shop:
    """Make the account, its provider, its funnel and its bots."""
    async with build_app(load(environ), with_queue=False) as app:
        account = await accounts.add_account(app, ACCOUNT, actor="bench")
        keys = {"api_key": secrets.token_urlsafe(16), "webhook_secret": secrets.token_urlsafe(32)}
        gateway = await gateway_accounts.add_gateway_account(app, account.id, "sandbox", keys, actor="bench")
        await versions.publish(app, account.id, funnel, {}, actor="bench")
        tokens = [await make_token(app, place) for place in range(BOTS)]
        webhooks = [await _add_bot(app, token, funnel["name"]) for token in tokens]
    return Shop(webhooks, f"/webhook/payment/sandbox/{gateway.key}", keys["webhook_secret"])


async def _add_bot(app: App, token: str, funnel: str) -> Webhook:
    bot = await bots.add(app, account=ACCOUNT, token=token, funnel=funnel, actor="bench")
    return Webhook(f"/webhook/telegram/{bot.key}", app.vault.webhook_secret(bot.key, bot.secret_generation))
