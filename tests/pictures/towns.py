"""A town of shops at work: accounts, bots, people who press /start and buttons, a Bot API as slow as Telegram's."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from grimbots.conf.settings import load
from grimbots.queue.job import Job
from grimbots.server import build_app
from grimbots.services import accounts, bots, crons, gateway_accounts
from grimbots.services.app import App
from grimbots.services.funnels import versions
from grimbots.tests.bench.loads import Client
from grimbots.tests.bench.shops import FUNNEL, Webhook
from grimbots.tests.services.people import PASSWORD

SHOPS = {
    "doces-da-ana": ("confeitaria_da_ana_bot", "bolos_no_pote_bot", "brigadeiro_gourmet_bot"),
    "fit-em-casa": ("treino_em_casa_bot", "desafio_21_dias_bot", "receitas_fit_bot"),
    "ingles-ja": ("ingles_em_30_dias_bot", "conversacao_ja_bot"),
    "astral": ("mapa_do_mes_bot", "taro_diario_bot"),
    "violao-facil": ("primeiros_acordes_bot", "repertorio_facil_bot"),
    "planilhas-pro": ("planilhas_pro_bot",),
}
EMAIL = "ana@example.com"
TAPS = 0.35  # of the people who are shown a button press it
REASONS = ("attempts", "attempts", "attempts", "budget", "buried", "junk", "junk", "poison", "chat_full")


@dataclass
class Town:
    """The shops' webhooks by bot, and the people on their way."""

    webhooks: dict[int, Webhook] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    chats: itertools.count[int] = field(default_factory=lambda: itertools.count(5_000_000_000))
    people: set[asyncio.Task[Any]] = field(default_factory=set)
    client: Client | None = None

    async def found(self, environ: Mapping[str, str]) -> None:
        """Make accounts, funnels, providers, bots, and somebody who is owner and administrator."""
        places = itertools.count(900_000)
        async with build_app(load(dict(environ)), with_queue=False) as app:
            for account, usernames in SHOPS.items():
                row = await accounts.add_account(app, account, actor="command")
                keys = {"api_key": secrets.token_urlsafe(16), "webhook_secret": secrets.token_urlsafe(32)}
                await gateway_accounts.add_gateway_account(app, row.id, "sandbox", keys, actor="command")
                await versions.publish(app, row.id, FUNNEL, {}, actor="command")
                for username in usernames:
                    await self._add_bot(app, account, next(places), username)
            person = {"email": EMAIL, "password": PASSWORD, "account": "doces-da-ana", "role": "owner"}
            await accounts.add_user(app, **person, administrator=True, actor="command")

    async def _add_bot(self, app: App, account: str, number: int, username: str) -> None:
        self.names[number] = username
        bot = await bots.add(app, account=account, token=f"{number}:{'A' * 35}", funnel=FUNNEL["name"], actor="command")
        secret = app.vault.webhook_secret(bot.key, bot.secret_generation)
        self.webhooks[number] = Webhook(f"/webhook/telegram/{bot.key}", secret)

    async def work(self, seconds: float) -> None:
        """Let people come, in waves, until the time is over."""
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            wave = 5 + 3 * math.sin(passed / 19) + (14 if passed % 67 < 6 else 0)
            self._spawn(self._start())
            await asyncio.sleep(random.expovariate(max(2.0, wave)))

    async def _start(self) -> None:
        number = random.choices(list(self.webhooks), weights=range(len(self.webhooks) + 3, 3, -1))[0]
        chat_id = next(self.chats)
        entities = [{"offset": 0, "length": 6, "type": "bot_command"}]
        message = {"message_id": 1, "from": _person(chat_id), "chat": _chat(chat_id), "date": int(time.time())}
        await self._post(number, {"message": {**message, "text": "/start", "entities": entities}})

    def notice(self, number: int, body: Mapping[str, Any]) -> None:
        """Somebody was shown a message: some press its first button after a while."""
        keyboard = (body.get("reply_markup") or {}).get("inline_keyboard") or [[{}]]
        data = keyboard[0][0].get("callback_data")
        if data and random.random() < TAPS:
            self._spawn(self._tap(number, int(body["chat_id"]), data))

    async def _tap(self, number: int, chat_id: int, data: str) -> None:
        await asyncio.sleep(random.uniform(1, 12))
        message = {"message_id": 2, "chat": _chat(chat_id), "date": int(time.time())}
        callback = {"id": str(chat_id), "from": _person(chat_id), "message": message, "data": data}
        await self._post(number, {"callback_query": callback})

    async def _post(self, number: int, content: Mapping[str, Any]) -> None:
        if self.client is not None:
            await self.client.send(self.webhooks[number].post(content))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.people.add(task)
        task.add_done_callback(self.people.discard)

    async def leave(self) -> None:
        """Send everybody home."""
        for task in self.people:
            task.cancel()
        await asyncio.gather(*self.people, return_exceptions=True)


