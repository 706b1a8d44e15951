"""Simulator, replay and the real road agree on one scripted week: the same messages, the same ledger of offers.

The simulator's `Rehearsal` walks the script in memory; `RealWeek` does it in the sandbox's chats, with a worker, real
stores and a clock that jumps; replays are made of what the real leads' moves say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grimbots.handlers.commands.seeds import DEMO
from grimbots.services.clients.http import HttpClient
from grimbots.services.clients.telegram import TelegramClient
from grimbots.services.funnels.definitions import read_version
from grimbots.services.funnels.files import read_files
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.certificates import trust_server
from grimbots.tests.fakes.sellers import SellerServer
from grimbots.tests.rows import Query
from grimbots.tests.services.real_weeks import RealWeek
from grimbots.tests.services.rehearsals import Rehearsal
from grimbots.tests.services.sandbox.drivers import Driver
from grimbots.tests.services.scripts import WEEK
from grimbots.tests.services.workers import work

IN_STARS = {"plano-estrelas", "estrelas"}  # what is paid inside Telegram has no code and no provider
SOLD = "SELECT count(*), sum(paid_cents) FROM payments WHERE state = 'paid'"


@pytest.fixture
def seller(io_loop: Any, tmp_path: Path) -> Iterator[SellerServer]:
    """Give the server that the funnel's webhook step tells of sales."""
    made = SellerServer(tmp_path)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


@pytest.fixture
def http(io_loop: Any, seller: SellerServer, tmp_path: Path) -> Iterator[HttpClient]:
    """Give an open HttpClient that trusts the seller's server."""
    client = HttpClient(tls=trust_server(tmp_path))
    io_loop.run_sync(client.open)
    yield client
    io_loop.run_sync(client.close)


@pytest.fixture
def app(app: Any, driver: Driver, http_port: int) -> Any:
    """Give an App whose Telegram and provider are the sandbox, and whose address the sandbox can reach."""
    where = {"host": "127.0.0.1", "port": http_port, "public_url": ""}
    sandbox = {"sandbox": True, "sandbox_url": driver.server.url, "telegram_url": driver.server.url}
    settings = replace(app.settings, **where, **sandbox)
    return replace(app, settings=settings, telegram=TelegramClient(app.http, driver.server.url))


@pytest.mark.gen_test(timeout=180)
async def test_simulator_replay_and_sandbox_agree_on_a_week(
    http_client: Any, app: Any, accounts: Any, driver: Driver, clock: Clock, query: Query, seller: SellerServer
) -> None:
    definition, files = read_files(DEMO.with_name("completo.json"))
    for step in definition["steps"]:
        if step["kind"] == "webhook":
            step["url"] = seller.url
    contents = {name: path.read_bytes() for name, path in files.items()}
    version = read_version(definition, version_id=1, assets={name: name for name in files})[0]
    simulated = Rehearsal(version, WEEK)
    report = simulated.run()
    real = RealWeek(app, driver, clock, query, WEEK)
    async with work(app):
        await real.open(accounts[0].name, definition, contents)
        await real.live()
    for number, name in enumerate(WEEK):
        assert real.list_sent(number) == simulated.heard[number], name
        assert await real.list_arrived(number) == [replace(one, step="") for one in simulated.heard[number]], name
        assert real.list_sold(number) == simulated.list_sold(number), name
        assert await real.replay(number) == (real.list_planned(number), real.list_sold(number)), name
    assert query(SOLD) == [(report.paid, report.revenue_cents)]
    assert query("SELECT count(*) FROM messages WHERE step = 'avisa-lia'") == [(report.notices,)]
    assert [len(told) for told in seller.heard.values()] == [1] * report.posts
    speaking = {one.id for one in version.steps.values() if one.speaks}
    assert {one.step for heard in simulated.heard for one in heard} == speaking - IN_STARS
