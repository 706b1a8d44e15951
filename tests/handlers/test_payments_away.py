"""The payment webhook while stores are really gone: killed, or hanging.

What is answered 200 is acted upon when they are back; 503 only when nothing could keep it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPResponse

from grimbots.conf.settings import Settings, load
from grimbots.handlers.commands.embedded.children import Child, stop, wait
from grimbots.handlers.commands.embedded.postgres import start_postgres
from grimbots.handlers.commands.embedded.redis import start_redis
from grimbots.services import gateway_accounts, receptions
from grimbots.services.errors import Unavailable
from grimbots.services.spool import Spool
from grimbots.sql.database import Database
from grimbots.sql.migrate import migrate
from grimbots.tests.fakes.provider import FakeProvider
from grimbots.tests.services.shops import Shop, open_shop

WATCHED_SECONDS = 30


class Server:
    """A store of this test's own, that it may kill."""

    def __init__(self, begin: Callable[[], Any]) -> None:
        self._begin = begin
        self.url = ""
        self.child: Child

    async def start(self) -> None:
        """Start it, or start it again over the same data."""
        self.url, self.child = await self._begin()

    async def kill(self) -> None:
        """End it as a power cut would."""
        self.child.process.kill()
        await wait(self.child)

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to it and to every process it has made."""
        pid = self.child.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        for each in (pid, *map(int, children)):
            os.kill(each, number)


@pytest.fixture
def postgres(io_loop: Any, servers_folder: Path, request: Any) -> Iterator[Server]:
    """Give a running, migrated Postgres of the test's own."""
    folder = servers_folder / f"postgres-{abs(hash(request.node.name))}"
    server = Server(partial(start_postgres, folder, folder.with_suffix(".log")))
    io_loop.run_sync(server.start)
    io_loop.run_sync(partial(migrate, server.url))
    yield server
    io_loop.run_sync(partial(stop, server.child))


@pytest.fixture
def redis(io_loop: Any, servers_folder: Path, request: Any) -> Iterator[Server]:
    """Give a running Redis of the test's own."""
    folder = servers_folder / f"redis-{abs(hash(request.node.name))}"
    server = Server(partial(start_redis, folder, folder.with_suffix(".log"), durable=False))
    io_loop.run_sync(server.start)
    yield server
    io_loop.run_sync(partial(stop, server.child))


@pytest.fixture
def database_url(postgres: Server) -> str:
    return postgres.url


