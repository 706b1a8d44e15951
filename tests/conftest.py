"""Fixtures of every room: the session's private Postgres and Redis, an App on them, and the guards of every test."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis
import psycopg2
import pytest
import redis.asyncio
import tornado.ioloop
from argon2 import PasswordHasher

from grimbots.conf.settings import Settings, is_loopback, load
from grimbots.handlers.commands.embedded.children import stop
from grimbots.handlers.commands.embedded.postgres import start_postgres
from grimbots.handlers.commands.embedded.redis import start_redis
from grimbots.tests.turns import Turns

# How long an example takes says nothing on a machine that does other things too.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

FIRST_INSTANT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
# Each table's ids begin elsewhere, so that a bot's id taken for an account's finds nothing.
IDS_APART = 1_000_000


class NetworkRefused(Exception):
    """A test tried to reach a real machine."""


def pytest_configure(config: pytest.Config) -> None:
    """Refuse every connection that leaves this machine, for as long as the tests run; side by side, take turns."""
    sys.addaudithook(_refuse_network)
    if "PYTEST_XDIST_WORKER" in os.environ:
        config.pluginmanager.register(Turns())


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect" or not isinstance(arguments[1], tuple):
        return
    host = str(arguments[1][0])
    if not is_loopback(host):
        raise NetworkRefused(f"tests reach this machine only, not {host}")


class ErrorLines(logging.Handler):
    """Collects ERROR lines. A test that announced them (`expect_errors`) reads them here."""

    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self.lines: list[str] = []
        self.announced = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line as it would be shown."""
        self.lines.append(self.format(record))


@pytest.fixture(autouse=True)
def error_lines() -> Iterator[ErrorLines]:
    """Fail a test that logged an ERROR it had not announced."""
    handler = ErrorLines()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
    if handler.lines and not handler.announced:
        pytest.fail("ERROR lines nobody announced (fixture expect_errors):\n" + "\n".join(handler.lines))


@pytest.fixture
def expect_errors(error_lines: ErrorLines) -> list[str]:
    """Announce ERROR lines; gives the list they are collected in, and a test that announces should look into it."""
    error_lines.announced = True
    return error_lines.lines


@pytest.fixture
def io_loop() -> Iterator[tornado.ioloop.IOLoop]:
    """Give each test a loop of its own, with nothing left running behind it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    io = tornado.ioloop.IOLoop(asyncio_loop=loop, make_current=False)
    yield io
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    asyncio.set_event_loop(None)
    io.close(all_fds=True)


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """Give the folder of the session's private servers, open to users other than root (pytest's own is not)."""
    with tempfile.TemporaryDirectory(prefix="grimbots-tests-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def postgres_url(servers_folder: Path) -> Iterator[str]:
    """Start the session's Postgres and give the address of an empty database nobody should fill."""
    url, child = asyncio.run(
        start_postgres(servers_folder / "postgres", servers_folder / "postgres.log", durable=False)
    )
    yield url
    asyncio.run(stop(child))


@pytest.fixture(scope="session")
def redis_url(servers_folder: Path) -> Iterator[str]:
    """Start the session's Redis and give its address."""
    url, child = asyncio.run(start_redis(servers_folder / "redis", servers_folder / "redis.log", durable=False))
    yield url
    asyncio.run(stop(child))


@contextmanager
def open_session(url: str) -> Iterator[Callable[[str], list[Any]]]:
    """Give a function that runs one statement outside any transaction and gives the first column of its answer."""
    connection = psycopg2.connect(url, options="-c lock_timeout=5s")
    connection.autocommit = True

    def run(statement: str) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return [row[0] for row in cursor.fetchall()] if cursor.description else []

    try:
        yield run
    finally:
        connection.close()


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """Give the address of a database without any table, for tests of the migrations themselves."""
    with open_session(postgres_url) as run:
        run("CREATE DATABASE empty")
        yield postgres_url.replace("/postgres?", "/empty?")
        run("DROP DATABASE empty WITH (FORCE)")


@pytest.fixture(scope="session")
def migrated_url(postgres_url: str) -> str:
    """Migrate the tests' database once."""
    from grimbots.sql.migrate import migrate

    with open_session(postgres_url) as run:
        run("CREATE DATABASE tests")
    url = postgres_url.replace("/postgres?", "/tests?")
    asyncio.run(migrate(url))
    with open_session(url) as run:
        sequences = run("SELECT format('%I', sequencename) FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1")
        for place, sequence in enumerate(sequences, 1):
            run(f"ALTER SEQUENCE {sequence} RESTART WITH {place * IDS_APART}")
    return url


@pytest.fixture
def database_url(migrated_url: str) -> str:
    """Give the address of the migrated database, emptied."""
    with open_session(migrated_url) as run:
        tables = run("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'")
        filled = [table for table in tables if run(f"SELECT 1 FROM {table} LIMIT 1")]
        if filled:
            run(f"TRUNCATE {', '.join(filled)} CASCADE")
    return migrated_url


@pytest.fixture
def database(io_loop: tornado.ioloop.IOLoop, database_url: str) -> Iterator[Any]:
    """Give an open Database, migrated and empty."""
    from grimbots.sql.database import Database

    async def make() -> Database:
        opened = Database(database_url)
        await opened.open()
        return opened

    opened = io_loop.run_sync(make)
    yield opened
    io_loop.run_sync(opened.close)


@pytest.fixture
def flushed_redis_url(io_loop: tornado.ioloop.IOLoop, redis_url: str) -> str:
    """Give the address of the session's Redis, emptied, its settings and scripts as at first."""

    async def flush() -> None:
        async with redis.asyncio.from_url(redis_url, protocol=3) as client:
            await client.flushall()

    io_loop.run_sync(flush)
    return redis_url


