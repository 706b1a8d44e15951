"""Start GrimBots: settings -> build_app() -> workers -> listen -> drain on SIGTERM. The only place that builds things.

Run as `grimbots serve`, `python -m grimbots.server serve` or `python server.py serve`.
"""

from __future__ import annotations

if __name__ == "__main__" and not __package__:
    # Started as a file: make the checkout importable as `grimbots`, and take its root off sys.path, so that its queue/
    # folder never stands before the standard library's queue.
    import pathlib
    import sys
    import types

    here = pathlib.Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if pathlib.Path(entry or ".").resolve() != here]
    sys.modules["grimbots"] = package = types.ModuleType("grimbots")
    package.__path__ = [str(here)]
    __package__ = "grimbots"

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from grimbots.conf import metrics
from grimbots.conf.settings import Settings, SettingsError
from grimbots.handlers.base import NotFoundHandler, OpenRequests
from grimbots.handlers.commands import cli
from grimbots.handlers.routes import routes
from grimbots.queue.dispatcher import Queue
from grimbots.queue.worker import Worker
from grimbots.services import clicks, crons, duties, gateway_accounts, receptions, secrets
from grimbots.services.app import App
from grimbots.services.bots import BotCache
from grimbots.services.clients.http import HttpClient
from grimbots.services.clients.telegram import TelegramClient
from grimbots.services.pools import PoolCache
from grimbots.services.spool import Spool
from grimbots.sql.database import Database

log = logging.getLogger("grimbots.server")  # also when it is run as a file

LARGEST_BODY_BYTES = 1024 * 1024  # of handlers that do not read their body as a stream
DRAIN_SECONDS = 25


@contextlib.asynccontextmanager
async def build_app(settings: Settings, *, with_queue: bool = True) -> AsyncIterator[App]:
    """Open every store and client, give the App, and close them in the opposite order.

    Raises:
        SettingsError: DATABASE_URL or REDIS_URL is not set.
        MasterKeyError: the master key is lost or changed.
        DatabaseUnavailable, QueueUnavailable: a store cannot be reached.
    """
    _demand_stores(settings)
    async with contextlib.AsyncExitStack() as stack:
        db = Database(settings.database_url, size=settings.database_pool)
        await db.open()
        stack.push_async_callback(db.close)
        vault = await secrets.open_vault(settings.master_key_path, db)
        http = HttpClient(proxy=settings.outbound_proxy)
        await http.open()
        stack.push_async_callback(http.close)
        queue = Queue(
            settings.redis_url,
            consumer_host=socket.gethostname(),
            slot=settings.slot,
            queue_slots=settings.queue_slots,
            group_cap=settings.queue_group_cap,
            account_share=settings.queue_account_percent / 100,
        )
        if with_queue:
            await queue.start()
            stack.push_async_callback(queue.stop)
        yield App(
            settings=settings,
            db=db,
            queue=queue,
            http=http,
            telegram=TelegramClient(http, settings.telegram_url),
            vault=vault,
            bots=BotCache(settings.bot_cache_seconds),
            pools=PoolCache(),
            click_spool=_make_spool(stack, settings, "clicks", clicks.SPOOL_BYTES),
            event_spool=_make_spool(stack, settings, "events", receptions.SPOOL_BYTES),
            clock=now,
        )


def now() -> datetime:
    """The application's clock outside of tests."""
    return datetime.now(UTC)


def _make_spool(stack: contextlib.AsyncExitStack, settings: Settings, name: str, limit_bytes: int) -> Spool:
    """Make a spool that is closed with the App; who serves opens it."""
    spool = Spool(Path(settings.data_dir) / "spool", name, limit_bytes)
    stack.push_async_callback(spool.close)
    return spool


def _demand_stores(settings: Settings) -> None:
    missing = [
        name
        for name, value in (("DATABASE_URL", settings.database_url), ("REDIS_URL", settings.redis_url))
        if not value
    ]
    if missing:
        raise SettingsError(
            f"{' and '.join(missing)} must be set (see conf/example.env); to try GrimBots without stores: grimbots dev"
        )


def build_web(app: App) -> Application:
    """Return the Tornado application over an App; its settings carry `draining`, an Event, and `open_requests`."""
    return Application(
        routes(app.settings),
        app=app,
        draining=asyncio.Event(),
        open_requests=OpenRequests(),
        default_handler_class=NotFoundHandler,
        log_function=_count_request,
        compress_response=False,
    )


def _count_request(handler: RequestHandler) -> None:
    name = type(handler).__name__
    metrics.http_requests.labels(name, f"{handler.get_status() // 100}xx").inc()
    metrics.http_request_seconds.labels(name).observe(handler.request.request_time())


async def serve(settings: Settings) -> None:
    """Serve HTTP and run jobs until SIGTERM or SIGINT, then drain: nothing is lost, repeated or spent."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with build_app(settings) as app:
        await app.event_spool.open()
        await app.click_spool.open()
        await app.pools.load(app)
        await crons.enter(app)
        web, worker = build_web(app), Worker(app.queue, app)
        server = HTTPServer(web, max_body_size=LARGEST_BODY_BYTES)
        server.add_sockets(bind_sockets(settings.port, settings.host, reuse_port=settings.reuse_port))
        background = [asyncio.create_task(coroutine) for coroutine in _background(app)]
        working = worker.start()
        log.info("serving on http://%s:%s", settings.host, settings.port)
        gc.freeze()  # what is here now stays: a collection that walks it all holds everybody up for 30 ms
        await _wait_for_stop(stop, [working, *background])
        await _drain(web, server, worker)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)


def _background(app: App) -> list[Coroutine[Any, Any, None]]:
    return [app.bots.watch(app), app.pools.watch(app), gateway_accounts.watch(app), *duties.all_duties(app)]


async def _wait_for_stop(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the signal; a duty that ends by itself is a bug worth dying of: a supervisor starts a whole process."""
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in done - {stopping}:
        log.error("a duty ended by itself: stopping this process", exc_info=task.exception())


async def _drain(web: Application, server: HTTPServer, worker: Worker) -> None:
    """Say "not ready", take no more connections, finish what runs, then close."""
    log.info("stopping: finishing what runs (%s s at most)", DRAIN_SECONDS)
    web.settings["draining"].set()
    server.stop()
    await worker.drain(DRAIN_SECONDS)
    await web.settings["open_requests"].wait_none(DRAIN_SECONDS)
    await server.close_all_connections()


def main() -> None:
    """Run the `grimbots` command."""
    sys.exit(cli.main(sys.argv[1:], cli.Server(build_app=build_app, serve=serve)))


if __name__ == "__main__":
    main()
