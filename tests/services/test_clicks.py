"""Clicks: kept at once, stored once, linked to who starts, whichever of the two comes first."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from grimbots.conf import metrics
from grimbots.services import clicks, leads, pools, visits
from grimbots.services.arrivals import Person
from grimbots.services.spool import Spool
from grimbots.services.visits import Visit
from grimbots.tests.services.buyers import Buyer

Query = Callable[..., list[Any]]


def make_visit(app: Any, **query: str) -> Visit:
    values = {name: [value.encode()] for name, value in query.items()}
    headers = {"User-Agent": "Mozilla/5.0"}
    return visits.read(query=values, cookies={}, headers=headers, address="203.0.113.7", now=app.clock())


async def click(app: Any, slug: str = "promo", **query: str) -> str:
    """Click and return the token the visitor goes on with."""
    way = await clicks.follow(app, slug, make_visit(app, **query))
    return parse_qs(urlsplit(way.address).query)["start"][0]


def read_touches(query: Query) -> list[tuple[str | None, str | None]]:
    """Give the utm_source of the first and the last click of each lead."""
    return query(
        "SELECT first.utm_source, last.utm_source FROM leads LEFT JOIN clicks AS first ON first.id = first_click_id"
        " LEFT JOIN clicks AS last ON last.id = last_click_id ORDER BY leads.id"
    )


def count(counter: Any, label: str) -> float:
    return float(counter.labels(label)._value.get())


@pytest.fixture(autouse=True)
def promo(app: Any, accounts: Any, io_loop: Any) -> None:
    """Give each account a pool of its bot: promo and other."""

    async def make() -> None:
        for tenant, slug in zip(accounts, ("promo", "other"), strict=True):
            names = [f"{tenant.name}_bot"]
            await pools.save(app, account=tenant.name, slug=slug, usernames=names, actor="test")

    io_loop.run_sync(make)


@pytest.mark.gen_test
async def test_follow_leads_to_the_bot_with_a_token(app: Any) -> None:
    addresses = {(await clicks.follow(app, "promo", make_visit(app))).address for _ in range(20)}
    assert len(addresses) == 20
    assert all(re.fullmatch(r"https://t\.me/tenant1_bot\?start=[A-Za-z0-9_-]{16}", address) for address in addresses)


@pytest.mark.gen_test
async def test_click_is_stored_with_all_it_told(app: Any, accounts: Any) -> None:
    token = await click(app, utm_source="ig", utm_campaign="C|1", fbclid="IwAR1", ttclid="t", gclid="g", src="story")
    assert await clicks.store_spooled(app) == 1
    found = await app.db.clicks.find_by_token(account_id=accounts[0].account_id, token=token)
    row = await app.db.clicks.find(account_id=accounts[0].account_id, click_id=found.id)
    assert (row.bot_id, row.clicked_at, row.is_crawler) == (accounts[0].bot_id, app.clock(), False)
    assert (row.utm_source, row.utm_campaign, row.utm_medium) == ("ig", "C|1", None)
    assert (row.fbclid, row.ttclid, row.gclid, row.fbp) == ("IwAR1", "t", "g", None)
    assert row.fbc == f"fb.1.{int(app.clock().timestamp() * 1000)}.IwAR1"
    assert (row.parameters, row.address, row.user_agent) == ({"src": "story"}, "203.0.113.7", "Mozilla/5.0")


@pytest.mark.gen_test
async def test_clicks_are_stored_in_their_order_and_once(app: Any, query: Query) -> None:
    for number in range(20):
        await click(app, utm_source=str(number))
    (path,) = (app.click_spool._folder).iterdir()
    again = path.read_bytes()
    await clicks.store_spooled(app)
    path.write_bytes(again)  # as if this process had died before it could delete what it had stored
    assert await clicks.store_spooled(app) == 20
    assert query("SELECT utm_source FROM clicks ORDER BY id") == [(str(number),) for number in range(20)]


@pytest.mark.gen_test
async def test_whatever_a_visit_tells_can_be_stored(app: Any, query: Query) -> None:
    told = ["\0", "\ud800", "\udfff\ud83d", "\\u0000", "\u2028", "\U0001f600" * 400, "'", "{}", "\x7f", "%00", "NaN"]
    for text in told:
        query_arguments = {name: [text.encode("utf-8", "surrogatepass")] for name in ("utm_source", "fbclid", text)}
        visit = visits.read(
            query=query_arguments, cookies={"_fbp": text}, headers={"User-Agent": text}, address="", now=app.clock()
        )
        await clicks.follow(app, "promo", visit)
    await clicks.store_spooled(app)
    assert query("SELECT count(*) FROM clicks") == [(len(told),)]


@pytest.mark.gen_test
async def test_record_that_cannot_be_stored_holds_up_no_other(app: Any, query: Query, expect_errors: list[str]) -> None:
    ((account_id, pool_id),) = query("SELECT account_id, id FROM pools WHERE slug = 'promo'")
    ids = {"account_id": account_id, "pool_id": pool_id, "bot_id": 1, "token": "x"}
    await click(app, utm_source="before")
    await app.click_spool.append({**ids, "clicked_at": app.clock().isoformat(), "utm_source": "\0"})
    await click(app, utm_source="after")
    await clicks.store_spooled(app)
    assert query("SELECT utm_source FROM clicks ORDER BY id") == [("before",), ("after",)]
    assert len(expect_errors) == 1


@pytest.mark.gen_test
async def test_store_leaves_out_what_is_not_of_one_account(app: Any, accounts: Any, query: Query) -> None:
    await click(app)
    ((pool_id,),) = query("SELECT id FROM pools WHERE slug = 'other'")
    ids = {"account_id": accounts[0].account_id, "pool_id": pool_id, "bot_id": accounts[0].bot_id}
    await app.click_spool.append({**ids, "token": "x", "clicked_at": app.clock().isoformat()})
    await clicks.store_spooled(app)
    assert query("SELECT count(*) FROM clicks") == [(1,)]


@pytest.mark.gen_test
async def test_start_after_its_click_is_linked(app: Any, buyer: Buyer, query: Query) -> None:
    before = count(metrics.click_starts, "click")
    token = await click(app, utm_source="ig")
    await clicks.store_spooled(app)
    await buyer.say(f"/start {token}")
    assert read_touches(query) == [("ig", "ig")]
    assert count(metrics.click_starts, "click") == before + 1


@pytest.mark.gen_test
async def test_start_before_its_click_is_linked_when_the_click_comes(app: Any, buyer: Buyer, query: Query) -> None:
    before = count(metrics.click_starts, "start")
    token = await click(app, utm_source="ig")
    await buyer.say(f"/start {token}")
    assert query("SELECT token, clicked_at FROM clicks") == [(token, None)]
    await clicks.store_spooled(app)
    assert read_touches(query) == [("ig", "ig")]
    assert query("SELECT count(*) FROM clicks WHERE clicked_at IS NOT NULL") == [(1,)]
    assert count(metrics.click_starts, "start") == before + 1


@pytest.mark.gen_test
async def test_start_and_click_in_one_moment_are_linked(app: Any, accounts: Any, query: Query) -> None:
    token = await click(app, utm_source="ig")
    bot = await app.bots.by_id(app, accounts[0].bot_id)
    async with app.db.transaction() as tx:
        lead = await leads.lock(tx, bot, 7, Person("Ana"), app.clock())
        await clicks.link(app, tx, lead, token)
        storing = asyncio.ensure_future(clicks.store_spooled(app))
        await asyncio.to_thread(wait_for_lock, query)
    await storing
    assert read_touches(query) == [("ig", "ig")]


def wait_for_lock(query: Query) -> None:
    """Wait until a session waits for another's row."""
    deadline = time.monotonic() + 30
    while not query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
        assert time.monotonic() < deadline


