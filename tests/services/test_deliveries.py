"""Deliveries: tried until Telegram has the message; what failed is visible and given on the buyer's return, once."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from grimbots.queue.task import Again
from grimbots.services import deliveries, leads, messages, payments
from grimbots.services.funnels import versions
from grimbots.tests.conftest import Clock
from grimbots.tests.services.chats import read_payload, send_planned
from grimbots.tests.services.shops import FUNNEL, PRICE_CENTS, Shop

BLOCKED = "Forbidden: bot was blocked by the user"


async def sell(shop: Shop, chat_id: int = 501) -> Any:
    """Sell once; returns the paid payment."""
    payment = await shop.charge(chat_id)
    told = {"paid_cents": PRICE_CENTS, "paid_at": shop.app.clock(), "end_to_end_id": "E1", "actor": "webhook"}
    await payments.settle(shop.app, payment_id=payment.id, account_id=payment.account_id, reason="told", **told)
    return payment


async def read_delivery(shop: Shop, payment: Any) -> Any:
    """Return the payment's one delivery."""
    (delivery,) = await shop.list_deliveries(payment)
    return delivery


async def return_to(shop: Shop, payment: Any) -> list[Any]:
    """Let the buyer come back; returns the jobs this makes."""
    async with shop.app.db.transaction() as tx:
        lead = await leads.lock_by_id(tx, account_id=payment.account_id, lead_id=payment.lead_id)
        await leads.set_status(tx, lead, "active", shop.app.clock())
        return await deliveries.regrant(shop.app, tx, lead)


@pytest.mark.gen_test
async def test_delivery_is_delivered_once_telegram_has_its_message(shop: Shop) -> None:
    payment = await sell(shop)
    await send_planned(shop.app, (await read_delivery(shop, payment)).message_id)
    delivery = await read_delivery(shop, payment)
    assert (delivery.status, delivery.delivered_at) == ("delivered", shop.app.clock())


@pytest.mark.gen_test
async def test_delivery_to_a_buyer_who_blocked_the_bot_is_given_on_return_once(shop: Shop, fake_telegram: Any) -> None:
    payment = await sell(shop)
    fake_telegram.answer("sendMessage", http=403, description=BLOCKED, times=1)
    await send_planned(shop.app, (await read_delivery(shop, payment)).message_id)
    failed = await read_delivery(shop, payment)
    assert (failed.status, failed.error) == ("failed", BLOCKED)

    (job,) = await return_to(shop, payment)
    await messages.send(shop.app, **job.payload)
    assert (await read_delivery(shop, payment)).status == "delivered"
    assert await return_to(shop, payment) == []
    assert len(fake_telegram.list_calls("sendMessage")) == 2


@pytest.mark.gen_test
async def test_regrant_makes_a_job_the_queue_has_not_seen(shop: Shop, fake_telegram: Any, clock: Any) -> None:
    payment = await sell(shop)
    fake_telegram.answer("sendMessage", http=403, description=BLOCKED)
    seen = set()
    for _ in range(3):
        clock.move(minutes=1)
        await send_planned(shop.app, (await read_delivery(shop, payment)).message_id)
        seen |= {job.id for job in await return_to(shop, payment)}
    assert len(seen) == 3


@pytest.mark.gen_test
async def test_regrant_gives_nothing_of_another_lead(shops: list[Shop], fake_telegram: Any) -> None:
    shop, neighbour = shops
    mine, other, foreign = await sell(shop), await sell(shop, 502), await sell(neighbour)
    fake_telegram.answer("sendMessage", http=403, description=BLOCKED)
    await send_planned(shop.app, (await read_delivery(shop, mine)).message_id)
    assert await return_to(shop, other) == await return_to(neighbour, foreign) == []
    assert (await read_delivery(shop, mine)).status == "failed"


@pytest.mark.gen_test
async def test_delivery_given_up_while_telegram_answers_is_delivered(shop: Shop, fake_telegram: Any) -> None:
    payment, answer = await sell(shop), asyncio.Event()
    message_id = (await read_delivery(shop, payment)).message_id
    fake_telegram.answer("sendMessage", until=answer)
    sending = asyncio.create_task(send_planned(shop.app, message_id))
    await fake_telegram.wait_for_calls(1)
    (given_up,) = [row for row in await shop.list_said(f"p:{payment.id}:paid") if row.id == message_id]
    await messages.give_up(shop.app, given_up, "its job is dead")
    assert (await read_delivery(shop, payment)).error == "its job is dead"
    answer.set()
    await sending
    delivery = await read_delivery(shop, payment)
    assert (delivery.status, delivery.error, delivery.delivered_at) == ("delivered", None, shop.app.clock())


