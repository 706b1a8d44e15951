"""What tests of the services share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from grimbots.conf.settings import load
from grimbots.services.conversions import base, webhook
from grimbots.services.funnels import versions
from grimbots.services.sandbox.server import build
from grimbots.services.sessions import Member
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.provider import FakeProvider
from grimbots.tests.rows import Query, open_query
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.chats import Chat
from grimbots.tests.services.funnels.samples import FILES, FUNNEL
from grimbots.tests.services.people import make_member
from grimbots.tests.services.reporters import FAKES, Reporter
from grimbots.tests.services.sandbox.drivers import Driver, Webhook
from grimbots.tests.services.shops import Shop, open_shop
from grimbots.tests.services.vips import Vip


@pytest.fixture
def query(database_url: str) -> Iterator[Query]:
    """Give a function that runs one SQL statement from outside and returns its rows."""
    with open_query(database_url) as run:
        yield run


@pytest.fixture
def provider(io_loop: Any, clock: Clock) -> Iterator[FakeProvider]:
    """Give a listening fake payment provider whose time is the application's."""
    fake = FakeProvider(clock)
    io_loop.run_sync(fake.start)
    yield fake
    io_loop.run_sync(fake.stop)


@pytest.fixture
def shops(io_loop: Any, app: Any, provider: FakeProvider, accounts: Any) -> list[Shop]:
    """Give a shop of each tenant."""
    return [io_loop.run_sync(partial(open_shop, app, provider, tenant)) for tenant in accounts]


@pytest.fixture
def shop(shops: list[Shop]) -> Shop:
    """Give the first tenant's shop."""
    return shops[0]


@pytest.fixture
def networks(io_loop: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Give every ad network, listening; what they were told that is not as documented fails the test."""
    for module in (base, webhook):
        monkeypatch.setattr(module, "TIMEOUT_SECONDS", 60.0)  # a busy machine is no slow network
    made = {name: kind(clock) for name, kind in FAKES.items()}
    for receiver in made.values():
        io_loop.run_sync(receiver.start)
    yield made
    for receiver in made.values():
        io_loop.run_sync(receiver.stop)
    assert {name: receiver.mistakes for name, receiver in made.items() if receiver.mistakes} == {}


@pytest.fixture
def reporters(io_loop: Any, shops: list[Shop], networks: Any, query: Query, clock: Clock) -> list[Reporter]:
    """Give both tenants' shops, whose conversions go to the fake networks."""
    return [io_loop.run_sync(Reporter(shop, networks, query, clock).open) for shop in shops]


@pytest.fixture
def reporter(reporters: list[Reporter]) -> Reporter:
    """Give the first tenant's."""
    return reporters[0]


@pytest.fixture
def members(io_loop: Any, app: Any, accounts: Any) -> list[Member]:
    """Give an owner of each tenant."""

    async def make() -> list[Member]:
        return [await make_member(app, tenant) for tenant in accounts]

    made: list[Member] = io_loop.run_sync(make)
    return made


@pytest.fixture
def chat(io_loop: Any, app: Any, accounts: Any, database_url: str) -> Chat:
    """Give a lead of the first account's bot."""
    opened: Chat = io_loop.run_sync(Chat(app, accounts[0], database_url).open)
    return opened


@pytest.fixture
def buyer(app: Any, accounts: Any, query: Callable[..., list[Any]], io_loop: Any) -> Buyer:
    """Give a buyer of the first account's bot, which has a funnel."""

    async def publish() -> None:
        published = await versions.publish(app, accounts[0].account_id, FUNNEL, FILES, actor="command")
        query("UPDATE bots SET funnel_id = %s WHERE id = %s", published.funnel_id, accounts[0].bot_id)

    io_loop.run_sync(publish)
    return Buyer(app, accounts[0], query)


@pytest.fixture
def sink(io_loop: Any) -> Iterator[Webhook]:
    """Give where the sandbox posts to; the tests read its updates themselves."""
    made = Webhook()
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


@pytest.fixture
def driver(io_loop: Any, tmp_path: Path, clock: Any) -> Iterator[Driver]:
    """Give a sandbox whose time is the application's."""
    environ = {"GRIMBOTS_SANDBOX": "1", "GRIMBOTS_DATA": str(tmp_path / "sandbox")}
    server = build(load({**environ, "GRIMBOTS_SANDBOX_URL": "http://127.0.0.1:0"}), lambda: clock().timestamp())
    io_loop.run_sync(server.start)
    made = Driver(server)
    made.token = io_loop.run_sync(partial(made.make_bot, made.username))
    yield made
    io_loop.run_sync(server.stop)


@pytest.fixture
def open_vip(
    shop: Shop, driver: Driver, sink: Webhook, query: Callable[..., list[Any]], clock: Any
) -> Callable[..., Any]:
    """Give a function that opens a VIP shop."""

    async def make(way: str = "invite", kind: str = "supergroup", **rights: Any) -> Vip:
        return await Vip(shop, driver, query, clock).open(sink, way, kind, **rights)

    return make
