"""Events that found no charge: they wait for it, are shown, and are acted upon again when a person says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from grimbots.queue.dispatcher import Queue
from grimbots.queue.job import Accepted
from grimbots.queue.task import Again
from grimbots.services import events, payments, receptions
from grimbots.services.errors import Conflict, NotFound
from grimbots.services.gateways.base import Hint, Return, ReturnKind
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.provider import FakeProvider, write_event
from grimbots.tests.rows import Query
from grimbots.tests.services.elsewhere import Elsewhere, connect, offer
from grimbots.tests.services.shops import PRICE_CENTS, Shop

TRANSFER = {"end_to_end_id": "E9", "amount_cents": PRICE_CENTS, "at": "2026-03-02T12:00:00+00:00"}


@pytest.fixture
def second(io_loop: Any, clock: Clock, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    """Give the provider that the shop is paid through, whose returns a test can tell."""
    offer(monkeypatch)
    fake = FakeProvider(clock)
    io_loop.run_sync(fake.start)
    io_loop.run_sync(lambda: connect(shop, fake, is_backup=False))
    yield fake
    io_loop.run_sync(fake.stop)


async def leave_over(shop: Shop, clock: Clock, txid: str) -> int:
    """Let an event come that finds no charge, until it is shown; returns its id."""
    await shop.receive(write_event(txid, **TRANSFER))
    (event_id,) = await shop.list_events()
    clock.move(minutes=10)
    await shop.apply_events()
    assert [row.id for row in await events.list_left_over(shop.app, shop.tenant.account_id)] == [event_id]
    return event_id


@pytest.mark.gen_test
async def test_an_event_waits_for_its_charge_and_settles_it_when_it_appears(
    shop: Shop, clock: Clock, query: Query
) -> None:
    payment = await shop.charge()
    query("UPDATE payments SET txid = 'x', idempotency_key = 'y' WHERE id = %s", payment.id)
    await shop.receive(write_event(payment.txid, **TRANSFER))
    (event_id,) = await shop.list_events()
    with pytest.raises(Again) as told:
        await events.apply(shop.app, event_id=event_id)
    assert not told.value.spend
    clock.move(minutes=9)
    query("UPDATE payments SET txid = %s WHERE id = %s", payment.txid, payment.id)
    await events.apply(shop.app, event_id=event_id)
    assert (await shop.read(payment.id)).state == "paid" and len(await shop.list_deliveries(payment)) == 1


@pytest.mark.gen_test
async def test_a_left_over_event_is_acted_upon_again(shop: Shop, clock: Clock, query: Query) -> None:
    payment = await shop.charge()
    query("UPDATE payments SET txid = 'x', idempotency_key = 'y' WHERE id = %s", payment.id)
    event_id = await leave_over(shop, clock, payment.txid)
    query("UPDATE payments SET txid = %s WHERE id = %s", payment.txid, payment.id)
    await events.retry(shop.app, shop.tenant.account_id, event_id, actor="test")
    await shop.apply_events()
    assert (await shop.read(payment.id)).state == "paid"
    assert await events.list_left_over(shop.app, shop.tenant.account_id) == []
    with pytest.raises(Conflict, match="applied"):
        await events.retry(shop.app, shop.tenant.account_id, event_id, actor="test")
    (noted,) = await shop.app.db.audit.list_recent(account_id=shop.tenant.account_id, limit=1)
    assert noted.action == "event.retry"


@pytest.mark.gen_test
async def test_an_event_whose_job_is_dead_can_be_tried_again(shop: Shop, clock: Clock) -> None:
    nowhere = Queue("redis://127.0.0.1:1", consumer_host="test", slot=1, queue_slots={})
    event_id = await leave_over(replace(shop, app=replace(shop.app, queue=nowhere)), clock, "f" * 32)
    dead = events.job(await events.get(shop.app, shop.tenant.account_id, event_id))
    assert await shop.app.queue.bury(dead, "broken") is Accepted.DEAD
    await events.retry(shop.app, shop.tenant.account_id, event_id, actor="test")
    (stale,) = await shop.app.db.provider_events.list_stale(before=clock(), after=0, limit=9)
    assert await shop.app.queue.enqueue(events.job(stale)) is not Accepted.DEAD


@pytest.mark.gen_test
async def test_another_accounts_event_is_none(shops: list[Shop], clock: Clock) -> None:
    mine, other = shops
    event_id = await leave_over(mine, clock, "f" * 32)
    for ask in (
        events.retry(other.app, other.tenant.account_id, event_id, actor="test"),
        events.get(other.app, other.tenant.account_id, event_id),
    ):
        with pytest.raises(NotFound):
            await ask
    assert await events.list_left_over(other.app, other.tenant.account_id) == []


@pytest.mark.gen_test
@pytest.mark.parametrize("is_verified", [True, False])
async def test_money_that_goes_back_is_found_by_its_transfer_alone(
    shop: Shop, second: FakeProvider, query: Query, monkeypatch: pytest.MonkeyPatch, clock: Clock, is_verified: bool
) -> None:
    payment = await shop.charge()
    second.pay(payment.txid, end_to_end_id="E1")
    await payments.verify(shop.app, payment_id=payment.id, cause="u:1:1")
    back = Return("r1", "E1", PRICE_CENTS, clock(), ReturnKind.CHARGEBACK, is_settled=True)
    monkeypatch.setattr(Elsewhere, "parse", lambda self, event: (Hint(None, None, None, back),))
    await post(shop, second, query, is_verified=is_verified)
    clock.move(seconds=5)
    (event_id,) = await shop.list_events()
    if not is_verified:  # the provider is asked, and knows of no return
        with pytest.raises(Again):
            await events.apply(shop.app, event_id=event_id)
        assert (await shop.read(payment.id)).state == "paid"
        Elsewhere.returns[payment.txid] = (back,)
        clock.move(seconds=5)
    await events.apply(shop.app, event_id=event_id)
    assert (await shop.read(payment.id)).state == "charged_back"


async def post(shop: Shop, second: FakeProvider, query: Query, *, is_verified: bool) -> None:
    """Post an event to the second provider's webhook."""
    ((key,),) = query("SELECT key FROM gateway_accounts WHERE gateway = 'elsewhere'")
    headers = second.sign(b"{}", "second secret" if is_verified else "guessed")
    await receptions.receive(shop.app, "elsewhere", key, "", "", headers, b"{}")


