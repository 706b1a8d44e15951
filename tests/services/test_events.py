"""Provider events: stored before they are answered, and believed only as far as they prove themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from grimbots.queue.dispatcher import Queue
from grimbots.queue.task import Again
from grimbots.services import events
from grimbots.services.errors import NotFound
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.provider import write_event
from grimbots.tests.services.shops import PRICE_CENTS, Shop

TRANSFER = {"end_to_end_id": "E9", "amount_cents": PRICE_CENTS, "at": "2026-03-02T12:00:00+00:00"}


async def read_event(shop: Shop, event_id: int) -> Any:
    """Return an event's row."""
    return await shop.app.db.provider_events.find_by_id(event_id=event_id)


@pytest.mark.gen_test
async def test_receive_stores_the_event_as_it_came_and_apply_settles_it(shop: Shop) -> None:
    payment = await shop.charge()
    body = shop.provider.pay(payment.txid)
    await shop.receive(body)
    (event_id,) = await shop.list_events()
    jobs = await shop.apply_events()
    event = await read_event(shop, event_id)
    assert (event.body, event.verified, event.status, event.payment_id) == (body, "yes", "applied", payment.id)
    assert (await shop.read(payment.id)).state == "paid" and len(jobs) == 2


@pytest.mark.gen_test
async def test_apply_run_again_after_a_crash_hands_on_what_is_not_sent_yet(shop: Shop) -> None:
    payment = await shop.charge()
    await shop.receive(shop.provider.pay(payment.txid))
    (event_id,) = await shop.list_events()
    first = await events.apply(shop.app, event_id=event_id)  # and here its process dies: nobody gets these jobs
    again = await events.apply(shop.app, event_id=event_id)
    assert first is not None and again is not None
    assert [job.id for job in again.follow_ups] == [job.id for job in first.follow_ups] != []


@pytest.mark.gen_test
async def test_receive_stores_the_same_event_once(shop: Shop) -> None:
    payment = await shop.charge()
    body = shop.provider.pay(payment.txid)
    for _ in range(3):
        await shop.receive(body)
    assert len(await shop.list_events()) == 1
    await shop.apply_events()
    await shop.receive(body)
    assert await shop.list_events() == [] and len(await shop.list_deliveries(payment)) == 1


@pytest.mark.gen_test
async def test_three_events_of_three_transfers_deliver_once(shop: Shop) -> None:
    payment = await shop.charge()
    for end_to_end_id in ("E1", "E2", "E3"):
        await shop.receive(shop.provider.pay(payment.txid, end_to_end_id=end_to_end_id))
    await shop.apply_events()
    assert (await shop.read(payment.id)).flags == ["double"] and len(await shop.list_deliveries(payment)) == 1


@pytest.mark.gen_test
async def test_receive_keeps_no_header_but_those_it_is_read_and_verified_by(shop: Shop) -> None:
    signed = shop.provider.sign(b"{}", shop.secret)
    await shop.receive(b"{}", {**signed, "Cookie": "a=b", "Authorization": "Bearer abc", "X-Other": "1"})
    (event_id,) = await shop.list_events()
    assert set((await read_event(shop, event_id)).headers) == {"content-type", "x-sandbox-signature"}


