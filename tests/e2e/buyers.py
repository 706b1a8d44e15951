"""Buyers of the demo funnel: each in a chat of its own, waiting for what the bot says, acting as a person would."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from grimbots.handlers.commands.seeds import DEMO
from grimbots.services.funnels.files import read_files
from grimbots.tests.e2e.installation import Installation

Message = dict[str, Any]
Sign = Callable[[Message], bool]

EXPIRES_IN_MINUTES = 1  # the least there is, so that a charge expires and is paid late while the crowd is there
LOOK_EVERY_SECONDS = 0.25
TXID = re.compile(r"/v2/([0-9a-f]{32})")
MOST_TRIES = 3
FIRST_CHAT = 10_001
OFFER, BUMP, AGAIN, PAID = "Quero conhecer o guia", "Sim, quero incluir", "Gerar novo código", "Já paguei"
DELIVERED, EXPIRED = "Prontinho", "⏰ O código PIX"


class Lost(Exception):
    """A buyer has waited and asked again and was not answered: he leaves."""


@dataclass(frozen=True)
class Manners:
    """How people are: how long they think and wait, and how many of a hundred pay in each way."""

    think_seconds: tuple[float, float]
    patience_seconds: float
    ways: dict[str, int]


class Shops:
    """Bots with the demo funnel, and what was said in all their chats: one reader for everybody."""

    def __init__(self, installation: Installation, bots: int) -> None:
        self.installation = installation
        self.names = [f"shop{number}_bot" for number in range(bots)]
        self.said: dict[int, list[Message]] = defaultdict(list)
        self._news: dict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self._last = dict.fromkeys(self.names, 0)

    async def open(self) -> None:
        """Publish the funnel and put the bots in service."""
        _, files = read_files(DEMO)
        definition = self.write_funnel()
        for name in self.names:
            await self.installation.seed(definition, name, {file: path.read_bytes() for file, path in files.items()})

    def write_funnel(self) -> dict[str, Any]:
        """Give the demo funnel with charges that expire soon."""
        definition: dict[str, Any] = read_files(DEMO)[0]
        for step in definition["steps"]:
            if step["kind"] == "charge":
                step["expires_in_minutes"] = EXPIRES_IN_MINUTES
        return definition

    @asynccontextmanager
    async def heard(self) -> AsyncIterator[None]:
        """Meanwhile bring what bots say to whoever waits for it."""
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen())
            yield
            listening.cancel()

    async def _listen(self) -> None:
        while True:
            await self.hear()
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def hear(self) -> set[int]:
        """Take in what bots have said since; returns the chats in which they did."""
        heard = set()
        for name in self.names:
            for message in await self.installation.api("GET", f"bots/{name}/messages?after={self._last[name]}"):
                self._last[name] = message["message_id"]
                if message["from"]["is_bot"]:
                    heard.add(message["chat"]["id"])
                    self.said[message["chat"]["id"]].append(message)
                    self._news[message["chat"]["id"]].set()
        return heard

    async def wait(self, chat_id: int, after: int, sign: Sign, seconds: float) -> Message | None:
        """Wait for a chat's message that fits, said behind the message `after`; None: it did not come."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._news[chat_id].clear()
                    for message in reversed(self.said[chat_id]):
                        if message["message_id"] > after and sign(message):
                            return message
                    await self._news[chat_id].wait()
        except TimeoutError:
            return None


@dataclass
class Tally:
    """What the crowd did."""

    begun: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    lost: dict[int, str] = field(default_factory=dict)


