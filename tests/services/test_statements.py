"""Statements: what a lost webhook hid is found at night and settled; what only a person can judge is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from grimbots.conf import metrics
from grimbots.queue.task import Again
from grimbots.services import checks, payments, statements, troubles
from grimbots.services.errors import NotFound
from grimbots.services.gateways.base import Return, ReturnKind
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.provider import FakeProvider
from grimbots.tests.rows import Query
from grimbots.tests.services.elsewhere import Elsewhere, connect, offer
from grimbots.tests.services.shops import PRICE_CENTS, Shop
from grimbots.tests.services.workers import work


@pytest.fixture
def second(io_loop: Any, clock: Clock, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    """Give the provider that the shop is paid through, whose returns a test can tell."""
    offer(monkeypatch)
    fake = FakeProvider(clock)
    io_loop.run_sync(fake.start)
    io_loop.run_sync(lambda: connect(shop, fake, is_backup=False))
    yield fake
    io_loop.run_sync(fake.stop)


async def compare(shop: Shop, gateway: str = "sandbox") -> list[Any]:
    """Go through the last three days of a provider's statement; returns the jobs that follow."""
    account = await find_account(shop, gateway)
    until = shop.app.clock() + timedelta(minutes=2)
    todo, followed = [statements.job(shop.tenant.account_id, account.id, until - statements.SPAN, until)], []
    while todo:
        done = await statements.compare(shop.app, **todo.pop().payload)
        for job in done.follow_ups if done else ():
            (todo if job.task == "statements.compare" else followed).append(job)
    return followed


async def find_account(shop: Shop, gateway: str) -> Any:
    rows = await shop.app.db.gateway_accounts.list_all(account_id=shop.tenant.account_id)
    return next(row for row in rows if row.gateway == gateway)


async def list_kinds(shop: Shop) -> list[tuple[str, int | None]]:
    """Return what is shown to the seller, as (kind, payment)."""
    rows = await statements.list_open(shop.app, shop.tenant.account_id)
    return [(row.kind, row.payment_id) for row in rows]


async def pay(shop: Shop, payment: Any) -> None:
    """Let the buyer pay and the event arrive."""
    await shop.receive(shop.provider.pay(payment.txid, end_to_end_id=f"E{payment.id}"))
    await shop.apply_events()


def find_charge(provider: FakeProvider, payment: Any) -> dict[str, Any]:
    return next(charge for (_, txid), charge in provider.charges.items() if txid == payment.txid)


@pytest.mark.gen_test
async def test_what_a_lost_webhook_hid_is_settled_and_told_once(shop: Shop, query: Query, clock: Clock) -> None:
    lost, unpaid = await shop.charge(601), await shop.charge(602)
    shop.provider.pay(lost.txid)
    query("UPDATE payments SET state = 'expired', next_check_at = NULL")  # and nobody asks about it any more
    clock.move(days=2)
    jobs = await compare(shop)
    moves = await shop.app.db.payments.list_transitions(account_id=lost.account_id, payment_id=lost.id)
    assert (moves[-1].to_state, moves[-1].actor) == ("paid", "statement") and len(jobs) == 2
    assert (await shop.read(unpaid.id)).state == "expired" and len(await shop.list_deliveries(lost)) == 1
    assert await list_kinds(shop) == [("unseen", lost.id)]
    assert await compare(shop) == [] and await list_kinds(shop) == [("unseen", lost.id)]
    account = await find_account(shop, "sandbox")
    assert (account.compared_at, account.compare_error) == (clock(), None)
    clock.move(days=4)
    assert await list_kinds(shop) == []


@pytest.mark.gen_test
async def test_what_is_as_we_know_it_is_no_difference(shop: Shop) -> None:
    await pay(shop, await shop.charge(601))
    await shop.charge(602)
    assert await compare(shop) == [] and await list_kinds(shop) == []


@pytest.mark.gen_test
async def test_money_that_went_back_unseen_is_taken_in(shop: Shop, second: FakeProvider, clock: Clock) -> None:
    payment = await shop.charge()
    second.pay(payment.txid)
    await payments.verify(shop.app, payment_id=payment.id, cause="u:1:1")
    back = Return("r1", "E1", PRICE_CENTS, clock(), ReturnKind.REFUND, is_settled=True)
    Elsewhere.returns[payment.txid] = (back,)
    await compare(shop, "elsewhere")
    assert (await shop.read(payment.id)).state == "refunded" and await list_kinds(shop) == [("returned", payment.id)]
    await compare(shop, "elsewhere")
    assert await list_kinds(shop) == [("returned", payment.id)]


