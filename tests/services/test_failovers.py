"""Failovers: the next gateway account is asked only when the one before surely has no charge, whatever goes wrong."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from grimbots.queue.task import Again
from grimbots.services import events, gateway_accounts, payments, receptions
from grimbots.services.gateway_accounts import Limits
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.provider import FakeProvider, sign, write_event
from grimbots.tests.rows import Query
from grimbots.tests.services.elsewhere import connect, offer
from grimbots.tests.services.shops import PRICE_CENTS, Shop

SEEDS = 300 if os.environ.get("GRIMBOTS_PROOF") else 8
Fault = Callable[[FakeProvider], None]


@pytest.fixture
def second(io_loop: Any, clock: Clock, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    """Give the provider behind the shop's first one."""
    offer(monkeypatch)
    fake = FakeProvider(clock)
    io_loop.run_sync(fake.start)
    io_loop.run_sync(lambda: connect(shop, fake))
    yield fake
    io_loop.run_sync(fake.stop)


def refuse(first: FakeProvider) -> None:
    first.fail("PUT", http=422)


def cut_before(first: FakeProvider) -> None:
    first.fail("PUT", times=2, drop="before")  # the HTTP client repeats a PUT once by itself


def cut_after(first: FakeProvider) -> None:
    first.fail("PUT", times=2, drop="after")


def break_before(first: FakeProvider) -> None:
    first.fail("PUT", http=503)


def break_after(first: FakeProvider) -> None:
    first.fail("PUT", http=503, is_done=True)


def be_busy(first: FakeProvider) -> None:
    first.fail("PUT", http=429)


SURE: dict[Fault, str] = {
    refuse: "second",
    cut_before: "second",
    break_before: "second",
    be_busy: "second",
    cut_after: "first",
    break_after: "first",
}
"""Where the charge is shown from that one fault of the first provider leads to, when it can be searched."""
DOUBTFUL = [cut_before, cut_after, break_before, break_after]


async def tell_maker(shop: Shop, second: FakeProvider, payment: Any, query: Query) -> str:
    """Say whose code was shown; it must be one, and the one of the account that the payment names."""
    bodies = str(query("SELECT body FROM messages WHERE payment_id = %s", payment.id))
    providers = {"first": shop.provider, "second": second}
    shown = [name for name, p in providers.items() if any(c["code"] in bodies for c in p.charges.values())]
    assert len(shown) <= 1
    if not shown:
        return ""
    now = await shop.read(payment.id)
    account = await gateway_accounts.get_by_id(shop.app, now.gateway_account_id)
    assert account.gateway == {"first": "sandbox", "second": "elsewhere"}[shown[0]]
    assert now.code == next(iter(providers[shown[0]].charges.values()))["code"]
    return shown[0]


async def run_again(shop: Shop, payment: Any) -> None:
    """Run the task as the queue would, once; what it puts off is no failure."""
    try:
        await payments.charge(shop.app, payment_id=payment.id)
    except Again:
        return


@pytest.mark.gen_test
@pytest.mark.parametrize("fault", SURE, ids=lambda fault: fault.__name__)
async def test_one_fault_leads_on_only_where_the_first_has_no_charge(
    shop: Shop, second: FakeProvider, query: Query, fault: Fault
) -> None:
    fault(shop.provider)
    payment = await shop.charge()
    assert await tell_maker(shop, second, payment, query) == SURE[fault]
    assert (payment.state, len(second.charges)) == ("pending", int(SURE[fault] == "second"))


@pytest.mark.gen_test
async def test_a_provider_nobody_reaches_is_passed_over(shop: Shop, second: FakeProvider, query: Query) -> None:
    await shop.provider.stop()
    payment = await shop.charge()
    assert await tell_maker(shop, second, payment, query) == "second"
    moves = await shop.app.db.payments.list_transitions(account_id=payment.account_id, payment_id=payment.id)
    assert [move.to_state for move in moves] == ["creating", "creating", "creating", "pending"]
    assert "has no charge" in moves[1].reason