class BotApi(RequestHandler):
    """Telegram, as far as the shops see it: answers after 80 to 900 ms, now and then after some seconds."""

    async def post(self, number: str, method: str) -> None:
        """Answer a call."""
        town: Town = self.application.settings["town"]
        if method == "getMe":
            name = town.names[int(number)]
            self.finish(
                {"ok": True, "result": {"id": int(number), "is_bot": True, "first_name": name, "username": name}}
            )
            return
        await asyncio.sleep(random.choice((0.08, 0.2, 0.35, 0.9)) if random.random() < 0.97 else random.uniform(2, 6))
        result: Any = True
        if method.startswith("send"):
            body = self._read_body()
            town.notice(int(number), body)
            chat = {"id": int(body["chat_id"]), "type": "private"}
            result = {"message_id": random.randrange(1, 10**6), "date": int(time.time()), "chat": chat}
        self.finish({"ok": True, "result": result})

    get = post

    def _read_body(self) -> Mapping[str, Any]:
        """Read what is sent: a picture comes as a form, everything else as JSON."""
        if self.request.files:
            return {
                "chat_id": self.get_body_argument("chat_id"),
                "reply_markup": json.loads(self.get_body_argument("reply_markup", "null")),
            }
        return dict(json.loads(self.request.body))


def open_telegram(town: Town, port: int) -> HTTPServer:
    """Open the town's Bot API."""
    server = HTTPServer(Application([(r"/bot(\d+):[^/]+/(\w+)", BotApi)], town=town))
    server.listen(port, "127.0.0.1")
    return server


async def leave_traces(environ: Mapping[str, str]) -> None:
    """Bury what a year leaves behind, keep some jobs for later, and let one task fail as tasks do."""
    async with build_app(load(dict(environ)), with_queue=True) as app:
        for place, reason in enumerate(REASONS * 4):
            text = {"message": {"text": "Oi, quero saber do curso", "chat": {"id": 5_000_000_100 + place}}}
            chat, bot = str(5_000_000_100 + place), place % 9 + 1
            task = "updates.handle" if reason in {"junk", "chat_full", "poison"} else "messages.send"
            payload = {"update": text} if task == "updates.handle" else {"message_id": 4_000 + place}
            queue = "tasks"
            job = Job(f"u:{bot}:{700_000_900 + place}", task, queue, f"b{bot}", str(bot // 3 + 1), chat, payload)
            await app.queue.bury(job, reason)
        for place in range(2):
            job = crons.run.job(id=f"cron:{place}", source="crons", account="", name=f"relatorio-{place}", due_at=0.0)
            await app.queue.enqueue(replace(job, attempts_limit=1))
        for place in range(40):
            job = crons.run.job(id=f"later:{place}", source="crons", account="", name="relatorio", due_at=0.0)
            await app.queue.enqueue(job, hold_ms=round(random.uniform(20, 59) * 60_000))


def _person(chat_id: int) -> dict[str, Any]:
    return {"id": chat_id, "is_bot": False, "first_name": "Ana Paula", "language_code": "pt-br"}


def _chat(chat_id: int) -> dict[str, Any]:
    return {"id": chat_id, "first_name": "Ana Paula", "type": "private"}