@dataclass
class Buyer:
    """One person in one chat of a shop; `dice` decides what he does, so that the same seed gives the same person."""

    shops: Shops
    shop: str
    chat_id: int
    manners: Manners
    way: str
    dice: random.Random
    marker: int = 0

    async def walk(self) -> None:
        """Walk from /start to the code, and then go this buyer's way.

        Raises:
            Lost
        """
        await self._think()
        start = await self._come()
        welcome = await self._do(lambda: self._say(start), shows(OFFER), "the welcome")
        if self.dice.random() < 0.2:
            welcome = await self._tap(welcome, "Como funciona?", shows(OFFER))
        offer = await self._tap(welcome, OFFER, shows("Quero o guia por"))
        if self.dice.random() < 0.1:
            later = await self._tap(offer, "Agora não", shows("Ver a oferta de novo"))
            offer = await self._tap(later, "Ver a oferta de novo", shows("Quero o guia por"))
        bump = await self._tap(offer, "Quero o guia por", shows(BUMP))
        code = await self._order(bump)
        while not find_code(code):
            code = await self._tap(code, AGAIN, is_charge)
        await self._fidget(welcome, offer, bump)
        await WAYS[self.way](self, find_code(code), code)

    async def _come(self) -> str:
        """Give what a person says first."""
        return f"/start c{self.chat_id}"

    async def _order(self, bump: Message) -> Message:
        """Take the bump or leave it, and wait for the code."""
        return await self._tap(bump, self.dice.choice((BUMP, "Não, só o guia")), is_charge)

    async def pay_once(self, code: str, shown: Message) -> None:
        await self._pay(code, {})
        await self._await_delivery()
        await self._fidget(shown)

    async def pay_thrice(self, code: str, shown: Message) -> None:
        await self._pay(code, {"times": 3})
        await self._await_delivery()
        await self._fidget(shown)

    async def pay_over(self, code: str, shown: Message) -> None:
        await self._pay(code, {"amount_cents": 5000})
        await self._await_delivery()

    async def pay_under(self, code: str, shown: Message) -> None:
        """Pay too little, and ask for it."""
        await self._pay(code, {"amount_cents": 500})
        await self._press(shown, PAID)

    async def pay_late(self, code: str, shown: Message) -> None:
        """Pay when the bot says that it is too late."""
        seconds = EXPIRES_IN_MINUTES * 60 + self.manners.patience_seconds
        await self.shops.wait(self.chat_id, self.marker, says(EXPIRED), seconds)
        await self._pay(code, {})
        await self._await_delivery()

    async def pay_untold(self, code: str, shown: Message) -> None:
        """Pay, and no event says so: press "I have paid" until it is seen."""
        await self._pay(code, {"copies": 0})
        await self._tap(shown, PAID, says(DELIVERED))

    async def pay_and_block(self, code: str, shown: Message) -> None:
        await self._pay(code, {})
        await self._api("block", {})

    async def pay_block_and_return(self, code: str, shown: Message) -> None:
        """Pay, block the bot at once, think better of it: what was paid for is there then."""
        await self.pay_and_block(code, shown)
        await self._think()
        await self._api("block", {"blocked": False})
        await self._do(lambda: self._say("/start"), says(DELIVERED), "the delivery")

    async def pretend(self, code: str, shown: Message) -> None:
        """Forge an event, and press "I have paid"."""
        await self._pay(code, {"forged": True})
        await self._press(shown, PAID)

    async def leave(self, code: str, shown: Message) -> None:
        """Pay nothing."""

    async def _await_delivery(self) -> None:
        if not await self.shops.wait(self.chat_id, self.marker, says(DELIVERED), MOST_TRIES * self._patience()):
            raise Lost("the delivery")

    async def _fidget(self, *shown: Message) -> None:
        """Press what is no longer meant to be pressed, and some twice, as people do."""
        for message in shown:
            for label in list_taps(message):
                if self.dice.random() < 0.06:
                    await self._press(message, label)
                    if self.dice.random() < 0.5:
                        await self._press(message, label)

    async def _tap(self, message: Message, beginning: str, sign: Sign) -> Message:
        label = next(label for label in list_taps(message) if label.startswith(beginning))
        await self._think()
        return await self._do(lambda: self._press(message, label), sign, f"an answer to {beginning!r}")

    async def _do(self, act: Callable[[], Awaitable[None]], sign: Sign, what: str) -> Message:
        """Act and wait for the answer; act again when none comes."""
        for _ in range(MOST_TRIES):
            said = self.shops.said[self.chat_id]
            self.marker = said[-1]["message_id"] if said else 0
            await act()
            if answer := await self.shops.wait(self.chat_id, self.marker, sign, self._patience()):
                return answer
        raise Lost(what)

    def _patience(self) -> float:
        return self.manners.patience_seconds * self.dice.uniform(0.8, 1.2)

    async def _think(self) -> None:
        await asyncio.sleep(self.dice.uniform(*self.manners.think_seconds))

    async def _pay(self, code: str, how: dict[str, Any]) -> None:
        await self._think()
        await self.shops.installation.api("POST", f"pix/{TXID.findall(code)[0]}/pay", how)

    async def _say(self, text: str) -> None:
        await self._api("messages", {"text": text, "first_name": f"Ana {self.chat_id}"})

    async def _press(self, message: Message, label: str) -> None:
        await self._api("taps", {"message_id": message["message_id"], "button": label})

    async def _api(self, path: str, body: Any) -> None:
        await self.shops.installation.api("POST", f"bots/{self.shop}/chats/{self.chat_id}/{path}", body)


