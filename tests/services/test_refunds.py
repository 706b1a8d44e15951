"""Refunds: asked for once, done once, followed until they are decided, whoever dies and whatever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from grimbots.queue.task import Again
from grimbots.services import ledger, refunds, sweep
from grimbots.services.errors import Conflict, Invalid, NotFound
from grimbots.sql.database import Database
from grimbots.tests.services.returning import go_back, read_book, receive
from grimbots.tests.services.shops import PRICE_CENTS, Shop

Query = Callable[..., list[Any]]


async def sell(shop: Shop, *transfers: str) -> Any:
    """Sell once, over the provider; returns the paid payment."""
    payment = await shop.charge()
    for transfer in transfers or ("E1",):
        shop.provider.pay(payment.txid, end_to_end_id=transfer)
        await receive(shop, payment, transfer)
    return await shop.read(payment.id)


async def ask(shop: Shop, payment: Any, **wanted: Any) -> Any:
    """Ask for a refund as the account's owner would."""
    which = {"account_id": payment.account_id, "payment_id": payment.id}
    return await refunds.ask(shop.app, **which, actor="user:1", **wanted)


async def finish(shop: Shop, row: Any) -> list[Any]:
    """Run the refund's job until it is done; returns its follow-ups."""
    while True:
        try:
            done = await refunds.do(shop.app, return_id=row.id)
        except Again:
            shop.app.clock.move(minutes=1)
        else:
            return list(done.follow_ups) if done else []


@pytest.mark.gen_test
async def test_a_refund_gives_all_back_and_ends_the_sale(shop: Shop, query: Query) -> None:
    payment = await sell(shop)
    row = await ask(shop, payment)
    assert (await shop.read(payment.id)).state == "refund_pending" and shop.provider.refunds == {}
    follow_ups = await finish(shop, row)
    assert len(follow_ups) == 1 and (await shop.read(payment.id)).state == "refunded"
    ((key,),) = query("SELECT idempotency_key FROM payment_returns")
    assert list(shop.provider.refunds) == [key] and read_book(query, payment) == {}
    assert query("SELECT actor, action FROM audit WHERE action = 'payment.refund'") == [("user:1", "payment.refund")]


@pytest.mark.gen_test
async def test_the_same_form_sent_twice_asks_once(shop: Shop, query: Query) -> None:
    payment = await sell(shop)
    rows = await asyncio.gather(*(ask(shop, payment, amount_cents=500, request_key="form 1") for _ in range(3)))
    assert len({row.id for row in rows}) == 1
    await asyncio.gather(*(finish(shop, row) for row in rows))
    assert query("SELECT count(*), sum(amount_cents)::integer FROM payment_returns") == [(1, 500)]
    assert len(shop.provider.refunds) == 1