async def list_attempts(shop: Shop, payment: Any) -> list[tuple[str, str | None]]:
    """Return how each try of the payment's delivery ended, and why."""
    delivery = await read_delivery(shop, payment)
    rows = await shop.app.db.deliveries.list_attempts(account_id=payment.account_id, delivery_id=delivery.id)
    return [(row.status, row.error) for row in rows]


async def send_until_it_ends(shop: Shop, clock: Clock, payload: dict[str, Any]) -> None:
    """Send a message as its job would, again and again, until it neither waits nor is tried again by itself."""
    while True:
        try:
            await messages.send(shop.app, **payload)
        except Again as again:
            clock.move(seconds=again.after_seconds)
        else:
            return


async def fire_retries(shop: Shop) -> list[Any]:
    """Run the delivery timers that are due; returns the jobs they lead to."""
    now = shop.app.clock()
    due = await shop.app.db.timers.claim_due(now=now, claimed_until=now, limit=9)
    done = [
        await deliveries.retry(shop.app, timer_id=timer.id, **timer.payload)
        for timer in due
        if timer.kind == deliveries.retry.name
    ]
    return [job for one in done if one for job in one.follow_ups]


async def let_pass(shop: Shop, clock: Clock, **span: float) -> list[str]:
    """Let time pass in steps of 15 s, doing what the timers ask for; returns the ids of the jobs."""
    end, ids = clock() + timedelta(**span), []
    while clock() < end:
        clock.move(seconds=15)
        for job in await fire_retries(shop):
            ids.append(job.id)
            await send_until_it_ends(shop, clock, job.payload)
    return ids


@pytest.mark.gen_test
@pytest.mark.parametrize("outage", [{"http": 502, "description": "Bad Gateway"}, {"drop": "after"}, {"drop": "before"}])
async def test_delivery_outlives_an_outage_of_telegram_by_itself(
    shop: Shop, fake_telegram: Any, clock: Clock, outage: dict[str, Any]
) -> None:
    payment = await sell(shop)
    fake_telegram.answer("sendMessage", **outage)
    message_id = (await read_delivery(shop, payment)).message_id
    await send_until_it_ends(shop, clock, read_payload(shop.app, message_id))
    ids = await let_pass(shop, clock, minutes=6)
    failed = await read_delivery(shop, payment)
    assert failed.status == "failed" and failed.tries >= 3 and len(set(ids)) == len(ids) == failed.tries - 1

    fake_telegram.answer("sendMessage", result={"message_id": 5, "date": 0, "chat": {"id": 501}})
    await let_pass(shop, clock, minutes=10)
    delivery = await read_delivery(shop, payment)
    attempts = await list_attempts(shop, payment)
    assert delivery.status == "delivered" and [status for status, _ in attempts][-2:] == ["failed", "delivered"]
    assert len(attempts) == delivery.tries and all(error for status, error in attempts if status == "failed")
    calls = len(fake_telegram.list_calls("sendMessage"))
    await let_pass(shop, clock, days=0.2)
    assert len(fake_telegram.list_calls("sendMessage")) == calls


@pytest.mark.gen_test
async def test_delivery_whose_job_is_dead_is_tried_again(shop: Shop, clock: Clock) -> None:
    payment = await sell(shop)
    message_id = (await read_delivery(shop, payment)).message_id
    message = (await shop.list_said(f"p:{payment.id}:paid"))[-1]
    assert message.id == message_id
    await messages.give_up(shop.app, message, "its job is dead")
    clock.move(minutes=1)
    (job,) = await fire_retries(shop)
    assert job.id != messages.job(message).id
    await messages.send(shop.app, **job.payload)
    assert (await read_delivery(shop, payment)).status == "delivered"


