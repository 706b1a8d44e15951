"""Births: an import of many bots, against a sandbox that takes new tokens at Telegram's pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grimbots.conf.settings import load
from grimbots.services import births, tokens
from grimbots.services.births import Line
from grimbots.services.clients.telegram import TelegramClient
from grimbots.services.sandbox.server import build
from grimbots.tests.conftest import Clock
from grimbots.tests.services.sandbox.drivers import Driver

Query = Callable[..., list[Any]]
MANY = 60


@pytest.fixture
def driver(io_loop: Any, clock: Clock, tmp_path: Path) -> Iterator[Driver]:
    """Give a sandbox that holds new tokens up, its time the application's."""
    environ = {"GRIMBOTS_SANDBOX": "1", "GRIMBOTS_DATA": str(tmp_path), "GRIMBOTS_SANDBOX_URL": "http://127.0.0.1:0"}
    server = build(load(environ), lambda: clock().timestamp())
    io_loop.run_sync(server.start)
    server.sandbox.floods.limits_tokens = True
    yield Driver(server)
    io_loop.run_sync(server.stop)


@pytest.fixture
def shop(app: Any, driver: Driver) -> Any:
    """Give the app whose Telegram is the sandbox."""
    url = driver.server.url
    local = replace(app.settings, public_url="http://127.0.0.1:1", telegram_url=url)
    return replace(app, telegram=TelegramClient(app.http, url), settings=local)


async def make_lines(driver: Driver, count: int) -> list[Line]:
    made = [await driver.make_bot(f"loja{number}_bot") for number in range(count)]
    return [Line(number, token, None) for number, token in enumerate(made, 1)]


async def live(app: Any, clock: Clock, seconds: int, processes: int = 2) -> list[int]:
    """Let processes do their rounds, and give how many bots each round brought to life."""
    tried = []
    for _ in range(seconds // 3):
        clock.move(seconds=3)
        tried.append(sum(await asyncio.gather(*(births.bring_due(app) for _ in range(processes)))))
    return tried


@pytest.mark.gen_test(timeout=60)
async def test_many_come_to_life_at_the_pace_telegram_takes(
    shop: Any, accounts: Any, driver: Driver, clock: Clock, query: Query
) -> None:
    lines = await make_lines(driver, MANY)
    taken = await births.take_in(shop, "tenant1", lines, actor="command")
    assert (taken.added, taken.known, taken.mistakes) == (MANY, 0, [])
    tried = await live(shop, clock, 5 * 60)
    assert sum(tried) == MANY  # nothing was refused and tried twice
    assert max(sum(tried[start : start + 20]) for start in range(len(tried) - 20)) == 15
    progress = await births.describe_progress(shop, "tenant1")
    assert (progress.active, progress.waiting, progress.dead) == (MANY + 1, 0, 0)
    calls = (await driver.face("calls?after=0")).json
    assert {call["method"] for call in calls} == {"getMe", "setWebhook"}
    assert min(query("SELECT username FROM bots WHERE status = 'active'")) == ("loja0_bot",)


@pytest.mark.gen_test
async def test_hour_has_its_own_limit(shop: Any, accounts: Any, monkeypatch: Any, driver: Driver, clock: Clock) -> None:
    monkeypatch.setattr(births, "PACE", ((births.PACE[0][0], 15), (births.PACE[1][0], 20)))
    await births.take_in(shop, "tenant1", await make_lines(driver, 25), actor="command")
    assert sum(await live(shop, clock, 10 * 60)) == 20 - len(accounts)  # whose tokens were shown, too


@pytest.mark.gen_test
async def test_repeat_of_an_import_adds_what_is_missing(shop: Any, accounts: Any, driver: Driver, query: Query) -> None:
    lines = await make_lines(driver, 3)
    await births.take_in(shop, "tenant1", lines[:2], actor="command")
    taken = await births.take_in(shop, "tenant1", lines, actor="command")
    assert (taken.added, taken.known) == (1, 2)
    assert query("SELECT count(*) FROM bots WHERE status = 'new'") == [(3,)]


@pytest.mark.gen_test
async def test_wrong_lines_are_named_without_their_token_and_hold_up_nobody(
    shop: Any, accounts: Any, driver: Driver
) -> None:
    (line,) = await make_lines(driver, 1)
    others = Line(4, accounts[1].token, None)
    renewed = Line(5, line.token.partition(":")[0] + ":" + "R" * 35, None)
    lines = [Line(1, "12:too-short", None), line, Line(3, line.token, "nothing"), others, renewed]
    taken = await births.take_in(shop, "tenant1", lines, actor="command")
    assert (taken.added, taken.known) == (1, 0)
    assert [number for number, _ in taken.mistakes] == [1, 3, 4, 5]
    assert "belongs to another account" in taken.mistakes[2][1]
    assert "grimbots bot token" in taken.mistakes[3][1]
    assert "too-short" not in str(taken)
    assert line.token not in str(taken)


@pytest.mark.gen_test
async def test_tokens_are_stored_encrypted(shop: Any, accounts: Any, driver: Driver, query: Query) -> None:
    (line,) = await make_lines(driver, 1)
    await births.take_in(shop, "tenant1", [line], actor="command")
    ((row,),) = query("SELECT bots::text FROM bots WHERE status = 'new'")
    assert line.token not in row


@pytest.mark.gen_test
async def test_token_that_telegram_does_not_know_is_dead_and_said(
    shop: Any, accounts: Any, clock: Clock, query: Query
) -> None:
    await births.take_in(shop, "tenant1", [Line(1, "71234:" + "A" * 35, None)], actor="command")
    await live(shop, clock, 6)
    assert query("SELECT status, status_reason FROM bots WHERE telegram_id = 71234") == [
        ("dead", "Telegram answers 401 Unauthorized")
    ]


@pytest.mark.gen_test
async def test_a_flood_holds_all_up_and_kills_none(
    shop: Any, accounts: Any, driver: Driver, clock: Clock, query: Query
) -> None:
    await births.take_in(shop, "tenant1", await make_lines(driver, 8), actor="command")
    await driver.face("faults", "POST", {"method": "getMe", "http": 429, "retry_after": 50})
    assert await live(shop, clock, 45, processes=1) == [5] + [0] * 14
    assert query("SELECT count(*) FROM bots WHERE status = 'new'") == [(4,)]
    await live(shop, clock, 60)
    assert query("SELECT count(*) FROM bots WHERE status IN ('new', 'dead')") == [(0,)]


@pytest.mark.gen_test
async def test_a_process_that_died_meanwhile_leaves_its_bots_to_the_next(
    shop: Any, accounts: Any, driver: Driver, clock: Clock, query: Query
) -> None:
    await births.take_in(shop, "tenant1", await make_lines(driver, 1), actor="command")
    claimed = {"now": clock(), "again_at": clock() + births.AGAIN_AFTER}
    assert len(await shop.db.bots.claim_new(**claimed, limit=5)) == 1
    assert sum(await live(shop, clock, 90)) == 0
    await live(shop, clock, 60)
    assert query("SELECT count(*) FROM bots WHERE status = 'new'") == [(0,)]


@pytest.mark.gen_test
async def test_bot_that_waits_its_turn_cannot_be_repaired(shop: Any, accounts: Any, driver: Driver, query: Any) -> None:
    await births.take_in(shop, "tenant1", await make_lines(driver, 1), actor="command")
    ((bot_id,),) = query("SELECT id FROM bots WHERE status = 'new'")
    with pytest.raises(tokens.Conflict, match="waits its turn"):
        await tokens.repair(shop, accounts[0].account_id, bot_id, actor="command")
