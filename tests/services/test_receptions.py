"""Receptions: every event is kept before it is answered, whatever is away, and is one row however often it comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grimbots.queue.dispatcher import Queue
from grimbots.services import gateway_accounts, receptions
from grimbots.services.errors import NotFound, Unavailable
from grimbots.services.spool import Spool
from grimbots.sql.database import Database, DatabaseUnavailable
from grimbots.tests.conftest import Clock
from grimbots.tests.services.shops import Shop

NASTY = ["", "/pix\x00/v2", "/caf\u00e9", "/\ud800", "/" + "x" * 3000]


@pytest.fixture
def away(io_loop: Any) -> Iterator[Database]:
    """Give a Database where nobody listens."""
    nowhere = Database("postgresql://127.0.0.1:1/nothing", timeout_seconds=0.5)
    io_loop.run_sync(nowhere.open)
    yield nowhere
    io_loop.run_sync(nowhere.close)


@pytest.fixture
def dark(shop: Shop, io_loop: Any, away: Database) -> Shop:
    """Give the shop in a process that has served it before, its Postgres away now."""
    io_loop.run_sync(lambda: gateway_accounts.find_by_key(shop.app, "sandbox", shop.key))
    return replace(shop, app=replace(shop.app, db=away))


async def read_bodies(shop: Shop) -> list[bytes]:
    """Return the bodies of the events not acted upon, in the order of their rows."""
    return [(await shop.app.db.provider_events.find_by_id(event_id=id_)).body for id_ in await shop.list_events()]


@pytest.mark.gen_test
async def test_receive_with_postgres_away_spools_and_the_drain_settles(shop: Shop, dark: Shop) -> None:
    payment = await shop.charge()
    await dark.receive(shop.provider.pay(payment.txid))
    assert await shop.list_events() == []
    assert await receptions.store_spooled(shop.app) == 1
    await shop.apply_events()
    assert (await shop.read(payment.id)).state == "paid" and len(await shop.list_deliveries(payment)) == 1


@pytest.mark.gen_test
async def test_what_is_spooled_is_stored_as_it_came_and_when_it_came(shop: Shop, dark: Shop, clock: Clock) -> None:
    came_at, body = clock(), b"\x00\xff not JSON at all"
    await dark.receive(body)
    clock.move(hours=3)
    await receptions.store_spooled(shop.app)
    (event_id,) = await shop.list_events()
    event = await shop.app.db.provider_events.find_by_id(event_id=event_id)
    assert (event.body, event.received_at, event.verified) == (body, came_at, "yes")
    assert set(event.headers) == {"content-type", "x-sandbox-signature"}


@pytest.mark.gen_test
async def test_what_is_spooled_is_stored_in_order_once(shop: Shop, dark: Shop) -> None:
    bodies = [b'{"n":%d}' % number for number in range(250)]
    for body in bodies:
        await dark.receive(body)
    await dark.receive(bodies[0])
    assert await receptions.store_spooled(shop.app) == 251
    await shop.receive(bodies[7])
    stored = await shop.app.db.provider_events.list_stale(before=shop.app.clock().max, after=0, limit=999)
    assert len(stored) == 250 and (await read_bodies(shop))[:99] == bodies[:99]


@pytest.mark.gen_test
@pytest.mark.parametrize("suffix", NASTY)
async def test_whatever_a_path_holds_can_be_stored_after_it_was_spooled(shop: Shop, dark: Shop, suffix: str) -> None:
    headers = {"Content-Type": "text/\x00plain\ud800", "User-Agent": "caf\u00e9"}
    await receptions.receive(dark.app, "sandbox", shop.key, suffix, f"q={suffix}", headers, b"{}")
    assert await receptions.store_spooled(shop.app) == 1
    assert len(await shop.list_events()) == 1


@pytest.mark.gen_test
async def test_drain_with_postgres_away_keeps_what_is_spooled(shop: Shop, dark: Shop) -> None:
    await dark.receive(b"{}")
    with pytest.raises(DatabaseUnavailable):
        await receptions.store_spooled(dark.app)
    assert await receptions.store_spooled(shop.app) == 1


@pytest.mark.gen_test
async def test_drain_with_the_queue_away_stores_for_the_sweep(shop: Shop, dark: Shop) -> None:
    await dark.receive(b"{}")
    nowhere = Queue("redis://127.0.0.1:1", consumer_host="test", slot=1, queue_slots={})
    assert await receptions.store_spooled(replace(shop.app, queue=nowhere)) == 1
    assert len(await shop.list_events()) == 1


@pytest.mark.gen_test
async def test_receive_asks_to_be_sent_again_when_the_disk_refuses_too(
    shop: Shop, dark: Shop, tmp_path: Path, expect_errors: list[str]
) -> None:
    full = Spool(tmp_path / "full", "events", limit_bytes=10)
    await full.open()
    with pytest.raises(Unavailable) as refused:
        await replace(dark, app=replace(dark.app, event_spool=full)).receive(b"{}")
    await full.close()
    assert refused.value.retry_after_seconds == 1 and "records are lost" in expect_errors[0]


@pytest.mark.gen_test
async def test_receive_cannot_tell_whose_an_event_is_that_it_never_heard_of(shop: Shop, away: Database) -> None:
    fresh = replace(shop.app, db=away, gateway_accounts=gateway_accounts.make_cache())
    with pytest.raises(Unavailable):
        await replace(shop, app=fresh).receive(b"{}")


@pytest.mark.gen_test
async def test_receive_of_an_unknown_key_with_postgres_away_keeps_nothing(shop: Shop, dark: Shop) -> None:
    with pytest.raises(Unavailable):
        await dark.receive(b"{}", key="guessed")
    assert await receptions.store_spooled(shop.app) == 0


@pytest.mark.gen_test
async def test_a_signature_is_judged_when_the_event_comes_not_when_it_is_drained(
    shop: Shop, dark: Shop, clock: Clock
) -> None:
    payment = await shop.charge()
    await dark.receive(shop.provider.pay(payment.txid))
    clock.move(hours=5)
    await receptions.store_spooled(shop.app)
    (event_id,) = await shop.list_events()
    assert (await shop.app.db.provider_events.find_by_id(event_id=event_id)).verified == "yes"


@pytest.mark.gen_test
async def test_receive_knows_a_key_under_its_own_gateway_only(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await receptions.receive(shop.app, "other", shop.key, "", "", {}, b"{}")