@pytest.mark.gen_test
async def test_second_start_moves_the_last_touch_only(app: Any, buyer: Buyer, query: Query) -> None:
    tokens = [await click(app, utm_source=source) for source in ("first", "second", "third")]
    await buyer.say(f"/start {tokens[0]}")
    await clicks.store_spooled(app)
    await buyer.say(f"/start {tokens[1]}")
    await buyer.say(f"/start {tokens[2]}")
    await buyer.say("/start")
    assert read_touches(query) == [("first", "third")]


@pytest.mark.gen_test
async def test_both_touches_are_kept_when_both_starts_overtake(app: Any, buyer: Buyer, query: Query) -> None:
    tokens = [await click(app, utm_source=source) for source in ("first", "second")]
    for token in tokens:
        await buyer.say(f"/start {token}")
    await clicks.store_spooled(app)
    assert read_touches(query) == [("first", "second")]


@pytest.mark.gen_test
async def test_update_applied_twice_links_once(app: Any, buyer: Buyer, query: Query) -> None:
    first, second = await click(app, utm_source="first"), await click(app, utm_source="second")
    update = buyer.make_text(f"/start {first}")
    await buyer.handle(update)
    await buyer.say(f"/start {second}")
    await buyer.handle(update)
    await clicks.store_spooled(app)
    assert read_touches(query) == [("first", "second")]