@pytest.fixture
def queue(io_loop: tornado.ioloop.IOLoop, flushed_redis_url: str, settings: Settings) -> Iterator[Any]:
    """Give a started Queue on an emptied Redis. No worker runs: a test that needs one starts it."""
    from grimbots.queue.dispatcher import Queue

    async def make() -> Queue:
        made = Queue(flushed_redis_url, consumer_host="test", slot=0, queue_slots=settings.queue_slots)
        await made.start()
        return made

    made = io_loop.run_sync(make)
    yield made
    io_loop.run_sync(made.stop)


class Clock:
    """The application's time, which stands until a test moves it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Give the instant it stands at."""
        return self.now

    def move(self, **span: float) -> None:
        """Move on by a timedelta given in its own words: `clock.move(seconds=30)`."""
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands at noon UTC of a Monday."""
    return Clock(FIRST_INSTANT)


@pytest.fixture
def vault() -> Any:
    """Give a Vault with a key of its own."""
    from grimbots.services.secrets import KEY_BYTES, Vault

    return Vault(bytes(range(KEY_BYTES)))


@pytest.fixture
def http(io_loop: tornado.ioloop.IOLoop) -> Iterator[Any]:
    """Give an open HttpClient."""
    from grimbots.services.clients.http import HttpClient

    async def make() -> HttpClient:
        client = HttpClient()
        await client.open()
        return client

    client = io_loop.run_sync(make)
    yield client
    io_loop.run_sync(client.close)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give settings as a deployment has them, with a data folder of the test's own."""
    return load({"GRIMBOTS_DATA": str(tmp_path), "PUBLIC_URL": "https://bots.example.com"})


@pytest.fixture
def fake_telegram(io_loop: tornado.ioloop.IOLoop, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give a listening fake Bot API server. A call of the App's that is not as the Bot API documents fails the test."""
    from grimbots.tests.fakes.telegram import FakeTelegram

    fake = FakeTelegram()
    io_loop.run_sync(fake.start)
    yield fake
    io_loop.run_sync(fake.stop)
    assert "app" not in request.fixturenames or fake.mistakes == []


@pytest.fixture
def event_spool(io_loop: tornado.ioloop.IOLoop, settings: Settings) -> Iterator[Any]:
    """Give an open Spool for provider events in the data folder."""
    from grimbots.services.receptions import SPOOL_BYTES
    from grimbots.services.spool import Spool

    spool = Spool(Path(settings.data_dir) / "spool", "events", SPOOL_BYTES)
    io_loop.run_sync(spool.open)
    yield spool
    io_loop.run_sync(spool.close)


@pytest.fixture
def click_spool(io_loop: tornado.ioloop.IOLoop, settings: Settings) -> Iterator[Any]:
    """Give an open Spool for clicks in the data folder."""
    from grimbots.services.clicks import SPOOL_BYTES
    from grimbots.services.spool import Spool

    spool = Spool(Path(settings.data_dir) / "spool", "clicks", SPOOL_BYTES)
    io_loop.run_sync(spool.open)
    yield spool
    io_loop.run_sync(spool.close)


@pytest.fixture
def app(
    settings: Settings,
    database: Any,
    database_url: str,
    queue: Any,
    http: Any,
    vault: Any,
    clock: Callable[[], datetime],
    fake_telegram: Any,
    event_spool: Any,
    click_spool: Any,
) -> Any:
    """Give an App on real stores, its Telegram the fake one, its clock standing."""
    from grimbots.services.app import App
    from grimbots.services.bots import BotCache
    from grimbots.services.clients.telegram import TelegramClient
    from grimbots.services.passwords import Passwords
    from grimbots.services.pools import PoolCache

    return App(
        settings=replace(settings, database_url=database_url),
        db=database,
        queue=queue,
        http=http,
        telegram=TelegramClient(http, fake_telegram.url),
        vault=vault,
        bots=BotCache(settings.bot_cache_seconds),
        event_spool=event_spool,
        pools=PoolCache(),
        click_spool=click_spool,
        clock=clock,
        passwords=Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),  # a real one takes 0.1 s
    )


@pytest.fixture
def web(app: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the Tornado application, which `http_client` and `base_url` reach (pytest-tornado)."""
    from grimbots.server import build_web
    from grimbots.services import examinations

    for name in ("FRESH_SECONDS", "STALE_SECONDS"):  # tests ask again about what they have just changed
        monkeypatch.setattr(examinations, name, 0.0)
    return build_web(app)


@dataclass(frozen=True)
class Tenant:
    """An account with one active bot."""

    account_id: int
    bot_id: int
    name: str
    key: str
    token: str


@pytest.fixture
def accounts(io_loop: tornado.ioloop.IOLoop, database: Any, vault: Any) -> list[Tenant]:
    """Give two accounts with a bot each: what one may do must never touch the other's rows."""
    return [io_loop.run_sync(partial(_add_tenant, database, vault, place)) for place in (1, 2)]


async def _add_tenant(database: Any, vault: Any, place: int) -> Tenant:
    name, token = f"tenant{place}", f"90000000{place}:{'A' * 34}{place}"
    account = await database.accounts.add(name=name, now=FIRST_INSTANT)
    bot = await database.bots.add(
        account_id=account.id,
        telegram_id=900_000_000 + place,
        username=f"{name}_bot",
        name=name.title(),
        key=f"key-of-{name}",
        token_encrypted=vault.encrypt(token),
        funnel_id=None,
        now=FIRST_INSTANT,
    )
    return Tenant(account_id=account.id, bot_id=bot.id, name=name, key=bot.key, token=token)
