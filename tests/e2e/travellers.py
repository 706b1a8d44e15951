"""Travellers of the whole road: a click, /start, the offer, the bump, the charge, the payment, the delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from grimbots.conf.settings import load
from grimbots.server import build_app
from grimbots.services import pools
from grimbots.tests.e2e.installation import ACCOUNT, HOST, Installation, until

BOT, SLUG = "road_bot", "demo"
PATIENCE_SECONDS = 30.0
CODE = "Se preferir"  # how the message with the code begins
HELD_SECONDS = 2.0  # so long the provider, or Telegram, keeps an answer back: the stores stop meanwhile
FUNNEL: dict[str, Any] = {
    "language": "pt-BR",
    "start": "offer",
    "steps": [
        {
            "id": "offer",
            "kind": "offer",
            "text": "Oferta",
            "product": "Guia",
            "price_cents": 1990,
            "accept": {"text": "Quero", "next": "bump"},
        },
        {
            "id": "bump",
            "kind": "bump",
            "text": "Incluir?",
            "product": "Bônus",
            "price_cents": 990,
            "accept": "Sim",
            "decline": "Não",
            "next": "charge",
        },
        {"id": "charge", "kind": "charge", "expires_in_minutes": 30, "next": "delivery"},
        {"id": "delivery", "kind": "delivery", "text": "Acesso liberado"},
    ],
}
STEPS = ("go", "start", "offer", "bump", "charge", "pay", "delivery")
SEEN = {"offer": "Oferta", "bump": "Incluir?", "charge": "Incluir?", "pay": CODE, "delivery": CODE}
BY_THEMSELVES = ("charge", "delivery")  # nobody taps for them: they follow from the step before


async def make_link(installation: Installation) -> None:
    """Put the funnel, its bot and the tracked link into an installation."""
    await installation.seed(FUNNEL, BOT)
    async with build_app(load(installation.environ), with_queue=False) as app:
        await pools.save(app, account=ACCOUNT, slug=SLUG, usernames=[BOT], actor="test")


@dataclass
class Traveller:
    """One visitor who buys. `halt` is the step he stands before when the stores stop."""

    installation: Installation
    chat_id: int
    halt: str
    token: str = ""

    async def approach(self) -> None:
        """Walk until he sees what he needs for the halt's step; what follows by itself is not set going yet."""
        await self._walk(STEPS[: STEPS.index(self.halt) - (self.halt in BY_THEMSELVES)])
        if self.halt not in ("go", "start"):
            await self._find(SEEN[self.halt])

    async def set_going(self) -> None:
        """Let what follows by itself be under way: the provider's, or Telegram's, answer is being waited for."""
        if self.halt == "charge":
            fault = {"on": "provider", "method": "create", "delay_seconds": HELD_SECONDS, "execute": True}
            await self._hold(fault, "bump", "SELECT 1 FROM payments WHERE state = 'creating'")
        elif self.halt == "delivery":
            fault = {"on": "calls", "chat_id": self.chat_id, "delay_seconds": HELD_SECONDS}
            await self._hold(fault, "pay", f"SELECT 1 FROM messages WHERE status = 'sending' AND {self._is_mine}")

    async def step(self) -> None:
        """Do the step of the halt, with the stores away."""
        if self.halt not in BY_THEMSELVES:
            await self._walk([self.halt])

    async def finish(self) -> None:
        """Walk the rest of the road."""
        await self._walk(STEPS[STEPS.index(self.halt) + 1 :])
        await self._find("Acesso liberado")

    async def judge(self) -> list[str]:
        """List what is not as a sale that happened once, with its click, must be."""
        await until(self._is_concluded, PATIENCE_SECONDS, f"the {self.halt} traveller's rows are still open")
        sale = (BOT, "paid", [], 2980, f"x{self.chat_id}", f"y{self.chat_id}", SLUG)
        found = self.installation.query(f"""
            SELECT bots.username, payments.state, flags, paid_cents, utm_source, fbclid, slug
            FROM payments
            JOIN bots ON bots.id = payments.bot_id
            JOIN leads ON leads.id = payments.lead_id
            LEFT JOIN clicks ON clicks.id = payments.click_id AND clicks.id = leads.first_click_id
            LEFT JOIN pools ON pools.id = clicks.pool_id
            WHERE {self._is_mine}
        """)
        faults = [] if found == [sale] else [f"sold {found}"]
        events = self.installation.query(f"SELECT status FROM provider_events WHERE payment_id = {self._payment}")
        faults += [] if events == [("applied",)] else [f"events {events}"]
        deliveries = self.installation.query(f"SELECT status FROM deliveries WHERE payment_id = {self._payment}")
        faults += [] if deliveries == [("delivered",)] else [f"deliveries {deliveries}"]
        return [f"before {self.halt}: {fault}" for fault in [*faults, *await self._judge_chat()]]

    async def tap_bump(self) -> None:
        """Take the bump, which asks for the charge."""
        await self._tap("Incluir?", "Sim")

    def query(self, statement: str) -> list[Any]:
        """Run a statement in which {mine} picks the rows of his lead."""
        return self.installation.query(statement.format(mine=self._is_mine))

    async def _walk(self, steps: Sequence[str]) -> None:
        for step in steps:
            if step not in BY_THEMSELVES:
                await ACTS[step](self)

    async def _go(self) -> None:
        address = f"http://{HOST}:{self.installation.port}/go/{SLUG}"
        query = {"utm_source": f"x{self.chat_id}", "fbclid": f"y{self.chat_id}"}
        async with (
            aiohttp.ClientSession() as session,
            session.get(address, params=query, allow_redirects=False) as seen,
        ):
            assert seen.status == 302, await seen.text()
            told = parse_qs(urlsplit(seen.headers["Location"]).query)
        assert told["bot"] == [BOT]
        (self.token,) = told["start"]

    async def _start(self) -> None:
        await self._api("POST", "messages", {"text": f"/start {self.token}"})

    async def _offer(self) -> None:
        await self._tap("Oferta", "Quero")

    async def pay(self, **options: Any) -> None:
        """Pay the charge whose code he was shown, with options of the sandbox's (docs/sandbox.md)."""
        code = _read_code(await self._find(CODE))
        charges = await self.installation.api("GET", "pix")
        (txid,) = [charge["txid"] for charge in charges if charge["code"] == code]
        await self.installation.api("POST", f"pix/{txid}/pay", options)

    async def _hold(self, fault: dict[str, Any], step: str, under_way: str) -> None:
        """Take a step whose consequence is held back, and wait until that is under way."""
        await self.installation.api("POST", "faults", fault)
        await self._walk([step])

        async def is_under_way() -> bool:
            return bool(self.installation.query(under_way))

        await until(is_under_way, PATIENCE_SECONDS, f"{self.halt} is not under way")

    async def _tap(self, text: str, button: str) -> None:
        message = await self._find(text)
        await self._api("POST", "taps", {"message_id": message["message_id"], "button": button})

    async def _find(self, text: str) -> dict[str, Any]:
        """Wait for the bot's message that begins so."""

        async def look() -> Any:
            said = await self._list_said()
            return next((message for message in said if message.get("text", "").startswith(text)), None)

        what = f"the traveller who stands before {self.halt} waits for {text!r}"
        found: dict[str, Any] = await until(look, PATIENCE_SECONDS, what)
        return found

    async def _list_said(self) -> list[dict[str, Any]]:
        messages = await self._api("GET", "messages?after=0")
        return [message for message in messages if message["from"]["is_bot"]]

    async def _is_concluded(self) -> bool:
        open_rows = self.installation.query(f"""
            SELECT 1 FROM messages WHERE status <> 'sent' AND {self._is_mine}
            UNION ALL
            SELECT 1 FROM provider_events WHERE status = 'received'
            UNION ALL
            SELECT 1 FROM clicks WHERE token = '{self.token}' HAVING count(clicked_at) = 0
        """)
        return not open_rows

    async def _judge_chat(self) -> list[str]:
        """Compare what the chat got with the rows: each in its order, no repeat that its row does not admit."""
        said = [message.get("text") or message.get("caption", "") for message in await self._list_said()]
        rows = self.installation.query(f"SELECT body, resent FROM messages WHERE {self._is_mine} ORDER BY id")
        planned = [str(body.get("text") or body.get("caption", "")) for body, _ in rows]
        repeats = len(said) - len(planned)
        if len(planned) != len(set(planned)) or repeats > sum(resent for _, resent in rows):
            return [f"the chat was told {said}, planned were {planned}"]
        return [] if len(list(dict.fromkeys(said))) == len(planned) else [f"of {planned} came {said}"]

    @property
    def _is_mine(self) -> str:
        return f"lead_id = (SELECT id FROM leads WHERE chat_id = {self.chat_id})"

    @property
    def _payment(self) -> str:
        return f"(SELECT id FROM payments WHERE {self._is_mine})"

    async def _api(self, method: str, path: str, body: Any = None) -> Any:
        return await self.installation.api(method, f"bots/{BOT}/chats/{self.chat_id}/{path}", body)


ACTS = {
    "go": Traveller._go,
    "start": Traveller._start,
    "offer": Traveller._offer,
    "bump": Traveller.tap_bump,
    "pay": Traveller.pay,
}


def _read_code(message: dict[str, Any]) -> str:
    """Give the text a message shows to be copied."""
    (entity,) = [entity for entity in message["entities"] if entity["type"] == "code"]
    return str(message["text"][entity["offset"] : entity["offset"] + entity["length"]])


async def each(travellers: Sequence[Traveller], act: Any) -> None:
    """Let all of them do something at once."""
    await asyncio.gather(*(partial(act, traveller)() for traveller in travellers))