@pytest.mark.parametrize("is_stored", [True, False])
@pytest.mark.gen_test
async def test_token_of_another_account_links_to_nothing(app: Any, buyer: Buyer, query: Query, is_stored: bool) -> None:
    token = await click(app, "other", utm_source="ig")
    if is_stored:
        await clicks.store_spooled(app)
    await buyer.say(f"/start {token}")
    await clicks.store_spooled(app)
    assert query("SELECT first_click_id, last_click_id FROM leads") == [(None, None)]
    assert query("SELECT account_id = %s FROM clicks", buyer.tenant.account_id) == [(False,)]


@pytest.mark.parametrize("param", ["", "instagram_bio_01", "x", "y" * 64, "a\u00e7\u00e3o de maio!"])
@pytest.mark.gen_test
async def test_parameter_of_another_kind_is_no_click(app: Any, buyer: Buyer, query: Query, param: str) -> None:
    await buyer.say(f"/start {param}")
    assert (read_touches(query), query("SELECT count(*) FROM clicks")) == ([(None, None)], [(0,)])


@pytest.mark.gen_test
async def test_lead_of_a_bot_without_funnel_is_linked_too(app: Any, accounts: Any, query: Query) -> None:
    token = await click(app, utm_source="ig")
    await clicks.store_spooled(app)
    await Buyer(app, accounts[0], query).say(f"/start {token}")
    assert read_touches(query) == [("ig", "ig")]


@pytest.mark.gen_test
async def test_payment_carries_the_last_click_at_the_time_of_its_charge(app: Any, buyer: Buyer, query: Query) -> None:
    tokens = [await click(app, utm_source=source) for source in ("first", "last", "later")]
    await clicks.store_spooled(app)
    for token in tokens[:2]:
        await buyer.say(f"/start {token}")
    await buyer.tap("Ver")
    await buyer.tap("Quero por R$ 19,90")
    await buyer.tap("✅ Sim, quero por mais R$ 9,90")
    await buyer.say(f"/start {tokens[2]}")
    assert query("SELECT utm_source FROM payments JOIN clicks ON clicks.id = click_id") == [("last",)]


@pytest.mark.gen_test
async def test_full_spool_drops_the_click_and_leads_on(app: Any, tmp_path: Any, expect_errors: list[str]) -> None:
    before = count(metrics.clicks, "dropped")
    spool = Spool(tmp_path / "small", "clicks", limit_bytes=10)
    await spool.open()
    full = replace(app, click_spool=spool)
    await click(full)
    await click(full)
    await spool.close()
    assert count(metrics.clicks, "dropped") == before + 2
    assert len(expect_errors) == 1


@pytest.mark.alone
@pytest.mark.gen_test
async def test_slow_disk_keeps_no_visitor_waiting(app: Any, query: Query, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, fsync = threading.Event(), os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (go_on.wait(60), fsync(descriptor)))
    began = asyncio.get_running_loop().time()
    for _ in range(3):
        await click(app)
    took_seconds = asyncio.get_running_loop().time() - began
    go_on.set()
    await clicks.store_spooled(app)
    assert took_seconds < 1.0
    assert query("SELECT count(*) FROM clicks") == [(3,)]


@pytest.mark.gen_test
async def test_click_of_a_bot_removed_meanwhile_is_stored(app: Any, accounts: Any, query: Query) -> None:
    await click(app)
    query("UPDATE bots SET status = 'removed'")
    query("UPDATE pools SET status = 'removed'")
    await clicks.store_spooled(app)
    assert query("SELECT bot_id FROM clicks") == [(accounts[0].bot_id,)]
