"""People of the storm: they come by an ad, and tell their CPF, e-mail and telephone before they get the code."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from grimbots.conf.settings import load
from grimbots.server import build_app
from grimbots.services import pools
from grimbots.services.funnels.answers import read_cpf
from grimbots.tests.e2e.buyers import BUMP, Buyer, Lost, Message, Shops, Sign, is_charge
from grimbots.tests.e2e.installation import ACCOUNT, HOST

SLUG = "storm"
BROWSER = {
    "User-Agent": "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/131.0 Mobile Safari/537.36"
}
MOST_VISITS, VISIT_SECONDS = 20, 5.0  # while a process is killed the link is asked for again, as people do
# kind, what the bot asks, and how it asks again (services/funnels/steps/question.py)
QUESTIONS = (
    ("cpf", "Qual é o seu CPF?", "Esse CPF não confere"),
    ("email", "Qual é o seu e-mail?", "Esse e-mail parece incompleto"),
    ("phone", "Qual é o seu telefone?", "Escreva o telefone com DDD"),
)


@dataclass(frozen=True)
class Identity:
    """What somebody tells of himself, as he types it."""

    cpf: str
    email: str
    phone: str


class Town(Shops):
    """The shops, a link to them, and everybody who was ever there."""

    def __init__(self, installation: Any, bots: int) -> None:
        super().__init__(installation, bots)
        self.met: list[Identity] = []

    async def open(self) -> None:
        """Open the shops, and a link that sends people to all of them in turn."""
        await super().open()
        async with build_app(load(self.installation.environ), with_queue=False) as app:
            await pools.save(app, account=ACCOUNT, slug=SLUG, usernames=self.names, actor="test")

    def write_funnel(self) -> dict[str, Any]:
        """Give the demo funnel with questions before its charge."""
        definition = super().write_funnel()
        steps = {step["id"]: step for step in definition["steps"]}
        following = [*(kind for kind, *_ in QUESTIONS[1:]), steps["bonus"]["next"]]
        steps["bonus"]["next"] = QUESTIONS[0][0]
        for (kind, text, _), after in zip(QUESTIONS, following, strict=True):
            question = {"id": kind, "kind": "question", "text": text, "variable": kind, "answer": kind, "next": after}
            definition["steps"].append(question)
        return definition


@dataclass
class Person(Buyer):
    """A buyer with an identity of his own; every second one comes by the link."""

    identity: Identity = field(init=False)

    def __post_init__(self) -> None:
        self.identity = draw_identity(self.dice, self.chat_id)
        self.shops.met.append(self.identity)

    async def _come(self) -> str:
        if self.chat_id % 2:
            return await super()._come()
        told = parse_qs(urlsplit(await self._click()).query)
        self.shop = told["bot"][0]
        return f"/start {told['start'][0]}"

    async def _click(self) -> str:
        """Follow the link, again where a process was killed before it answered; give where it leads."""
        address = f"http://{HOST}:{self.shops.installation.port}/go/{SLUG}"
        query = {"utm_source": f"x{self.chat_id}", "fbclid": f"y{self.chat_id}"}
        timeout = aiohttp.ClientTimeout(total=VISIT_SECONDS)
        async with aiohttp.ClientSession(headers=BROWSER, timeout=timeout) as session:
            for _ in range(MOST_VISITS):
                try:
                    async with session.get(address, params=query, allow_redirects=False) as answer:
                        if answer.status == 302:
                            return answer.headers["Location"]
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(1)
        raise Lost("the link")

    async def _order(self, bump: Message) -> Message:
        message = await self._tap(bump, self.dice.choice((BUMP, "Não, só o guia")), asks(*QUESTIONS[0][1:]))
        signs = [*(asks(*texts) for _, *texts in QUESTIONS[1:]), is_charge]
        for (kind, *_), sign in zip(QUESTIONS, signs, strict=True):
            message = await self._answer(getattr(self.identity, kind), sign, kind)
        return message

    async def _answer(self, text: str, sign: Sign, kind: str) -> Message:
        await self._think()
        return await self._do(lambda: self._say(text), sign, f"an answer to his {kind}")


def asks(*texts: str) -> Sign:
    """Recognize a question, asked for the first time or again."""
    return lambda message: str(message.get("text", "")).startswith(texts)


def draw_identity(dice: random.Random, number: int) -> Identity:
    """Draw a CPF whose digits are right, an address nobody else has, and a mobile number."""
    nine = f"{dice.randrange(1, 10**9 - 1):09}"
    cpf = next(filter(None, (read_cpf(f"{nine}{check:02}", "pt-BR") for check in range(100))))
    tail = f"9{dice.randrange(10**8):08}"
    area = dice.choice((11, 21, 31, 48, 85))
    phone = dice.choice((f"({area}) {tail[:5]}-{tail[5:]}", f"{area}{tail}", f"+55 {area} {tail[:5]}-{tail[5:]}"))
    return Identity(
        dice.choice((cpf, "".join(filter(str.isdigit, cpf)))), f"pessoa.{number}x{nine}@correio.example.com.br", phone
    )