@pytest.mark.gen_test
@pytest.mark.parametrize("fault", DOUBTFUL, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("later", [None, refuse, break_before, break_after], ids=lambda f: f.__name__ if f else "well")
async def test_what_cannot_be_searched_is_not_asked_for_elsewhere(
    shop: Shop, second: FakeProvider, query: Query, fault: Fault, later: Fault | None
) -> None:
    payment = await shop.accept_offer()
    fault(shop.provider)
    shop.provider.fail("GET", http=503)
    with pytest.raises(Again):
        await payments.charge(shop.app, payment_id=payment.id)
    assert second.charges == {} and await tell_maker(shop, second, payment, query) == ""
    if later:
        later(shop.provider)
    await run_again(shop, payment)
    was_made = bool(shop.provider.charges)
    assert await tell_maker(shop, second, payment, query) == ("first" if was_made else "second")
    assert len(second.charges) == (0 if was_made else 1)


@pytest.mark.gen_test
async def test_a_charge_in_doubt_stays_there_while_nobody_reaches_it(
    shop: Shop, second: FakeProvider, query: Query, clock: Clock
) -> None:
    payment = await shop.accept_offer()
    cut_after(shop.provider)
    shop.provider.fail("GET", http=503)
    await run_again(shop, payment)
    await shop.provider.stop()
    with pytest.raises(Again):
        await payments.charge(shop.app, payment_id=payment.id)
    clock.move(seconds=payments.CHARGE_PATIENCE.total_seconds())
    await payments.charge(shop.app, payment_id=payment.id)
    assert (await shop.read(payment.id)).state == "cancelled" and second.charges == {}
    assert len(await shop.list_said(f"p:{payment.id}:failed")) == 1


@pytest.mark.gen_test
@pytest.mark.parametrize("seed", range(SEEDS))
async def test_no_row_of_faults_shows_two_charges(
    shop: Shop, second: FakeProvider, query: Query, clock: Clock, seed: int
) -> None:
    chance = random.Random(seed)
    payment = await shop.accept_offer()
    for _ in range(6):
        for provider in (shop.provider, second):
            provider.faults.clear()
            if chance.random() < 0.8:
                chance.choice([refuse, cut_before, cut_after, break_before, break_after, be_busy])(provider)
            if chance.random() < 0.5:
                provider.fail("GET", http=503)
        await run_again(shop, payment)
        await tell_maker(shop, second, payment, query)
        clock.move(seconds=3)
    shop.provider.faults.clear()
    second.faults.clear()
    await run_again(shop, payment)
    state = (await shop.read(payment.id)).state
    assert (state == "pending") == bool(await tell_maker(shop, second, payment, query))


@pytest.mark.gen_test
async def test_the_buyer_is_told_when_every_account_refuses(shop: Shop, second: FakeProvider, query: Query) -> None:
    refuse(shop.provider)
    refuse(second)
    payment = await shop.charge()
    ((error,),) = query("SELECT error FROM payments WHERE id = %s", payment.id)
    assert payment.state == "cancelled" and error.count("422") == 2
    assert len(await shop.list_said(f"p:{payment.id}:failed")) == 1


@pytest.mark.gen_test
async def test_runs_of_one_charge_at_once_ask_once(shop: Shop, second: FakeProvider, query: Query) -> None:
    payment = await shop.accept_offer()
    await asyncio.gather(*(run_again(shop, payment) for _ in range(4)))
    await run_again(shop, payment)
    assert await tell_maker(shop, second, payment, query) == "first"
    assert sum(method == "PUT" for method, _ in shop.provider.calls) <= 2 and second.calls == []
    assert (await shop.list_moves(payment))[0] == ("new", "creating")
    assert (await shop.list_moves(payment)).count(("new", "creating")) == 1


@pytest.mark.gen_test
async def test_a_charge_made_after_another_run_has_gone_on_is_not_shown(
    shop: Shop, second: FakeProvider, query: Query, expect_errors: list[str]
) -> None:
    payment = await shop.accept_offer()
    ((other_id,),) = query("SELECT id FROM gateway_accounts WHERE gateway = 'elsewhere'")

    async def go_on(txid: str) -> None:
        query("UPDATE payments SET gateway_account_id = %s WHERE id = %s", other_id, payment.id)

    shop.provider.before_answer = go_on
    await payments.charge(shop.app, payment_id=payment.id)
    assert await shop.list_said(f"p:{payment.id}:charged") == [] and "too late" in expect_errors[0]


@pytest.mark.gen_test
async def test_money_of_a_charge_the_first_denied_is_taken_in_all_the_same(
    shop: Shop, second: FakeProvider, clock: Clock
) -> None:
    refuse(shop.provider)
    payment = await shop.charge()
    paid = {"end_to_end_id": "E9", "amount_cents": PRICE_CENTS, "at": clock().isoformat()}
    await shop.receive(write_event(payment.idempotency_key, **paid))
    await shop.apply_events()
    assert (await shop.read(payment.id)).state == "paid"


@pytest.mark.gen_test
async def test_an_event_of_the_second_settles_what_the_second_made(
    shop: Shop, second: FakeProvider, clock: Clock, query: Query
) -> None:
    refuse(shop.provider)
    payment = await shop.charge()
    body = second.pay(payment.txid)
    ((key,),) = query("SELECT key FROM gateway_accounts WHERE gateway = 'elsewhere'")
    await receptions.receive(shop.app, "elsewhere", key, "", "", sign(body, "second secret", clock()), body)
    for event_id in await shop.list_events():
        await events.apply(shop.app, event_id=event_id)
    paid = await shop.read(payment.id)
    assert (paid.state, paid.flags, len(await shop.list_deliveries(payment))) == ("paid", [], 1)


@pytest.mark.gen_test
@pytest.mark.parametrize("limits", [Limits(most_cents=PRICE_CENTS - 1), Limits(least_cents=PRICE_CENTS + 1)])
async def test_a_charge_outside_an_accounts_limits_goes_to_the_next(
    shop: Shop, second: FakeProvider, query: Query, limits: Limits
) -> None:
    await set_limits(shop, limits, query)
    payment = await shop.charge()
    assert await tell_maker(shop, second, payment, query) == "second" and shop.provider.calls == []


@pytest.mark.gen_test
async def test_a_limit_a_day_ends_with_the_sellers_own_day(
    shop: Shop, second: FakeProvider, query: Query, clock: Clock
) -> None:
    await set_limits(shop, Limits(most_day_charges=1), query)
    clock.now = datetime(2026, 3, 3, 2, 58, tzinfo=UTC)  # 23:58 in Sao Paulo
    one = await shop.charge(601)
    two = await shop.charge(602)
    clock.move(minutes=3)
    three = await shop.charge(603)
    first_id = one.gateway_account_id
    assert [p.gateway_account_id == first_id for p in (one, two, three)] == [True, False, True]


@pytest.mark.gen_test
async def test_a_days_limit_holds_for_charges_at_once_and_counts_what_was_made_only(
    shop: Shop, second: FakeProvider, query: Query
) -> None:
    await set_limits(shop, Limits(most_day_cents=3 * PRICE_CENTS), query)
    refuse(shop.provider)
    await shop.charge(600)  # refused there, so it counts for nothing
    waiting = [await shop.accept_offer(chat_id) for chat_id in range(601, 609)]
    await asyncio.gather(*(payments.charge(shop.app, payment_id=payment.id) for payment in waiting))
    assert (len(shop.provider.charges), len(second.charges)) == (3, 6)


async def set_limits(shop: Shop, limits: Limits, query: Query) -> None:
    """Bound the shop's first gateway account."""
    ((first_id,),) = query("SELECT id FROM gateway_accounts WHERE key = %s", shop.key)
    await gateway_accounts.set_limits(shop.app, shop.tenant.account_id, first_id, limits, "test")
    shop.app.gateway_accounts.expire(str(first_id))
