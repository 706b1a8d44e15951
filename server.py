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
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from grimbots.conf.loops import LoopWatch
from grimbots.conf.settings import Settings, SettingsError
from grimbots.handlers.base import NotFoundHandler, OpenRequests, count_request
from grimbots.handlers.commands import cli
from grimbots.handlers.commands.notices import READY, notify
from grimbots.handlers.doors import Site
from grimbots.handlers.roles import EVERYTHING, Role
from grimbots.handlers.routes import STATUS_ROUTES, Route, routes
from grimbots.queue.dispatcher import Queue
from grimbots.queue.worker import Worker
from grimbots.services import clicks, conversion_destinations, crons, duties, gateway_accounts, receptions, secrets
from grimbots.services.app import App
from grimbots.services.bots import BotCache
from grimbots.services.clients.http import HttpClient
from grimbots.services.clients.telegram import TelegramClient
from grimbots.services.examinations import Examiner
from grimbots.services.gateways.scan import offered_gateways
from grimbots.services.pools import PoolCache
from grimbots.services.spool import Spool
from grimbots.sql.database import Database

log = logging.getLogger("grimbots.server")  # also when it is run as a file

LARGEST_BODY_BYTES = 1024 * 1024  # of handlers that do not read their body as a stream
DRAIN_SECONDS = 25
CLOSING_SECONDS = 2.0  # of kept connections; where requests still come, their answers end them
LOOK_SECONDS = 0.01
JOIN_SECONDS = 5.0  # how long "ready" waits for the first claim: with Redis away the process serves all the same


@contextlib.asynccontextmanager
async def build_app(settings: Settings, *, with_queue: bool = True) -> AsyncIterator[App]:
    """Open every store and client, give the App, and close them in the opposite order.

    Raises:
        SettingsError: DATABASE_URL or REDIS_URL is not set, or a bank's or a described provider's file is wrong.
        MasterKeyError: the master key is lost or changed.
        DatabaseUnavailable, QueueUnavailable: a store cannot be reached.
    """
    _demand_stores(settings)
    offered_gateways(settings)  # their files are read here: a wrong one stops the start
    async with contextlib.AsyncExitStack() as stack:
        db = Database(settings.database_url, size=settings.database_pool)
        await db.open()
        stack.push_async_callback(db.close)
        vault = await secrets.open_vault(settings.master_key_path, db)
        http = HttpClient(proxy=settings.outbound_proxy)
        await http.open()
        stack.push_async_callback(http.close)
        queue = _make_queue(settings)
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


def _make_queue(settings: Settings) -> Queue:
    return Queue(
        settings.redis_url,
        consumer_host=socket.gethostname(),
        slot=settings.slot,
        queue_slots=settings.queue_slots,
        group_cap=settings.queue_group_cap,
        replicas=settings.redis_wait_replicas,
        account_share=settings.queue_account_percent / 100,
    )


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


def build_web(app: App, role: Role = EVERYTHING) -> Application:
    """Return the Tornado application over an App; its settings carry what is the process's own."""
    own = {"draining": asyncio.Event(), "open_requests": OpenRequests(), "examiner": Examiner()}
    shared = {"app": app, "role": role, **own}
    return _build_site(Site, routes(app.settings), shared)


def build_status(web: Application) -> Application:
    """Return the application of the process's own status port: the same process seen by operators only."""
    shared = {name: web.settings[name] for name in ("app", "role", "draining", "open_requests", "examiner")}
    return _build_site(Application, STATUS_ROUTES, shared)


def _build_site(kind: type[Application], site: Sequence[Route], shared: dict[str, Any]) -> Application:
    return kind(
        list(site),
        default_handler_class=NotFoundHandler,
        log_function=_count_request,
        compress_response=False,
        **shared,
    )


def _count_request(handler: RequestHandler) -> None:
    count_request(type(handler).__name__, handler.get_status(), handler.request.request_time())