@pytest.mark.gen_test
async def test_two_people_at_once_give_back_no_more_than_there_is(shop: Shop) -> None:
    payment = await sell(shop)
    asked = await asyncio.gather(*(ask(shop, payment) for _ in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in asked) == ["Conflict", "payment_returns_add"]


@pytest.mark.gen_test
async def test_what_cannot_go_back_is_refused_in_words(shops: list[Shop]) -> None:
    payment = await sell(shops[0])
    for wanted, error in (({"amount_cents": PRICE_CENTS + 1}, Conflict), ({"amount_cents": 0}, Invalid)):
        with pytest.raises(error):
            await ask(shops[0], payment, **wanted)
    with pytest.raises(NotFound):
        await ask(shops[0], payment, end_to_end_id="E9")
    with pytest.raises(NotFound):
        await refunds.ask(shops[1].app, account_id=shops[1].tenant.account_id, payment_id=payment.id, actor="user:1")
    await go_back(shops[0], payment, "D1", "dispute", "open", cents=10)
    with pytest.raises(Conflict):
        await ask(shops[0], payment)


@pytest.mark.gen_test
async def test_paid_twice_gives_back_one_at_a_time(shop: Shop) -> None:
    payment = await sell(shop, "E1", "E2")
    with pytest.raises(Invalid, match="E1, E2"):
        await ask(shop, payment)
    await finish(shop, await ask(shop, payment, end_to_end_id="E2"))
    assert (await shop.read(payment.id)).state == "paid"
    await finish(shop, await ask(shop, payment))
    assert (await shop.read(payment.id)).state == "refunded"


@pytest.mark.gen_test
async def test_a_refund_that_takes_time_is_followed_until_it_is_done(shop: Shop, clock: Any) -> None:
    payment = await sell(shop)
    shop.provider.refund_status = "pending"
    row = await ask(shop, payment)
    waits = []
    for _ in range(4):
        with pytest.raises(Again) as put_off:
            await refunds.do(shop.app, return_id=row.id)
        assert not put_off.value.spend
        waits.append(put_off.value.after_seconds)
        clock.move(hours=1)
    assert waits[0] == 2 and waits[-1] == 3600
    shop.provider.give_back(payment.txid, row.idempotency_key, status="done")
    await finish(shop, row)
    assert (await shop.read(payment.id)).state == "refunded"


@pytest.mark.gen_test
async def test_a_refund_that_fails_leaves_the_sale_as_it_was(shop: Shop, query: Query) -> None:
    payment = await sell(shop)
    shop.provider.refund_status = "pending"
    row = await ask(shop, payment)
    with pytest.raises(Again):
        await refunds.do(shop.app, return_id=row.id)
    shop.provider.give_back(payment.txid, row.idempotency_key, status="void")
    await finish(shop, row)
    assert (await shop.read(payment.id)).state == "paid"
    ((reason,),) = query("SELECT reason FROM payment_returns")
    assert "422" in reason
    shop.provider.refund_status = "done"
    await finish(shop, await ask(shop, payment))
    assert (await shop.read(payment.id)).state == "refunded"


@pytest.mark.gen_test
@pytest.mark.parametrize("drop", ["before", "after"])
async def test_in_doubt_the_same_key_is_asked_again(shop: Shop, drop: str) -> None:
    payment = await sell(shop)
    row = await ask(shop, payment)
    shop.provider.fail("PUT", times=2, drop=drop)
    with pytest.raises(Again) as put_off:
        await refunds.do(shop.app, return_id=row.id)
    assert not put_off.value.spend
    await finish(shop, row)
    assert list(shop.provider.refunds) == [row.idempotency_key]


@pytest.mark.gen_test
async def test_an_event_that_overtakes_the_answer_is_the_same_refund(shop: Shop, query: Query) -> None:
    payment = await sell(shop)
    row = await ask(shop, payment)
    await go_back(shop, payment, row.idempotency_key)
    await finish(shop, row)
    assert query("SELECT status, return_id FROM payment_returns") == [("settled", row.idempotency_key)]
    assert await ledger.check(shop.app) == []


class Killed(Exception):
    """The process died here."""


@asynccontextmanager
async def kill_at(monkeypatch: pytest.MonkeyPatch, number: int, *, before: bool) -> AsyncIterator[None]:
    """Let the process die right before or after its so-many-th commit."""
    whole, counted = Database.transaction, [0]

    @asynccontextmanager
    async def transaction(self: Database) -> AsyncIterator[Any]:
        async with whole(self) as tx:
            yield tx
            counted[0] += 1
            if before and counted[0] == number:
                raise Killed
        if counted[0] == number:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Database, "transaction", transaction)
        yield


@pytest.mark.gen_test
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("number", [1, 2, 3])
async def test_killed_at_any_commit_it_is_refunded_once_and_the_buyer_is_told_once(
    shop: Shop, query: Query, monkeypatch: pytest.MonkeyPatch, number: int, before: bool
) -> None:
    payment = await sell(shop)
    wanted = {"amount_cents": 500, "request_key": "form 1"}
    async with kill_at(monkeypatch, number, before=before):
        with suppress(Killed):
            await finish(shop, await ask(shop, payment, **wanted))
    row = await ask(shop, payment, **wanted)
    jobs = await finish(shop, row)
    assert len(jobs) == 1 and len(shop.provider.refunds) == 1
    assert query("SELECT count(*) FROM payment_returns WHERE status = 'settled'") == [(1,)]
    assert query("SELECT count(*) FROM messages WHERE cause LIKE '%%:return:%%'") == [(1,)]
    assert (await shop.read(payment.id)).state == "partially_refunded" and await ledger.check(shop.app) == []


@pytest.mark.gen_test
async def test_what_was_asked_for_without_a_queue_is_found_by_the_sweep(shop: Shop, clock: Any) -> None:
    row = await ask(shop, await sell(shop))
    clock.move(seconds=4)
    (stale,) = await shop.app.db.payment_returns.list_stale(before=clock(), after=0, limit=9)
    kind = next(kind for kind in sweep.KINDS if kind.name == "refund")
    assert kind.job(stale) == refunds.job(row)
    await refunds.give_up(shop.app, stale, "its job is dead")
    assert await shop.app.db.payment_returns.list_stale(before=clock(), after=0, limit=9) == []
    assert await shop.app.db.ledger.count_stuck() == 1
    await finish(shop, row)
    assert await shop.app.db.ledger.count_stuck() == 0
