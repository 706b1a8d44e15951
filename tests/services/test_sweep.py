"""The sweep: whatever Redis forgets, what Postgres holds planned gets its jobs again, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis.asyncio

from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.inspector import Inspector
from grimbots.queue.task import Again
from grimbots.services import deliveries, events, leads, messages, payments
from grimbots.services.sweep import BATCH, PATIENCE, sweep
from grimbots.tests.conftest import Clock
from grimbots.tests.services.chats import Chat, read_payload
from grimbots.tests.services.shops import Shop
from grimbots.tests.services.workers import work

LONG_ENOUGH = PATIENCE.total_seconds() + 1
DEAD = "its job is dead"


async def empty_redis(app: Any) -> None:
    async with redis.asyncio.from_url(app.queue.url, protocol=3) as client:
        await client.flushall()


async def has_job(app: Any, job: Any) -> bool:
    return await Inspector(app.queue).job(job.id) is not None


async def begin_charge(shop: Shop, chat_id: int) -> Any:
    """Let a lead accept the offer and leave the provider's answer open; returns the payment in `creating`."""
    payment = await shop.accept_offer(chat_id)
    shop.provider.fail("PUT", times=2, drop="before")
    with pytest.raises(Again):
        await payments.charge(shop.app, payment_id=payment.id)
    return await shop.read(payment.id)


@pytest.mark.gen_test
async def test_sweep_brings_everything_back_after_redis_was_emptied(
    shop: Shop, chat: Chat, clock: Clock, fake_telegram: Any, query: Callable[..., Any]
) -> None:
    for text in "123":
        await shop.app.queue.enqueue(messages.job(await chat.plan(text)))
    new, creating, told = await shop.accept_offer(601), await begin_charge(shop, 602), await shop.charge(603)
    assert (new.state, creating.state, told.state) == ("new", "creating", "pending")
    await shop.receive(shop.provider.pay(told.txid))
    await empty_redis(shop.app)

    clock.move(seconds=LONG_ENOUGH)
    assert (
        await sweep(shop.app) == 3 + 2 + 2 + 1
    )  # the chat's, the code's two of 603, the charges of 601 and 602, the event
    async with work(shop.app):
        await fake_telegram.wait_for_calls(
            3 + 2 + 2 + 2 + 2
        )  # then the codes of 601 and 602, and what 603 has paid for
    assert [(await shop.read(each.id)).state for each in (new, creating, told)] == ["pending", "pending", "paid"]
    assert query("SELECT DISTINCT status FROM provider_events") == [("applied",)]
    assert query("SELECT DISTINCT status FROM messages") == [("sent",)]
    for (sent,) in query("SELECT array_agg(telegram_message_id ORDER BY id) FROM messages GROUP BY chat_id"):
        assert sent == sorted(sent)


@pytest.mark.gen_test
async def test_sweep_reaches_the_newest_behind_many_that_wait(app: Any, chat: Chat, clock: Clock) -> None:
    chat.execute(
        "INSERT INTO messages (account_id, bot_id, lead_id, chat_id, cause, ordinal, method, body, policy, planned_at)"
        " SELECT account_id, bot_id, id, n, 'u:1:1', n, 'sendMessage', '{}', 'retry', created_at"
        " FROM leads CROSS JOIN generate_series(1, %s) AS n",
        2 * BATCH,
    )
    newest = await chat.plan()
    clock.move(seconds=LONG_ENOUGH)
    assert await sweep(app) == 2 * BATCH + 1
    assert await has_job(app, messages.job(newest))
    (tasks,) = [depth for depth in await Inspector(app.queue).queues() if depth.queue == "tasks"]
    assert tasks.pending == 2 * BATCH + 1


@pytest.mark.gen_test
async def test_sweep_leaves_alone_what_is_younger_than_its_patience(app: Any, chat: Chat, clock: Clock) -> None:
    message = await chat.plan()
    clock.move(seconds=PATIENCE.total_seconds())
    assert await sweep(app) == 0
    clock.move(seconds=1)
    assert await sweep(app) == 1
    assert await has_job(app, messages.job(message))


@pytest.mark.gen_test
@pytest.mark.parametrize(("policy", "end"), [("retry", ("sent", True)), ("once", ("uncertain", False))])
async def test_sweep_ends_an_attempt_that_ended_without_telling(
    app: Any, chat: Chat, clock: Clock, fake_telegram: Any, policy: str, end: tuple[str, bool]
) -> None:
    begun, next_one = await chat.plan(policy=policy), await chat.plan()
    await app.db.messages.claim(**read_payload(app, begun.id), now=clock())
    clock.move(seconds=LONG_ENOUGH)
    assert await sweep(app) == 2
    async with work(app):
        await fake_telegram.wait_for_calls(2 if policy == "retry" else 1)
    assert (chat.read(begun).status, chat.read(begun).resent) == end
    assert chat.read(next_one).status == "sent"


