"""The sandbox's server: `grimbots sandbox` runs `serve(settings)`. Loopback only, and only where GRIMBOTS_SANDBOX=1."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from grimbots.conf.settings import Settings, SettingsError, is_loopback
from grimbots.services.clients.http import HttpClient
from grimbots.services.sandbox import bots, events, face, group_face, pages, provider, updates
from grimbots.services.sandbox.botapi import BotApiHandler, obey
from grimbots.services.sandbox.couriers import Courier, Verdict
from grimbots.services.sandbox.requests import UnknownHandler
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row, Store

LONGEST_BODY_BYTES = 52_000_000  # 50 MB of a file, and the form around it
CHAT = r"/sandbox/api/bots/(\w{1,32})/chats/(\d{1,16})"
GROUP = r"/sandbox/api/groups/(-\d{1,16})"

ROUTES: list[tuple[str, type[RequestHandler]]] = [
    (r"/bot([^/]+)/(\w+)", BotApiHandler),
    (r"/pix/v1/charges", provider.ChargesHandler),
    (r"/pix/v1/charges/([^/]+)", provider.ChargeHandler),
    (r"/pix/v1/charges/([^/]+)/refunds/([^/]+)", provider.RefundHandler),
    (r"/sandbox/api/bots", face.BotsHandler),
    (r"/sandbox/api/bots/(\w{1,32})/messages", face.AllMessagesHandler),
    (r"/sandbox/api/bots/(\w{1,32})/revoke", face.RevokeHandler),
    (r"/sandbox/api/bots/(\w{1,32})/ban", face.BanHandler),
    (r"/sandbox/api/bots/(\w{1,32})/managed", face.ManagedBotsHandler),
    (rf"{CHAT}/messages", face.MessagesHandler),
    (rf"{CHAT}/taps", face.TapsHandler),
    (rf"{CHAT}/block", face.BlocksHandler),
    (rf"{CHAT}/checkouts", face.CheckoutsHandler),
    (rf"{CHAT}/changes", face.ChangesHandler),
    (r"/sandbox/api/groups", group_face.GroupsHandler),
    (rf"{GROUP}/bots", group_face.BotsHandler),
    (rf"{GROUP}/joins", group_face.JoinsHandler),
    (rf"{GROUP}/leaves", group_face.LeavesHandler),
    (rf"{GROUP}/migrate", group_face.MigrateHandler),
    (r"/sandbox/api/calls", face.CallsHandler),
    (r"/sandbox/api/posts", face.PostsHandler),
    (r"/sandbox/api/faults", face.FaultsHandler),
    (r"/sandbox/api/limits", face.LimitsHandler),
    (r"/sandbox/api/pix", face.PixHandler),
    (r"/sandbox/api/pix/(\w+)/pay", face.PayHandler),
    (r"/sandbox/api/pix/(\w+)/(disputes|refunds)", face.ReturnsHandler),
    (r"/sandbox/api/returns/(\w+)/(\w+)", face.ReturnHandler),
    (r"/sandbox/files/([\w-]+)", pages.FileHandler),
    (r"/sandbox/static/([\w.-]+)", pages.StaticHandler),
    (r"/sandbox/?", pages.PageHandler),
]


class Server:
    """A sandbox that can be started and stopped; once started, `url` is where it listens."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self.url = settings.sandbox_url
        store = Store(Path(settings.data_dir) / "sandbox.sqlite3")
        senders = {"update": self._send_update} | dict.fromkeys(events.KINDS.values(), self._send_event)
        courier = Courier(store, senders, self._count_queues, clock)
        self.sandbox = Sandbox(store, HttpClient(), courier, clock)
        self.application = Application(
            ROUTES, default_handler_class=UnknownHandler, sandbox=self.sandbox, log_function=_log_nothing
        )
        self._http = HTTPServer(self.application, max_body_size=LONGEST_BODY_BYTES, max_buffer_size=LONGEST_BODY_BYTES)

    async def start(self) -> None:
        """Listen, and carry on with what an earlier process left.

        Raises:
            OSError: the port is taken.
        """
        address = urlsplit(self._settings.sandbox_url)
        port = 80 if address.port is None else address.port
        sockets = bind_sockets(port, address.hostname)
        self.url = f"http://{address.hostname}:{sockets[0].getsockname()[1]}"
        self._http.add_sockets(sockets)
        await self.sandbox.http.open()
        self.sandbox.courier.start()

    async def stop(self) -> None:
        """Finish the requests in flight and close the file; what was not delivered stays stored."""
        self._http.stop()
        await self.sandbox.courier.stop()
        await self._http.close_all_connections()
        await self.sandbox.http.close()
        self.sandbox.store.close()

    async def _send_update(self, parcel: Row) -> Verdict | None:
        return await updates.send(self.sandbox, parcel, obey)

    async def _send_event(self, parcel: Row) -> Verdict:
        return await events.send(self.sandbox, parcel)

    def _count_queues(self, owner: str) -> int:
        """Tell how many queues of a bot may be loaded: twice its connections (WebhookActor.cpp); of a charge, any."""
        kind, _, number = owner.partition(":")
        bot = bots.find_by_id(self.sandbox, int(number)) if kind == "bot" else None
        return 2 * bot["max_connections"] if bot is not None else sys.maxsize


def build(settings: Settings, clock: Callable[[], float] = time.time) -> Server:
    """Make a sandbox that does not listen yet.

    Raises:
        SettingsError: GRIMBOTS_SANDBOX is not 1, or its address is not a loopback one.
    """
    if not settings.sandbox:
        raise SettingsError("The sandbox can pay charges by itself, so it opens only with GRIMBOTS_SANDBOX=1.")
    if not is_loopback(urlsplit(settings.sandbox_url).hostname or ""):
        raise SettingsError("GRIMBOTS_SANDBOX_URL must be a loopback address, like http://127.0.0.1:8081.")
    return Server(settings, clock)


async def serve(settings: Settings) -> None:
    """Run a sandbox until the task is cancelled.

    Raises:
        SettingsError: as `build`.
        OSError: the port is taken.
    """
    server = build(settings)
    try:
        await server.start()
        await asyncio.Event().wait()
    finally:
        await server.stop()


def _log_nothing(handler: RequestHandler) -> None:
    """Keep request lines out of the log: a Bot API path holds a token."""
