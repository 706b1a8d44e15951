"""Breakers: a provider that does not answer is left alone by every process, and one charge is sent to see."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from grimbots.conf import metrics
from grimbots.queue.task import Again
from grimbots.services import breakers, gateway_accounts, payments, troubles
from grimbots.services.clients.http import HttpClient
from grimbots.services.gateway_accounts import make_cache
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.provider import FakeProvider
from grimbots.tests.rows import Query
from grimbots.tests.services.elsewhere import connect, offer
from grimbots.tests.services.shops import Shop

SLOTS = 20  # jobs of the queue `gateway` at once in a process
BUYERS = 200 if os.environ.get("GRIMBOTS_PROOF") else 80
REPEATS = 20  # of a charge that was put off, should this machine's line to a provider be full


@pytest.fixture
def second(io_loop: Any, clock: Clock, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    """Give the provider behind the shop's first one."""
    offer(monkeypatch)
    fake = FakeProvider(clock)
    io_loop.run_sync(fake.start)
    io_loop.run_sync(lambda: connect(shop, fake))
    yield fake
    io_loop.run_sync(fake.stop)


def count_asked(provider: FakeProvider) -> int:
    """Count how often a provider was asked for a charge."""
    return sum(method == "PUT" for method, _ in provider.calls)


async def charge_all(shop: Shop, waiting: list[Any]) -> None:
    """Charge them all, as many at once as a process's slots let."""
    slots = asyncio.Semaphore(SLOTS)

    async def charge(payment: Any) -> None:
        async with slots:
            for _ in range(REPEATS):  # as the queue would
                with suppress(Again):
                    await payments.charge(shop.app, payment_id=payment.id)
                    break

    await asyncio.gather(*(charge(payment) for payment in waiting))


async def accept(shop: Shop, first_chat: int, buyers: int) -> list[Any]:
    return [await shop.accept_offer(chat_id) for chat_id in range(first_chat, first_chat + buyers)]


async def read_state(shop: Shop) -> str:
    """Return the state of the first account's breaker, as this process knows it."""
    account = await gateway_accounts.find_by_key(shop.app, "sandbox", shop.key)
    return breakers.state(account, shop.app.clock())


async def open_breaker(shop: Shop, first_chat: int = 700) -> None:
    """Let five charges in a row go without an answer of the first provider."""
    shop.provider.fail("PUT", times=breakers.OPENS_AFTER, http=503)
    for payment in await accept(shop, first_chat, breakers.OPENS_AFTER):
        await payments.charge(shop.app, payment_id=payment.id)


async def open_alone(shop: Shop) -> None:
    """Let the only provider's breaker open: five charges in a row go without an answer, and wait."""
    shop.provider.fail("PUT", times=breakers.OPENS_AFTER, http=503)
    for payment in await accept(shop, 700, breakers.OPENS_AFTER):
        with pytest.raises(Again):
            await payments.charge(shop.app, payment_id=payment.id)


@pytest.mark.gen_test(timeout=60)
async def test_many_charges_at_once_do_not_wait_for_a_broken_provider(
    shop: Shop, second: FakeProvider, clock: Clock, query: Query
) -> None:
    shop.provider.fail("PUT", times=9999, http=503)
    waiting = await accept(shop, 1000, BUYERS)
    await charge_all(shop, waiting)
    assert query("SELECT count(*) FROM payments WHERE state = 'pending'") == [(BUYERS,)]
    assert len(second.charges) == BUYERS and count_asked(shop.provider) < breakers.OPENS_AFTER + SLOTS
    assert await read_state(shop) == "open"


@pytest.mark.gen_test
async def test_once_the_time_is_over_one_is_sent_to_see(shop: Shop, second: FakeProvider, clock: Clock) -> None:
    await open_breaker(shop)
    asked = count_asked(shop.provider)
    clock.move(seconds=5)
    assert await read_state(shop) == "half_open"
    shop.provider.fail("PUT", http=503)
    await charge_all(shop, await accept(shop, 800, 30))
    assert count_asked(shop.provider) == asked + 1 and await read_state(shop) == "open"
    clock.move(seconds=9)  # twice as long as before
    await charge_all(shop, await accept(shop, 900, 2))
    assert count_asked(shop.provider) == asked + 1
    clock.move(seconds=1)
    await charge_all(shop, await accept(shop, 910, 1))
    assert await read_state(shop) == "closed" and len(shop.provider.charges) == 1