@pytest.mark.gen_test
async def test_sweep_by_two_processes_at_once_sends_nothing_twice(
    app: Any, chat: Chat, clock: Clock, fake_telegram: Any, database_url: str
) -> None:
    planned = [await chat.plan(text) for text in "123"]
    await app.queue.enqueue(messages.job(planned[0]))
    clock.move(seconds=LONG_ENOUGH)
    await asyncio.gather(sweep(app), sweep(app))
    last = await Chat(app, chat.tenant, database_url, chat_id=502).open()
    async with work(app):
        await fake_telegram.wait_for_calls(3)
        await app.queue.enqueue(messages.job(await last.plan("behind them")))
        await fake_telegram.wait_for_calls(4)
    assert [call.params["text"] for call in fake_telegram.calls] == ["1", "2", "3", "behind them"]


@pytest.mark.gen_test
async def test_sweep_passes_while_another_process_has_the_turn(app: Any, chat: Chat, clock: Clock) -> None:
    message = await chat.plan()
    clock.move(seconds=LONG_ENOUGH)
    async with app.db.transaction() as other:
        assert await other.duties.take_turn(duty="sweep")
        assert await sweep(app) == 0
    assert not await has_job(app, messages.job(message))
    assert await sweep(app) == 1


@pytest.mark.gen_test
async def test_sweep_closes_a_message_whose_job_is_dead_once(
    app: Any, chat: Chat, clock: Clock, expect_errors: list[str]
) -> None:
    message = await chat.plan()
    await app.queue.bury(messages.job(message), "it always fails")
    clock.move(seconds=LONG_ENOUGH)
    await asyncio.gather(sweep(app), sweep(app))
    assert await sweep(app) == 0
    assert (chat.read(message).status, chat.read(message).error) == ("failed", DEAD)
    assert len(expect_errors) == 1 and messages.job(message).id in expect_errors[0]


@pytest.mark.gen_test
async def test_sweep_cancels_a_payment_whose_job_is_dead_once_and_tells_the_buyer(
    shop: Shop, clock: Clock, expect_errors: list[str]
) -> None:
    payment = await shop.accept_offer()
    await shop.app.queue.bury(payments.job(payment), "it always fails")
    clock.move(seconds=LONG_ENOUGH)
    assert await sweep(shop.app) == 1
    assert await sweep(shop.app) == 0
    (transition,) = await shop.app.db.payments.list_transitions(
        account_id=shop.tenant.account_id, payment_id=payment.id
    )
    assert (transition.to_state, transition.actor, transition.reason) == ("cancelled", "sweep", DEAD)
    (said,) = await shop.list_said(f"p:{payment.id}:failed")
    assert await has_job(shop.app, messages.job(said))
    assert len(expect_errors) == 1 and payments.job(payment).id in expect_errors[0]


@pytest.mark.gen_test
async def test_sweep_closes_an_event_whose_job_is_dead_once(
    shop: Shop, clock: Clock, expect_errors: list[str], query: Callable[..., Any]
) -> None:
    payment = await shop.charge()
    (event,) = await store_event_without_job(shop, payment)
    await shop.app.queue.bury(events.job(event), "it always fails")
    clock.move(seconds=LONG_ENOUGH)
    await sweep(shop.app)
    await sweep(shop.app)
    assert query("SELECT status, reason, settled_at FROM provider_events") == [("failed", DEAD, clock())]
    assert len(expect_errors) == 1 and events.job(event).id in expect_errors[0]


async def store_event_without_job(shop: Shop, payment: Any) -> Any:
    """Receive the event of a payment while the queue is away."""
    away = replace(shop, app=replace(shop.app, queue=make_queue_away()))
    await away.receive(shop.provider.pay(payment.txid))
    later = shop.app.clock() + PATIENCE
    return await shop.app.db.provider_events.list_stale(before=later, after=0, limit=9)


def make_queue_away() -> Queue:
    return Queue("redis://127.0.0.1:1", consumer_host="test", slot=1, queue_slots={})


@pytest.mark.gen_test
async def test_sweep_with_the_queue_away_leaves_all_for_the_next(app: Any, chat: Chat, clock: Clock) -> None:
    message = await chat.plan()
    clock.move(seconds=LONG_ENOUGH)
    with pytest.raises(QueueUnavailable):
        await sweep(replace(app, queue=make_queue_away()))
    assert await sweep(app) == 1
    assert await has_job(app, messages.job(message))


@pytest.mark.gen_test
async def test_sweep_gives_a_regranted_delivery_a_job_though_its_first_one_is_dead(
    shop: Shop, clock: Clock, expect_errors: list[str]
) -> None:
    payment = await shop.charge()
    await shop.receive(shop.provider.pay(payment.txid))
    *_, first = await shop.apply_events()
    await shop.app.queue.bury(first, "it always fails")
    clock.move(seconds=LONG_ENOUGH)
    await sweep(shop.app)
    assert [each.status for each in await shop.list_deliveries(payment)] == ["failed"]
    async with shop.app.db.transaction() as tx:  # the buyer is back, and the process dies before the job is enqueued
        lead = await leads.lock_by_id(tx, account_id=payment.account_id, lead_id=payment.lead_id)
        (again,) = await deliveries.regrant(shop.app, tx, lead)
    clock.move(seconds=LONG_ENOUGH)
    await sweep(shop.app)
    assert await has_job(shop.app, again)
    await messages.send(shop.app, **again.payload)
    assert [each.status for each in await shop.list_deliveries(payment)] == ["delivered"]
    assert len(expect_errors) == 1
