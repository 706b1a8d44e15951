"""Lookbacks: what goes back of an old payment is seen though its event was lost, by few questions and with an end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from grimbots.services import lookbacks, payments, schedules
from grimbots.services.gateways.base import Return, ReturnKind
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.provider import FakeProvider
from grimbots.tests.queue.desks import wait_until
from grimbots.tests.rows import Query
from grimbots.tests.services.elsewhere import Elsewhere, connect, offer
from grimbots.tests.services.shops import PRICE_CENTS, Shop
from grimbots.tests.services.workers import work

DUE = "SELECT id, paid_at FROM payments WHERE next_look_at <= %s ORDER BY id"


@pytest.fixture
def second(io_loop: Any, clock: Clock, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    """Give the provider that the shop is paid through, whose returns a test can tell."""
    offer(monkeypatch)
    fake = FakeProvider(clock)
    io_loop.run_sync(fake.start)
    io_loop.run_sync(lambda: connect(shop, fake, is_backup=False))
    yield fake
    io_loop.run_sync(fake.stop)


async def sell(shop: Shop, provider: FakeProvider) -> Any:
    payment = await shop.charge()
    provider.pay(payment.txid)
    await payments.verify(shop.app, payment_id=payment.id, cause="u:1:1")
    return await shop.read(payment.id)


async def look(shop: Shop, query: Query) -> list[Any]:
    """Do what is due now; returns the jobs that follow."""
    due = query(DUE, shop.app.clock())
    done = [await lookbacks.look_back(shop.app, payment_id=id_, paid_at=paid.timestamp()) for id_, paid in due]
    return [job for one in done for job in (one.follow_ups if one else ())]


def contest(payment: Any, clock: Clock) -> None:
    """Let the buyer's bank take the money back, and nobody tell us."""
    back = Return("med1", "E1", PRICE_CENTS, clock(), ReturnKind.CHARGEBACK, is_settled=True)
    Elsewhere.returns[payment.txid] = (back,)


def count_questions(provider: FakeProvider) -> int:
    return sum(method == "GET" for method, _ in provider.calls)


@pytest.mark.gen_test
async def test_a_contest_of_the_80th_day_is_seen_without_its_event(
    shop: Shop, second: FakeProvider, clock: Clock, query: Query
) -> None:
    payment = await sell(shop, second)
    for _ in range(80):
        clock.move(days=1)
        await look(shop, query)
    contest(payment, clock)
    assert (await shop.read(payment.id)).state == "paid"
    clock.move(days=16)
    jobs = await look(shop, query)
    assert (await shop.read(payment.id)).state == "charged_back" and jobs
    assert [one.status for one in await shop.list_deliveries(payment)] == ["revoked"]
    assert query("SELECT next_look_at FROM payments") == [(None,)]


@pytest.mark.gen_test
async def test_a_payment_costs_six_questions_and_then_none(
    shop: Shop, second: FakeProvider, clock: Clock, query: Query
) -> None:
    await sell(shop, second)
    before = count_questions(second)
    for _ in range(200):
        clock.move(days=1)
        await look(shop, query)
    assert count_questions(second) - before == len(schedules.LOOKS)


@pytest.mark.gen_test
async def test_what_went_back_is_looked_at_no_more(
    shop: Shop, second: FakeProvider, clock: Clock, query: Query
) -> None:
    contest(await sell(shop, second), clock)
    clock.move(days=4)
    await look(shop, query)
    assert query("SELECT state, next_look_at FROM payments") == [("charged_back", None)]


@pytest.mark.gen_test
async def test_a_provider_that_does_not_answer_is_asked_again_but_not_for_ever(
    shop: Shop, second: FakeProvider, clock: Clock, query: Query
) -> None:
    payment = await sell(shop, second)
    second.fail("GET", times=9, http=503)
    clock.move(days=4)
    await lookbacks.hand_out_due(shop.app)
    assert query(DUE, clock()) == []
    clock.move(hours=6)
    assert [found for found, _ in query(DUE, clock())] == [payment.id]
    await look(shop, query)
    assert [found for found, _ in query(DUE, clock())] == [payment.id]
    clock.move(days=99)
    await look(shop, query)
    assert query("SELECT next_look_at FROM payments") == [(None,)]


@pytest.mark.gen_test(timeout=60)
async def test_a_look_goes_through_the_queue_once(shop: Shop, second: FakeProvider, clock: Clock, query: Query) -> None:
    payment = await sell(shop, second)
    contest(payment, clock)
    clock.move(days=4)
    async with work(shop.app):
        await lookbacks.hand_out_due(shop.app)
        await lookbacks.hand_out_due(shop.app)
        await wait_until(lambda: query("SELECT state FROM payments") == [("charged_back",)])
    assert query("SELECT count(*) FROM payment_returns") == [(1,)]


@pytest.mark.gen_test
async def test_a_provider_that_is_not_offered_any_more_is_not_asked(
    shop: Shop, second: FakeProvider, clock: Clock, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sell(shop, second)
    clock.move(days=4)
    monkeypatch.setattr(lookbacks, "offered_gateways", lambda settings: {})
    await lookbacks.hand_out_due(shop.app)
    assert query(DUE, clock() + timedelta(hours=5)) == []