WAYS: dict[str, Callable[[Buyer, str, Message], Awaitable[None]]] = {
    "once": Buyer.pay_once,
    "thrice": Buyer.pay_thrice,
    "over": Buyer.pay_over,
    "under": Buyer.pay_under,
    "late": Buyer.pay_late,
    "untold": Buyer.pay_untold,
    "blocks": Buyer.pay_and_block,
    "returns": Buyer.pay_block_and_return,
    "forged": Buyer.pretend,
    "never": Buyer.leave,
}


@asynccontextmanager
async def filled_seats(
    shops: Shops, seats: int, manners: Manners, dice: random.Random, kind: type[Buyer] = Buyer
) -> AsyncIterator[Tally]:
    """Keep `seats` chats under way meanwhile: who is done is followed by somebody else. Afterwards all leave."""
    tally, numbers = Tally(), iter(range(FIRST_CHAT, 10_000_000))
    meet = partial(kind, shops)
    async with asyncio.TaskGroup() as group:
        sitting = [group.create_task(_sit(shops, meet, manners, tally, numbers, dice)) for _ in range(seats)]
        yield tally
        for task in sitting:
            task.cancel()


async def _sit(
    shops: Shops,
    meet: Callable[..., Buyer],
    manners: Manners,
    tally: Tally,
    numbers: Iterator[int],
    dice: random.Random,
) -> None:
    while True:
        chat_id, own = next(numbers), random.Random(dice.random())
        (way,) = own.choices(list(manners.ways), list(manners.ways.values()))
        buyer = meet(shops.names[chat_id % len(shops.names)], chat_id, manners, way, own)
        tally.begun[way] += 1
        try:
            await buyer.walk()
            tally.ended[way] += 1
        except Lost as reason:
            tally.lost[chat_id] = f"{way}: waited for {reason}"


def shows(beginning: str) -> Sign:
    """Recognize a message by a button."""
    return lambda message: any(label.startswith(beginning) for label in list_taps(message))


def says(beginning: str) -> Sign:
    """Recognize a message by its text."""
    return lambda message: str(message.get("text", "")).startswith(beginning)


def is_charge(message: Message) -> bool:
    """Recognize a code, or the word that there is none."""
    return bool(find_code(message)) or shows(AGAIN)(message)


def find_code(message: Message) -> str:
    """Give the PIX code a message shows, "" where it shows none."""
    text = str(message.get("text", ""))
    codes = [entity for entity in message.get("entities", []) if entity["type"] == "code"]
    return text[codes[0]["offset"] : codes[0]["offset"] + codes[0]["length"]] if codes else ""


def list_taps(message: Message) -> list[str]:
    """Give the texts of the buttons that tell the bot."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["text"] for row in rows for button in row if "callback_data" in button]
