"""What the sandbox's tests drive it with: a client of its three faces, and a bot's webhook on a real port."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from grimbots.services.sandbox.server import Server

DEADLINE_SECONDS = 30.0
CHAT = 4242


@dataclass(frozen=True)
class Reply:
    """An answer: status, headers, and the body as JSON where it is JSON."""

    status: int
    headers: HTTPHeaders
    body: bytes

    @property
    def json(self) -> Any:
        """Give the body's value."""
        return json.loads(self.body)


async def ask(url: str, method: str = "GET", body: Any = None, **headers: str) -> Reply:
    """Send one request, JSON unless `body` is bytes."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    request = HTTPRequest(url, method, sent, data, allow_nonstandard_methods=True, follow_redirects=False)
    response = await AsyncHTTPClient().fetch(request, raise_error=False)
    return Reply(response.code, response.headers, response.body)


@dataclass
class Driver:
    """One bot of a running sandbox, the person who talks to it, and the sandbox's own face."""

    server: Server
    token: str = ""
    username: str = "loja_bot"

    async def make_bot(self, username: str) -> str:
        """Make a bot and give its token."""
        reply = await self.face("bots", "POST", {"username": username, "name": "Loja"})
        return str(reply.json["token"])

    async def face(self, path: str, method: str = "GET", body: Any = None) -> Reply:
        """Ask the JSON face."""
        return await ask(f"{self.server.url}/sandbox/api/{path}", method, body)

    async def chat(self, path: str, body: Any = None, chat: int = CHAT) -> Reply:
        """Do something as the person of a chat: GET without a body, else POST."""
        return await self.face(f"bots/{self.username}/chats/{chat}/{path}", "GET" if body is None else "POST", body)

    async def say(self, text: str = "/start", chat: int = CHAT) -> dict[str, Any]:
        """Write to the bot and give the message."""
        reply = await self.chat("messages", {"text": text}, chat)
        assert reply.status == 200, reply.body
        return dict(reply.json)

    async def call(self, name: str, **params: Any) -> Reply:
        """Call a Bot API method as the bot."""
        return await ask(f"{self.server.url}/bot{self.token}/{name}", "POST", params)

    async def send(self, text: str = "Oi", **params: Any) -> dict[str, Any]:
        """Send a message as the bot and give it."""
        reply = await self.call("sendMessage", chat_id=CHAT, text=text, **params)
        assert reply.status == 200, reply.body
        return dict(reply.json["result"])

    async def put_charge(self, txid: str, url: str, api_key: str = "key", **changes: Any) -> Reply:
        """Make a charge whose webhooks go to `url`."""
        body = {
            "amount_cents": 990,
            "description": "Curso",
            "expires_in_seconds": 600,
            "notification_url": url,
            "webhook_secret": "segredo",
        }
        return await self.provider(txid, "PUT", body | changes, api_key)

    async def provider(self, path: str, method: str = "GET", body: Any = None, api_key: str = "key") -> Reply:
        """Ask the payment provider."""
        return await ask(f"{self.server.url}/pix/v1/charges/{path}", method, body, Authorization=f"Bearer {api_key}")


@dataclass(frozen=True)
class Delivery:
    """One POST that arrived."""

    headers: HTTPHeaders
    body: bytes

    @property
    def update(self) -> dict[str, Any]:
        """Give the body's object."""
        return dict(json.loads(self.body))


@dataclass
class Webhook:
    """A receiver on a real port. It answers 200, or what `answers` holds; while `gate` is closed the caller waits."""

    url: str = ""
    deliveries: list[Delivery] = field(default_factory=list)
    answers: deque[tuple[int, dict[str, str], bytes]] = field(default_factory=deque)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    connections: set[tuple[str, int]] = field(default_factory=set)

    async def start(self) -> None:
        """Listen on a free port."""
        self.gate.set()
        self._arrived = asyncio.Condition()
        sockets = bind_sockets(0, "127.0.0.1")
        self._server = HTTPServer(
            Application([(r"/.*", _Handler, {"webhook": self})], log_function=lambda handler: None)
        )
        self._server.add_sockets(sockets)
        self.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/hook"

    async def stop(self) -> None:
        """Stop listening, letting go of whoever waits."""
        self.gate.set()
        self._server.stop()
        await self._server.close_all_connections()

    async def take(self, delivery: Delivery) -> None:
        """Keep a delivery."""
        async with self._arrived:
            self.deliveries.append(delivery)
            self._arrived.notify_all()

    async def wait(self, count: int) -> list[Delivery]:
        """Wait until `count` deliveries have arrived, within the deadline."""
        async with self._arrived:
            await asyncio.wait_for(self._arrived.wait_for(lambda: len(self.deliveries) >= count), DEADLINE_SECONDS)
        return self.deliveries

    @property
    def updates(self) -> list[dict[str, Any]]:
        """Give what arrived."""
        return [delivery.update for delivery in self.deliveries]


class _Handler(RequestHandler):
    def initialize(self, webhook: Webhook) -> None:
        self.webhook = webhook

    async def post(self) -> None:
        self.webhook.connections.add(self.request.connection.context.address)  # type: ignore[attr-defined]
        await self.webhook.take(Delivery(self.request.headers, self.request.body))
        await self.webhook.gate.wait()
        status, headers, body = self.webhook.answers.popleft() if self.webhook.answers else (200, {}, b"")
        self.set_status(status)
        for name, value in headers.items():
            self.set_header(name, value)
        self.finish(body)


async def has_message(sandbox: Driver, text: str) -> bool:
    """Tell whether the chat's newest message reads so."""
    return bool((await sandbox.chat("messages")).json[-1].get("text") == text)


async def has_caption(sandbox: Driver, text: str, message_id: int | None = None) -> bool:
    """Tell whether the newest message, or that one, has this caption."""
    messages = (await sandbox.chat("messages")).json
    wanted = [message for message in messages if message_id in (None, message["message_id"])]
    return bool(wanted[-1].get("caption") == text)


async def wait_until(check: Callable[[], Any]) -> Any:
    """Await `check()` again and again until it gives something, within the deadline."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_SECONDS
    while not (found := await check()):
        assert asyncio.get_running_loop().time() < deadline, "it did not come to pass in time"
        await asyncio.sleep(0.02)
    return found


async def succeed_once(sandbox: Driver, webhook: Webhook) -> None:
    """Deliver a first update: until one is taken a webhook has one connection."""
    await sandbox.say()
    await webhook.wait(1)
    await wait_until(lambda: has_pending(sandbox, 0))


async def has_pending(sandbox: Driver, count: int) -> bool:
    """Tell whether this many updates wait."""
    info = (await sandbox.call("getWebhookInfo")).json["result"]
    return bool(info["pending_update_count"] == count)


async def has_failed(sandbox: Driver) -> bool:
    """Tell whether a delivery has gone wrong."""
    return "last_error_date" in (await sandbox.call("getWebhookInfo")).json["result"]


async def read_answers(sandbox: Driver) -> Any:
    """Give the answers to the person's taps."""
    return (await sandbox.chat("changes?since=0")).json["answers"]