@pytest.mark.gen_test
async def test_what_only_a_person_can_judge_is_shown_until_he_closes_it(shop: Shop, clock: Clock) -> None:
    gone, unlisted, other, foreign = [await shop.charge(chat_id) for chat_id in range(601, 605)]
    for payment in (gone, unlisted, other):
        await pay(shop, payment)
    find_charge(shop.provider, gone)["paid"].clear()
    find_charge(shop.provider, other)["amount_cents"] += 1
    del shop.provider.charges["api key of tenant1", unlisted.txid]
    made = shop.provider.charges.pop(("api key of tenant1", foreign.txid))
    shop.provider.charges["api key of tenant1", "anothershop"] = {**made, "txid": "anothershop", "id": "ch_other"}
    shop.provider.pay("anothershop")
    clock.move(hours=1)
    await compare(shop)
    found = {("unpaid", gone.id), ("missing", unlisted.id), ("amount", other.id), ("stranger", None)}
    assert set(await list_kinds(shop)) == found
    assert [(await shop.read(p.id)).state for p in (gone, unlisted, other)] == ["paid"] * 3
    await troubles.measure(shop.app)
    assert {kind: metrics.statement_differences.labels(kind)._value.get() for kind in ("unpaid", "unseen")} == {
        "unpaid": 1,
        "unseen": 0,
    }
    for row in await statements.list_open(shop.app, shop.tenant.account_id):
        await statements.close(shop.app, shop.tenant.account_id, row.id, "test")
    await compare(shop)
    assert await list_kinds(shop) == []


@pytest.mark.gen_test
async def test_one_account_neither_sees_nor_closes_anothers(shops: list[Shop]) -> None:
    mine, other = shops
    payment = await mine.charge()
    mine.provider.pay(payment.txid)
    await compare(other)
    assert await list_kinds(other) == [] and (await mine.read(payment.id)).state == "pending"
    await compare(mine)
    (row,) = await statements.list_open(mine.app, mine.tenant.account_id)
    with pytest.raises(NotFound):
        await statements.close(other.app, other.tenant.account_id, row.id, "test")


@pytest.mark.gen_test
async def test_a_provider_that_does_not_answer_is_waited_for_until_morning(shop: Shop, clock: Clock) -> None:
    account = await find_account(shop, "sandbox")
    until = clock()
    shop.provider.fail("GET", times=2, http=503)
    job = statements.job(shop.tenant.account_id, account.id, until - statements.SPAN, until)
    with pytest.raises(Again) as told:
        await statements.compare(shop.app, **job.payload)
    clock.move(seconds=statements.PATIENCE.total_seconds())
    done = await statements.compare(shop.app, **job.payload)
    after = await find_account(shop, "sandbox")
    assert not told.value.spend and done and not done.follow_ups and "503" in after.compare_error


@pytest.mark.gen_test
async def test_a_statement_that_cannot_be_listed_is_shown_as_such(shop: Shop) -> None:
    await shop.charge()
    shop.provider.fail("GET", http=403)
    await compare(shop)
    assert "403" in (await find_account(shop, "sandbox")).compare_error


@pytest.mark.gen_test
async def test_each_statement_is_gone_through_once_a_night(shop: Shop, clock: Clock) -> None:
    payment = await shop.charge()
    shop.provider.pay(payment.txid)
    await statements.hand_out(shop.app)
    assert (await find_account(shop, "sandbox")).compared_at is None  # it is noon
    clock.now = datetime(2026, 3, 3, 5, 30, tzinfo=UTC)  # half past two in Sao Paulo
    async with work(shop.app):
        await statements.hand_out(shop.app)
        async with shop.app.db.transaction() as tx:
            assert (
                await tx.gateway_accounts.claim_comparisons(
                    now=clock(), before=clock() - statements.ANEW_AFTER, limit=9
                )
                == []
            )
        async with asyncio.timeout(30):
            while (await find_account(shop, "sandbox")).compare_error is not None:
                await asyncio.sleep(0.01)
    assert (await shop.read(payment.id)).state == "paid"
    assert sum(method == "GET" for method, _ in shop.provider.calls) == statements.SPAN // statements.WINDOW


@pytest.mark.gen_test
async def test_a_provider_that_is_not_offered_any_more_is_not_asked(shop: Shop, clock: Clock) -> None:
    await shop.charge()
    clock.now = datetime(2026, 3, 3, 5, 30, tzinfo=UTC)
    closed = replace(shop.app, settings=replace(shop.app.settings, sandbox=False))
    await statements.hand_out(closed)
    assert "not offer" in (await find_account(shop, "sandbox")).compare_error


@pytest.mark.gen_test
async def test_a_statement_that_cannot_be_had_holds_up_no_check(shop: Shop, clock: Clock) -> None:
    """A list too long to be read was asked for every minute, with 357 checks of charges behind it."""
    payment = await shop.charge()
    shop.provider.fail("GET", http=503)
    account = await find_account(shop, "sandbox")
    listing = statements.job(shop.tenant.account_id, account.id, clock() - statements.SPAN, clock())
    with pytest.raises(Again):
        await statements.compare(shop.app, **listing.payload)
    assert listing.group != checks.job(payment).group