@pytest.mark.gen_test
async def test_delivery_to_a_dead_chat_waits_for_the_buyer_and_asks_telegram_no_more(
    shop: Shop, fake_telegram: Any, clock: Clock
) -> None:
    payment = await sell(shop)
    fake_telegram.answer("sendMessage", http=403, description=BLOCKED, times=1)
    await send_planned(shop.app, (await read_delivery(shop, payment)).message_id)
    clock.move(days=2)
    assert await fire_retries(shop) == []
    assert len(fake_telegram.list_calls("sendMessage")) == 1
    (job,) = await return_to(shop, payment)
    await messages.send(shop.app, **job.payload)
    assert (await read_delivery(shop, payment)).status == "delivered"


@pytest.mark.gen_test
async def test_a_retry_that_comes_after_the_word_that_it_was_sent_sends_nothing(
    shop: Shop, fake_telegram: Any, clock: Clock
) -> None:
    payment = await sell(shop)
    message = (await shop.list_said(f"p:{payment.id}:paid"))[-1]
    await messages.give_up(shop.app, message, "its job is dead")
    async with shop.app.db.transaction() as tx:
        late = {"telegram_message_id": 9, "error": None, "now": clock(), "since": clock()}
        sent = await tx.messages.mark_sent(message_id=message.id, **late)
        await deliveries.conclude(tx, message=sent, now=clock())
    clock.move(minutes=1)
    assert await fire_retries(shop) == [] and fake_telegram.list_calls("sendMessage") == []
    assert await list_attempts(shop, payment) == [("failed", "its job is dead"), ("delivered", None)]


@pytest.mark.gen_test
async def test_the_word_that_it_was_sent_wins_over_a_retry_that_is_planned(
    shop: Shop, fake_telegram: Any, clock: Clock
) -> None:
    payment = await sell(shop)
    message = (await shop.list_said(f"p:{payment.id}:paid"))[-1]
    await messages.give_up(shop.app, message, "its job is dead")
    clock.move(minutes=1)
    (job,) = await fire_retries(shop)
    async with shop.app.db.transaction() as tx:
        late = {"telegram_message_id": 9, "error": None, "now": clock(), "since": clock()}
        sent = await tx.messages.mark_sent(message_id=message.id, **late)
        await deliveries.conclude(tx, message=sent, now=clock())
    await messages.send(shop.app, **job.payload)
    assert (await read_delivery(shop, payment)).status == "delivered"
    assert fake_telegram.list_calls("sendMessage") == []


@pytest.mark.gen_test
async def test_retry_run_twice_plans_once(shop: Shop, clock: Clock) -> None:
    payment = await sell(shop)
    await messages.give_up(shop.app, (await shop.list_said(f"p:{payment.id}:paid"))[-1], "its job is dead")
    clock.move(minutes=1)
    first, second = await fire_retries(shop), await fire_retries(shop)
    assert (len(first), second) == (1, [])


@pytest.mark.gen_test
async def test_retry_tries_no_other_delivery_of_the_buyer(shop: Shop, clock: Clock) -> None:
    first = await sell(shop)
    clock.move(minutes=1)
    second = await shop.charge(update_id=77)
    told = {"paid_cents": PRICE_CENTS, "paid_at": clock(), "end_to_end_id": "E2", "actor": "webhook"}
    await payments.settle(shop.app, payment_id=second.id, account_id=second.account_id, reason="told", **told)
    for number, payment in enumerate((first, second)):
        clock.move(seconds=30 * number)
        await messages.give_up(shop.app, (await shop.list_said(f"p:{payment.id}:paid"))[-1], "its job is dead")
    clock.move(seconds=30)
    assert len(await fire_retries(shop)) == 1
    assert [(await read_delivery(shop, payment)).status for payment in (first, second)] == ["planned", "failed"]


async def split_delivery(shop: Shop, chat_id: int = 501) -> tuple[Any, list[Any]]:
    """Sell what is delivered in two messages; returns the payment and both, in order."""
    funnel = copy.deepcopy(FUNNEL)
    funnel["steps"][-1]["album"] = [{"document": "a.pdf"}, {"document": "b.pdf"}]
    funnel["steps"][-1]["link"] = {"text": "Abrir", "url": "https://example.com/"}
    files = {"a.pdf": b"%PDF-a", "b.pdf": b"%PDF-b"}
    published = await versions.publish(shop.app, shop.tenant.account_id, funnel, files, actor="test")
    payment = await sell(replace(shop, version_id=published.version_id), chat_id)
    said = await shop.list_said(f"p:{payment.id}:paid")
    return payment, said[-2:]


