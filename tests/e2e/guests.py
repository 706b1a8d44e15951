"""Guests of the example funnel `completo`: each walks one of its ways to the end, with its waits cut short."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from grimbots.conf.settings import load
from grimbots.handlers.commands.seeds import DEMO
from grimbots.server import build_app
from grimbots.services import notices
from grimbots.services.funnels.files import read_files
from grimbots.services.sandbox.invoices import LINK
from grimbots.tests.e2e.buyers import (
    DELIVERED,
    FIRST_CHAT,
    MOST_TRIES,
    TXID,
    Buyer,
    Lost,
    Manners,
    Message,
    Shops,
    Sign,
    says,
    shows,
)
from grimbots.tests.e2e.installation import ACCOUNT, Installation, until
from grimbots.tests.e2e.watches import Watch

MOST_WALKS = 10  # so often somebody begins anew whom the bot has left without an answer
SELLERS = 7001  # the chat of the first bot's seller
PATIENCE_SECONDS = 30
ANEW = "Gerar nova cobrança"


def read_example(webhook_url: str) -> tuple[Any, dict[str, bytes]]:
    """Read the example, whose webhook step tells this address."""
    definition, files = read_files(DEMO.with_name("completo.json"))
    for step in definition["steps"]:
        if step["kind"] == "webhook":
            step["url"] = webhook_url
    return definition, {name: path.read_bytes() for name, path in files.items()}


class Examples(Shops):
    """Bots with the example, each with a seller who reads its notices."""

    def __init__(self, installation: Installation, bots: int, webhook_url: str) -> None:
        super().__init__(installation, bots)
        self._webhook_url = webhook_url

    async def open(self) -> None:
        """Publish the funnel and put the bots in service."""
        definition, files = read_example(self._webhook_url)
        for place, name in enumerate(self.names):
            await self.installation.seed(definition, name, files)
            await self.installation.api("POST", f"bots/{name}/chats/{SELLERS + place}/messages", {"text": "/start"})
        await until(self._has_sellers, PATIENCE_SECONDS, "the sellers are not known")
        async with build_app(load(self.installation.environ), with_queue=False) as app:
            for place, name in enumerate(self.names):
                await notices.set_chat(app, account=ACCOUNT, bot=name, who=str(SELLERS + place), actor="test")

    async def _has_sellers(self) -> bool:
        return self.installation.query("SELECT count(*) FROM leads") == [(len(self.names),)]


@dataclass(kw_only=True)
class Guest(Buyer):
    """One person. `repeats` counts what had to be done again for want of an answer, `lost` the walks given up."""

    watch: Watch
    repeats: int = 0
    lost: list[str] = field(default_factory=list)
    stuck: str = ""
    is_done: bool = False
    has_upsell: bool = False  # its money is on its way, whatever became of its delivery

    async def walk(self) -> None:
        """Walk this guest's way to its end; who is left without an answer begins anew.

        Raises:
            Lost: that did not help.
        """
        await self._think()
        for _ in range(MOST_WALKS):
            try:
                return await WAYS[self.way](self)
            except Lost as lost:
                self.lost.append(str(lost))
        raise Lost(self.lost[-1])

    async def buy(self) -> None:
        """Buy with a coupon, answer, take the upsell: it is offered to nobody who has bought it."""
        offer = await self._come("Vamos!")
        await self._pay_for(await self._order(offer, coupon=True))
        await self._hurry(says("Três dias"), "the question")
        await self._write("ana@example.com", says("Anotei: ana@example.com"))
        if self.has_upsell:
            return
        upsell = await self._hurry(shows("Quero o caderno"), "the upsell")
        code = await self._tap(upsell, "Quero o caderno", shows("Já paguei"))
        self.has_upsell = True
        await self._pay_for(code)

    async def think_it_over(self) -> None:
        """Wait for the next morning, and want no more."""
        offer = await self._come("Já sou cliente")
        await self._press(offer, "Agora não")
        morning = await self._hurry(shows("Não quero mais"), "the morning")
        await self._press(morning, "Não quero mais mensagens")
        if not await self.watch.wait_until(self.chat_id, lambda: self.watch.see(self.chat_id).has_ended or None):
            raise Lost("the funnel's end")

    async def pay_in_stars(self) -> None:
        """Wait for the next morning, and pay Telegram itself."""
        offer = await self._come("Vamos!" if self.lost else "Já sou cliente")  # whose delivery failed is one by now
        await self._press(offer, "Agora não")
        morning = await self._hurry(shows("Pagar com Stars"), "the morning")
        plan = await self._tap(morning, "Pagar com Stars", shows("Quero pagar com Stars"))
        invoice = await self._tap(plan, "Quero pagar com Stars", is_charge_in_stars)
        while not (label := find_invoice(invoice)):  # Telegram made none
            invoice = await self._tap(invoice, ANEW, is_charge_in_stars)
        await self._do(lambda: self._press(invoice, label), says(DELIVERED), "the delivery")

    async def be_silent(self) -> None:
        """Say nothing until the bot asks whether one is there; misread it; buy without a coupon."""
        welcome = await self._start()
        await self._tap(welcome, "Vamos!", shows("Acre"))
        reminder = await self._hurry(shows("Continuar"), "the reminder")
        zone = await self._tap(reminder, "Continuar", shows("Acre"))
        await self._tap(zone, "Acre", says("E a que horas"))
        await self._write("cedo", says("Pode ser só"))
        await self._pay_for(await self._order(await self._write("5", shows("Quero ver")), coupon=False))

    async def let_it_expire(self) -> None:
        """Leave a code unpaid until the bot offers less, and take that."""
        code = await self._order(await self._come("Vamos!"), coupon=False)
        if not self.lost:  # else he was led there before: nobody is led there twice for one code
            less = await self._hurry(shows("Só os áudios"), "the downsell")
            code = await self._tap(less, "Só os áudios", shows("Já paguei"))
        await self._pay_for(code)

    async def _start(self) -> Message:
        return await self._do(lambda: self._say("/start"), shows("Vamos!"), "the welcome")

    async def _come(self, button: str) -> Message:
        zone = await self._tap(await self._start(), button, shows("Acre"))
        await self._tap(zone, "Acre", says("E a que horas"))
        return await self._write("5", shows("Quero ver"))

    async def _order(self, offer: Message, *, coupon: bool) -> Message:
        plan = await self._tap(offer, "Quero ver", shows("Quero o plano"))
        bump = await self._tap(plan, "Quero o plano", shows("✅ Sim"))
        asked = await self._tap(bump, "✅ Sim", shows("Não tenho cupom"))
        if coupon:
            return await self._write("manha10", shows("Já paguei"))
        return await self._tap(asked, "Não tenho cupom", shows("Já paguei"))

    async def _pay_for(self, code: Message) -> None:
        txid = TXID.findall(code["text"])[0]
        self.watch.paid.append(txid)
        await self.shops.installation.api("POST", f"pix/{txid}/pay", {})
        if not await self.watch.wait(self.chat_id, code["message_id"], says(DELIVERED)):
            raise Lost("the delivery")

    async def _write(self, text: str, sign: Sign) -> Message:
        await self._think()
        return await self._do(lambda: self._say(text), sign, f"an answer to {text!r}")

    async def _hurry(self, sign: Sign, what: str) -> Message:
        """Let the lead's waits end, one after the other, until one of them says what fits."""
        if answer := await self.watch.hurry(self.chat_id, self._find_last(), sign):
            return answer
        raise Lost(what)

    async def _do(self, act: Callable[[], Awaitable[None]], sign: Sign, what: str) -> Message:
        """Act and wait for the answer; act again when none comes, unless the rows say that none will."""
        failed = self.watch.see(self.chat_id).failed
        for _ in range(MOST_TRIES):
            last = self._find_last()
            await act()
            if answer := await self.watch.wait(self.chat_id, last, sign):
                return answer
            self.repeats += 1
            if self.watch.see(self.chat_id).failed > failed:
                break
        raise Lost(what)

    async def _think(self) -> None:
        """Think a while; who begins anew knows the way."""
        await asyncio.sleep(self.dice.uniform(*self.manners.think_seconds) / 4 ** bool(self.lost))

    def _find_last(self) -> int:
        said = self.shops.said[self.chat_id]
        return int(said[-1]["message_id"]) if said else 0