@pytest.mark.gen_test
async def test_charges_in_doubt_that_ask_again_keep_it_open_no_longer(shop: Shop, clock: Clock, query: Query) -> None:
    """They were taken for the one sent to see: three of them, and it was left alone for five minutes."""
    doubtful = await shop.accept_offer(690)
    shop.provider.fail("GET", times=99, http=503)
    shop.provider.fail("PUT", times=99, http=503)
    with pytest.raises(Again):
        await payments.charge(shop.app, payment_id=doubtful.id)
    for payment in await accept(shop, 700, breakers.OPENS_AFTER):
        with pytest.raises(Again):
            await payments.charge(shop.app, payment_id=payment.id)
    opened = query("SELECT trips, broken_until FROM gateway_accounts")
    asked = count_asked(shop.provider)
    for _ in range(3):
        clock.move(seconds=1)
        with pytest.raises(Again):
            await payments.charge(shop.app, payment_id=doubtful.id)
    assert count_asked(shop.provider) == asked + 3
    assert query("SELECT trips, broken_until FROM gateway_accounts") == opened
    clock.move(seconds=2)
    shop.provider.faults.clear()
    await payments.charge(shop.app, payment_id=doubtful.id)
    assert await read_state(shop) == "closed"


@pytest.mark.gen_test
async def test_who_came_as_it_opened_has_his_code_though_three_were_sent_to_see_in_vain(
    shop: Shop, clock: Clock
) -> None:
    """It was left alone for minutes: a provider that failed now and then sold next to nothing."""
    await open_alone(shop)
    waiting, began = await shop.accept_offer(), clock()
    shop.provider.fail("PUT", times=3, http=503)
    while (await shop.read(waiting.id)).state in payments.UNASKED:
        try:
            await payments.charge(shop.app, payment_id=waiting.id)
        except Again as again:
            clock.move(seconds=again.after_seconds)
    assert (await shop.read(waiting.id)).state == "pending"
    assert clock() - began < timedelta(seconds=90)


@pytest.mark.gen_test
async def test_an_answer_in_between_counts_anew(shop: Shop, second: FakeProvider) -> None:
    for first_chat in (700, 720):
        shop.provider.faults.clear()
        shop.provider.fail("PUT", times=breakers.OPENS_AFTER - 1, http=503)
        await charge_all(shop, await accept(shop, first_chat, breakers.OPENS_AFTER - 1))
        await shop.charge(first_chat + 10)
    assert await read_state(shop) == "closed"


@pytest.mark.gen_test
async def test_refusals_open_nothing(shop: Shop, second: FakeProvider) -> None:
    shop.provider.fail("PUT", times=9, http=422)
    await charge_all(shop, await accept(shop, 700, 9))
    assert await read_state(shop) == "closed" and len(second.charges) == 9


@pytest.mark.gen_test
async def test_every_process_hears_of_it(shop: Shop, second: FakeProvider) -> None:
    other = replace(shop, app=replace(shop.app, gateway_accounts=make_cache(), unanswered={}))
    watching = asyncio.create_task(gateway_accounts.watch(other.app))
    assert await read_state(other) == "closed"
    await open_breaker(shop)
    async with asyncio.timeout(30):
        while await read_state(other) != "open":
            await asyncio.sleep(0.01)
    asked = count_asked(shop.provider)
    await other.charge(790)
    assert count_asked(shop.provider) == asked
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


@pytest.mark.gen_test
async def test_with_nobody_else_to_ask_the_buyer_waits_and_is_then_told(shop: Shop, clock: Clock) -> None:
    await open_alone(shop)
    waiting = await shop.accept_offer()
    with pytest.raises(Again):
        await payments.charge(shop.app, payment_id=waiting.id)
    assert count_asked(shop.provider) == breakers.OPENS_AFTER
    clock.move(seconds=payments.CHARGE_PATIENCE.total_seconds())
    shop.provider.fail("PUT", http=503)
    await payments.charge(shop.app, payment_id=waiting.id)
    assert (await shop.read(waiting.id)).state == "cancelled"
    assert len(await shop.list_said(f"p:{waiting.id}:failed")) == 1


@pytest.mark.gen_test
async def test_the_states_are_measured(shop: Shop, second: FakeProvider) -> None:
    await open_breaker(shop)
    await troubles.measure(shop.app)
    shown = {state: metrics.gateway_accounts.labels(state)._value.get() for state in breakers.STATES}
    assert shown == {"closed": 2, "half_open": 0, "open": 1}  # the other tenant's is closed, too


@pytest.mark.gen_test
async def test_a_full_line_of_our_own_opens_nothing(shop: Shop, second: FakeProvider) -> None:
    crowded = HttpClient(places={"gateway": 0})
    await crowded.open()
    for payment in await accept(shop, 700, breakers.OPENS_AFTER):
        with pytest.raises(Again):
            await payments.charge(replace(shop.app, http=crowded), payment_id=payment.id)
    await crowded.close()
    assert await read_state(shop) == "closed" and count_asked(shop.provider) == 0