@pytest.mark.gen_test
async def test_receive_knows_no_other_key(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await shop.receive(b"{}", key="guessed")
    assert await shop.list_events() == []


@pytest.mark.gen_test
async def test_receive_with_the_queue_away_stores_the_event_for_the_sweep(shop: Shop) -> None:
    nowhere = Queue("redis://127.0.0.1:1", consumer_host="test", slot=1, queue_slots={})
    await replace(shop, app=replace(shop.app, queue=nowhere)).receive(b"{}")
    assert len(await shop.list_events()) == 1


@pytest.mark.gen_test
@pytest.mark.parametrize("headers", [{}, {"X-Sandbox-Signature": "t=1772452800,v1=" + "0" * 64}])
async def test_apply_settles_nothing_by_a_forged_event(shop: Shop, clock: Clock, headers: dict[str, str]) -> None:
    payment = await shop.charge()
    await shop.receive(write_event(payment.txid, **TRANSFER), headers)
    (event_id,) = await shop.list_events()
    with pytest.raises(Again):
        await shop.apply_events()
    clock.move(seconds=events.PATIENCE.total_seconds())
    await shop.apply_events()
    event = await read_event(shop, event_id)
    assert (event.verified, event.status, (await shop.read(payment.id)).state) == ("no", "unconfirmed", "pending")


@pytest.mark.gen_test
async def test_apply_takes_from_an_unproven_event_only_what_the_provider_confirms(shop: Shop) -> None:
    payment = await shop.charge()
    shop.provider.pay(payment.txid, PRICE_CENTS - 90, "E1")
    await shop.receive(write_event(payment.txid, **TRANSFER), {})
    await shop.apply_events()
    assert (await shop.read(payment.id)).flags == ["underpaid"] and await shop.list_deliveries(payment) == []


@pytest.mark.gen_test
async def test_a_forged_copy_that_comes_first_does_not_stand_in_for_the_real_event(shop: Shop) -> None:
    payment = await shop.charge()
    body = write_event(payment.txid, **TRANSFER)
    await shop.receive(body, {})
    await shop.receive(body)
    assert len(await shop.list_events()) == 2


@pytest.mark.gen_test
async def test_apply_waits_with_a_provider_that_cannot_be_asked(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    shop.provider.pay(payment.txid)
    await shop.receive(write_event(payment.txid, **TRANSFER), {})
    shop.provider.fail("GET", http=503)
    clock.move(hours=5)
    with pytest.raises(Again) as put_off:
        await shop.apply_events()
    assert not put_off.value.spend
    clock.move(seconds=put_off.value.after_seconds)
    await shop.apply_events()
    assert (await shop.read(payment.id)).state == "paid"


@pytest.mark.gen_test
async def test_apply_keeps_an_event_of_an_unknown_charge_ten_minutes_then_shows_it(shop: Shop, clock: Clock) -> None:
    await shop.receive(write_event("f" * 32, **TRANSFER))
    (event_id,) = await shop.list_events()
    with pytest.raises(Again):
        await shop.apply_events()
    clock.move(minutes=10)
    await shop.apply_events()
    assert (await read_event(shop, event_id)).status == "unmatched"


@pytest.mark.gen_test
async def test_an_event_that_reaches_another_accounts_webhook_settles_nothing(shops: list[Shop], clock: Clock) -> None:
    mine, other = shops
    payment = await mine.charge()
    body = write_event(payment.txid, **TRANSFER)
    await other.receive(body)
    clock.move(minutes=10)
    await other.apply_events()
    assert (await mine.read(payment.id)).state == "pending"


@pytest.mark.gen_test
@pytest.mark.parametrize("body", [b"", b"junk", b"[]", b'{"event":"charge.created","txid":"x"}', b"\x00\xff"])
async def test_apply_ignores_what_concerns_no_charge(shop: Shop, body: bytes) -> None:
    await shop.receive(body)
    (event_id,) = await shop.list_events()
    await shop.apply_events()
    assert (await read_event(shop, event_id)).status == "ignored"


@pytest.mark.gen_test
async def test_a_flood_of_forged_events_asks_the_provider_once_in_a_while(shop: Shop) -> None:
    payment = await shop.charge()
    for number in range(10):
        await shop.receive(write_event(payment.txid, **TRANSFER) + b" " * number, {})
    for event_id in await shop.list_events():
        with pytest.raises(Again):
            await events.apply(shop.app, event_id=event_id)
    assert [method for method, _ in shop.provider.calls] == ["PUT", "GET"]


@pytest.mark.gen_test
async def test_give_up_shows_an_event_whose_job_is_dead(shop: Shop) -> None:
    await shop.receive(b"{}")
    (event_id,) = await shop.list_events()
    await events.give_up(shop.app, await read_event(shop, event_id), "its job is dead")
    event = await read_event(shop, event_id)
    assert (event.status, event.body) == ("failed", b"{}")