def find_invoice(message: Message) -> str:
    """Give the button that pays in Stars, "" where there is none."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return next((button["text"] for row in rows for button in row if button.get("url", "").startswith(LINK)), "")


def is_charge_in_stars(message: Message) -> bool:
    """Recognize an invoice, or the word that there is none."""
    return bool(find_invoice(message)) or shows(ANEW)(message)


WAYS: dict[str, Callable[[Guest], Awaitable[None]]] = {
    "buys": Guest.buy,
    "thinks": Guest.think_it_over,
    "silent": Guest.be_silent,
    "expires": Guest.let_it_expire,
    "stars": Guest.pay_in_stars,
}
# What each is told, step after step; what waits for later when he is done is told behind it.
BOUGHT = ("plano", "audios", "cupom", "pagamento")
TOLD: dict[str, tuple[str, ...]] = {
    "buys": (
        *("boas-vindas", "onde-mora", "que-horas", "elogio", "oferta", *BOUGHT, "acesso"),
        *("email", "obrigada", "caderno", "pagamento", "acesso"),
    ),
    "thinks": ("boas-vindas", "nao-achei", "onde-mora", "que-horas", "elogio", "oferta", "volta"),
    "silent": (
        *("boas-vindas", "onde-mora", "lembrete", "onde-mora", "que-horas", "elogio", "oferta"),
        *(*BOUGHT, "acesso"),
    ),
    "expires": (
        *("boas-vindas", "onde-mora", "que-horas", "elogio", "oferta", *BOUGHT),
        *("so-os-audios", "pagamento", "acesso"),
    ),
    "stars": (
        *("boas-vindas", "nao-achei", "onde-mora", "que-horas", "elogio", "oferta", "volta"),
        *("plano-estrelas", "estrelas", "acesso"),
    ),
}


def invite(shops: Examples, watch: Watch, count: int, manners: Manners, dice: random.Random) -> list[Guest]:
    """Draw so many guests, each with a way and a chat of a bot."""
    guests = []
    for chat_id in range(FIRST_CHAT, FIRST_CHAT + count):
        own = random.Random(dice.random())
        (way,) = own.choices(list(manners.ways), list(manners.ways.values()))
        shop = shops.names[chat_id % len(shops.names)]
        guests.append(Guest(shops, shop, chat_id, manners, way, own, watch=watch))
    return guests


async def walk_all(guests: Sequence[Guest], seconds: float) -> None:
    """Let all of them walk at once, until each is at his end or lost; who still walks after so long is stuck."""
    walks = [asyncio.create_task(_walk(guest), name=str(guest.chat_id)) for guest in guests]
    _, late = await asyncio.wait(walks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*walks, return_exceptions=True)
    for guest, task in zip(guests, walks, strict=True):
        if task.cancelled():
            guest.stuck = f"still walking after {seconds:.0f} s: {guest.watch.describe(guest.chat_id)}"
        elif error := task.exception():
            raise error


async def _walk(guest: Guest) -> None:
    try:
        await guest.walk()
    except Lost as lost:
        guest.stuck = str(lost)
    guest.is_done = True