@pytest.mark.gen_test
async def test_delivery_in_several_messages_is_delivered_with_the_last(shop: Shop, fake_telegram: Any) -> None:
    payment, (album, text) = await split_delivery(shop)
    await send_planned(shop.app, album.id)
    assert (await read_delivery(shop, payment)).status == "planned"
    await send_planned(shop.app, text.id)
    assert (await read_delivery(shop, payment)).status == "delivered"


@pytest.mark.gen_test
async def test_delivery_that_lost_a_message_is_not_delivered(shop: Shop, fake_telegram: Any) -> None:
    payment, (album, text) = await split_delivery(shop)
    fake_telegram.answer("sendMediaGroup", http=400, description="Bad Request: file is too big", times=1)
    for message in (album, text):
        await send_planned(shop.app, message.id)
    delivery = await read_delivery(shop, payment)
    assert (delivery.status, delivery.error, delivery.delivered_at) == ("failed", "Bad Request: file is too big", None)


@pytest.mark.gen_test
async def test_lost_message_of_a_delivery_is_given_again_by_itself(shop: Shop, fake_telegram: Any) -> None:
    payment, (album, text) = await split_delivery(shop)
    fake_telegram.answer("sendMediaGroup", http=400, description="Bad Request: file is too big", times=2)
    for message in (album, text):
        await send_planned(shop.app, message.id)
    for status in ("failed", "delivered"):
        (job,) = await return_to(shop, payment)
        assert job.payload == read_payload(shop.app, album.id)
        assert (await read_delivery(shop, payment)).status == "planned"
        await messages.send(shop.app, **job.payload)
        assert (await read_delivery(shop, payment)).status == status
    assert len(fake_telegram.list_calls("sendMessage")) == 1


@pytest.mark.gen_test
async def test_delivery_in_several_messages_is_given_whole_on_return(shop: Shop, fake_telegram: Any) -> None:
    payment, (album, text) = await split_delivery(shop)
    fake_telegram.answer("sendMediaGroup", http=403, description=BLOCKED, times=1)
    for message in (album, text):
        await send_planned(shop.app, message.id)
    assert (await read_delivery(shop, payment)).status == "failed"
    jobs = await return_to(shop, payment)
    assert [job.payload for job in jobs] == [read_payload(shop.app, row.id) for row in (album, text)]
    for job in jobs:
        await messages.send(shop.app, **job.payload)
    assert (await read_delivery(shop, payment)).status == "delivered"
    assert await return_to(shop, payment) == []


@pytest.mark.gen_test
async def test_delivery_in_several_messages_is_completed_by_what_was_lost_alone(
    shop: Shop, fake_telegram: Any, clock: Clock
) -> None:
    payment, (album, text) = await split_delivery(shop)
    fake_telegram.answer("sendMediaGroup", http=502, description="Bad Gateway")
    for message in (album, text):
        await send_until_it_ends(shop, clock, read_payload(shop.app, message.id))
    assert (await read_delivery(shop, payment)).status == "failed"
    parts = [{"message_id": number, "date": 0, "chat": {"id": 501}} for number in (5, 6)]
    fake_telegram.answer("sendMediaGroup", result=parts)
    await let_pass(shop, clock, minutes=2)
    assert (await read_delivery(shop, payment)).status == "delivered"
    assert len(fake_telegram.list_calls("sendMessage")) == 1


@pytest.mark.gen_test
async def test_delivery_that_telegram_refuses_waits_for_a_person(shop: Shop, fake_telegram: Any, clock: Clock) -> None:
    payment, (album, text) = await split_delivery(shop)
    fake_telegram.answer("sendMediaGroup", http=400, description="Bad Request: file is too big")
    for message in (album, text):
        await send_planned(shop.app, message.id)
    clock.move(days=3)
    assert await fire_retries(shop) == []
    assert (await read_delivery(shop, payment)).status == "failed"
    assert await list_attempts(shop, payment) == [("failed", "Bad Request: file is too big")]