async def serve(settings: Settings, role: Role = EVERYTHING, sockets: Sequence[socket.socket] = ()) -> int:
    """Serve HTTP on listening sockets and run jobs until SIGTERM or SIGINT, then drain: nothing is lost or repeated.

    Returns the exit code: not 0 when a part of this process ended by itself.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with LoopWatch() as lag:
        async with build_app(settings) as app:
            return await _serve_app(replace(app, lag=lag), role, sockets, stop)


async def _serve_app(app: App, role: Role, sockets: Sequence[socket.socket], stop: asyncio.Event) -> int:
    await app.event_spool.open()
    await app.click_spool.open()
    await app.pools.load(app)
    await crons.enter(app)
    web, worker = build_web(app, role), Worker(app.queue, app) if role.work else None
    server, status = _listen(web, app.settings, sockets)
    background = [asyncio.create_task(coroutine) for coroutine in _background(app)]
    working = [worker.start()] if worker else []
    if worker:
        await _wait_claimed(worker)
    background.append(asyncio.create_task(duties.report(app)))
    notify(READY)
    log.info("serving %s", _describe(app.settings, role))
    gc.freeze()  # what is here now stays: a collection that walks it all holds everybody up for 30 ms
    broken = await _wait_for_stop(stop, [*working, *background])
    await _drain(web, server, worker)
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    status.stop()
    return os.EX_SOFTWARE if broken else 0


def _listen(web: Application, settings: Settings, sockets: Sequence[socket.socket]) -> tuple[HTTPServer, HTTPServer]:
    """Give the public server and the one of the status port, both listening where they are wanted."""
    server = make_server(web)
    for listening in sockets:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # those it accepts inherit it (socket(7))
    server.add_sockets(sockets)
    status = HTTPServer(build_status(web))
    if settings.status_port:
        # Shared with a predecessor that still drains, whose parent was killed.
        status.add_sockets(bind_sockets(settings.status_port + settings.slot, settings.host, reuse_port=True))
    return server, status


def make_server(web: Application) -> HTTPServer:
    """Give the public server.

    It starts no timer for each request's first byte, which would be a twelfth of what taking in an update costs: the
    proxy in front closes idle connections, and the kernel those whose other end is gone (SO_KEEPALIVE, `_listen`).
    """
    server = HTTPServer(web, max_body_size=LARGEST_BODY_BYTES)
    server.conn_params.header_timeout = None
    return server


async def _wait_claimed(worker: Worker) -> None:
    """Wait for the first claim, for a while: whoever replaces processes one by one goes on to the next at "ready"."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(JOIN_SECONDS):
            await worker.wait_claimed()


def _describe(settings: Settings, role: Role) -> str:
    where = f"http://{settings.host}:{settings.port}" if role.http else "no HTTP"
    return f"{where}, jobs of {', '.join(settings.queue_slots)}" if role.work else f"{where}, no jobs"


def _background(app: App) -> list[Coroutine[Any, Any, None]]:
    return [
        app.bots.watch(app),
        app.pools.watch(app),
        gateway_accounts.watch(app),
        conversion_destinations.watch(app),
        *duties.all_duties(app),
    ]


async def _wait_for_stop(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> bool:
    """Wait for the signal: False. True: a duty ended by itself, a bug worth dying of: a supervisor starts another."""
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in done - {stopping}:
        log.error("a duty ended by itself: stopping this process", exc_info=task.exception())
    return not stop.is_set()


async def _drain(web: Application, server: HTTPServer, worker: Worker | None) -> None:
    """Say "not ready", take no more connections, finish what runs, then close."""
    log.info("stopping: finishing what runs (%s s at most)", DRAIN_SECONDS)
    web.settings["draining"].set()
    server.stop()
    finishing = [web.settings["open_requests"].wait_none(DRAIN_SECONDS)]
    await asyncio.gather(*finishing, *([worker.drain(DRAIN_SECONDS)] if worker else []))
    await _close(server, web.settings["open_requests"])


async def _close(server: HTTPServer, open_requests: OpenRequests) -> None:
    """End the kept connections, each when nothing has come on it: a request that crosses our end is still answered.

    A proxy sends only what is harmless once more; a form it would answer with 502.
    """
    ends_at = time.monotonic() + CLOSING_SECONDS
    while server._connections and time.monotonic() < ends_at:
        await open_requests.wait_none(CLOSING_SECONDS)
        for stream in [connection.stream for connection in server._connections]:
            if not open_requests and not stream.closed() and not _has_arrived(stream.socket):
                stream.close()
        await asyncio.sleep(LOOK_SECONDS)
    await server.close_all_connections()


def _has_arrived(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:  # nothing has, or nothing more will
        return False


def main() -> None:
    """Run the `grimbots` command."""
    sys.exit(cli.main(sys.argv[1:], cli.Server(build_app=build_app, serve=serve)))


if __name__ == "__main__":
    main()