@pytest.fixture
def flushed_redis_url(redis: Server) -> str:
    return redis.url


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give settings with the sandbox open."""
    return load({"GRIMBOTS_DATA": str(tmp_path), "GRIMBOTS_SANDBOX": "1"})


async def wait_until_known(app: Any, key: str) -> None:
    """Wait until a process knows a gateway account without asking Postgres."""
    away = Database("postgresql://127.0.0.1:1/nothing", timeout_seconds=0.5)
    await away.open()
    async with asyncio.timeout(WATCHED_SECONDS):
        while True:
            try:
                await app.gateway_accounts.get(replace(app, db=away), key)
                break
            except Unavailable:
                await asyncio.sleep(0.01)
    await away.close()


@pytest.fixture
def shop(io_loop: Any, app: Any, clock: Any, accounts: Any) -> Iterator[Shop]:
    """Give a shop in a process that serves: it has read the gateway accounts ahead."""
    opened: Shop = io_loop.run_sync(partial(open_shop, app, FakeProvider(clock), accounts[0]))
    watching = asyncio.ensure_future(gateway_accounts.watch(opened.app), loop=io_loop.asyncio_loop)

    io_loop.run_sync(partial(wait_until_known, opened.app, opened.key))
    yield opened
    watching.cancel()


@pytest.fixture
def post(http_client: Any, base_url: str, shop: Shop) -> Any:
    """Give a function that posts a signed event."""

    async def send(body: bytes = b"{}", key: str = "") -> HTTPResponse:
        url = f"{base_url}/webhook/payment/sandbox/{key or shop.key}"
        headers = shop.provider.sign(body, shop.secret)
        answer: HTTPResponse = await http_client.fetch(
            url, method="POST", headers=headers, body=body, raise_error=False
        )
        return answer

    return send


async def read_bodies(shop: Shop) -> list[bytes]:
    """Return what is stored, in order."""
    return [(await shop.app.db.provider_events.find_by_id(event_id=id_)).body for id_ in await shop.list_events()]


@pytest.mark.gen_test
async def test_event_with_postgres_killed_is_kept_and_stored_in_order_once_it_is_back(
    post: Any, shop: Shop, postgres: Server
) -> None:
    await postgres.kill()
    bodies = [b'{"n":%d}' % number for number in range(20)]
    assert [(await post(body)).code for body in (*bodies, bodies[3])] == [200] * 21
    await postgres.start()
    assert await receptions.store_spooled(shop.app) == 21
    assert await read_bodies(shop) == bodies


@pytest.mark.gen_test
async def test_event_with_redis_killed_is_stored_for_the_sweep(post: Any, shop: Shop, redis: Server) -> None:
    await redis.kill()
    assert (await post()).code == 200
    assert await read_bodies(shop) == [b"{}"]


@pytest.mark.gen_test
async def test_event_with_both_killed_is_kept(post: Any, shop: Shop, postgres: Server, redis: Server) -> None:
    await postgres.kill()
    await redis.kill()
    assert (await post()).code == 200
    await postgres.start()
    assert await receptions.store_spooled(shop.app) == 1
    assert await read_bodies(shop) == [b"{}"]


@pytest.mark.gen_test
async def test_event_with_postgres_hanging_is_kept_while_its_sender_still_waits(
    post: Any, shop: Shop, postgres: Server
) -> None:
    await post(b'{"n":0}')
    postgres.signal_all(signal.SIGSTOP)
    try:
        answer = await post(b'{"n":1}')
    finally:
        postgres.signal_all(signal.SIGCONT)
    assert answer.code == 200 and receptions.STORE_SECONDS <= answer.request_time < receptions.STORE_SECONDS + 2
    assert await receptions.store_spooled(shop.app) == 1
    assert sorted(await read_bodies(shop)) == [b'{"n":0}', b'{"n":1}']


@pytest.mark.gen_test
async def test_event_that_nothing_can_keep_is_answered_503_with_retry_after(
    post: Any, web: Any, shop: Shop, postgres: Server, tmp_path: Path, expect_errors: list[str]
) -> None:
    await postgres.kill()
    full = Spool(tmp_path / "full", "events", limit_bytes=1)
    await full.open()
    web.settings["app"] = replace(shop.app, event_spool=full)
    answer = await post()
    await full.close()
    assert (answer.code, answer.headers["Retry-After"]) == (503, "1")
    assert b"Postgres" not in answer.body and b"spool" not in answer.body and len(expect_errors) == 1


@pytest.mark.gen_test
async def test_event_of_a_key_never_heard_of_is_answered_503_while_postgres_is_away(
    post: Any, shop: Shop, postgres: Server
) -> None:
    await postgres.kill()
    assert (await post(key="guessed")).code == 503
    await postgres.start()
    assert (await post(key="guessed")).code == 404


@pytest.mark.gen_test
async def test_an_account_connected_while_this_process_runs_is_known_when_postgres_goes(
    http_client: Any, base_url: str, shop: Shop, postgres: Server
) -> None:
    credentials = {"api_key": "other", "webhook_secret": "other"}
    added = await gateway_accounts.add_gateway_account(
        replace(shop.app, gateway_accounts=gateway_accounts.make_cache()),  # another process
        shop.tenant.account_id,
        "sandbox",
        credentials,
        actor="test",
    )
    await wait_until_known(shop.app, added.key)
    await postgres.kill()
    url = f"{base_url}/webhook/payment/sandbox/{added.key}"
    assert (await http_client.fetch(url, method="POST", body=b"{}", raise_error=False)).code == 200