@pytest.mark.gen_test
async def test_money_that_goes_back_at_another_account_is_not_ours(
    shops: list[Shop], second: FakeProvider, query: Query, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """The other tenant signs, with his own secret, that the transfer of our buyer went back."""
    mine, other = shops
    payment = await mine.charge()
    second.pay(payment.txid, end_to_end_id="E1")
    await payments.verify(mine.app, payment_id=payment.id, cause="u:1:1")
    back = Return("r1", "E1", PRICE_CENTS, clock(), ReturnKind.CHARGEBACK, is_settled=True)
    monkeypatch.setattr(Elsewhere, "parse", lambda self, event: (Hint(None, None, None, back),))
    account = await connect(other, second)
    signed = second.sign(b"{}", "second secret")
    await receptions.receive(other.app, "elsewhere", account.key, "", "", signed, b"{}")
    clock.move(minutes=10)
    await other.apply_events()
    assert (await mine.read(payment.id)).state == "paid"
    assert [row.status for row in await events.list_left_over(other.app, other.tenant.account_id)] == ["unmatched"]


@pytest.mark.gen_test
async def test_money_that_goes_back_before_it_was_seen_to_come_is_asked_about(
    shop: Shop, second: FakeProvider, query: Query, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    payment = await shop.charge()
    second.pay(payment.txid, end_to_end_id="E1")
    back = Return("r1", "E1", PRICE_CENTS, clock(), ReturnKind.REFUND, is_settled=True)
    Elsewhere.returns[payment.txid] = (back, replace(back, id="r2", end_to_end_id="E of another"))
    monkeypatch.setattr(Elsewhere, "parse", lambda self, event: (Hint(payment.txid, None, None, back),))
    await post(shop, second, query, is_verified=True)
    await shop.apply_events()
    assert await shop.list_moves(payment) == [
        ("new", "creating"),
        ("creating", "pending"),
        ("pending", "paid"),
        ("paid", "refunded"),
    ]
