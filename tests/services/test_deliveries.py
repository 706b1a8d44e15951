"""Deliveries: tried until Telegram has the message; what failed is visible and given on the buyer's return, once."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import replace
from typing import Any

import pytest

from grimbots.services import deliveries, leads, messages, payments
from grimbots.services.funnels import versions
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
    await messages.send(shop.app, message_id=(await read_delivery(shop, payment)).message_id)
    delivery = await read_delivery(shop, payment)
    assert (delivery.status, delivery.delivered_at) == ("delivered", shop.app.clock())


@pytest.mark.gen_test
async def test_delivery_to_a_buyer_who_blocked_the_bot_is_given_on_return_once(shop: Shop, fake_telegram: Any) -> None:
    payment = await sell(shop)
    fake_telegram.answer("sendMessage", http=403, description=BLOCKED, times=1)
    await messages.send(shop.app, message_id=(await read_delivery(shop, payment)).message_id)
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
        await messages.send(shop.app, message_id=(await read_delivery(shop, payment)).message_id)
        seen |= {job.id for job in await return_to(shop, payment)}
    assert len(seen) == 3


@pytest.mark.gen_test
async def test_regrant_gives_nothing_of_another_lead(shops: list[Shop], fake_telegram: Any) -> None:
    shop, neighbour = shops
    mine, other, foreign = await sell(shop), await sell(shop, 502), await sell(neighbour)
    fake_telegram.answer("sendMessage", http=403, description=BLOCKED)
    await messages.send(shop.app, message_id=(await read_delivery(shop, mine)).message_id)
    assert await return_to(shop, other) == await return_to(neighbour, foreign) == []
    assert (await read_delivery(shop, mine)).status == "failed"


@pytest.mark.gen_test(timeout=15)
async def test_delivery_given_up_while_telegram_answers_is_delivered(shop: Shop, fake_telegram: Any) -> None:
    payment, answer = await sell(shop), asyncio.Event()
    message_id = (await read_delivery(shop, payment)).message_id
    fake_telegram.answer("sendMessage", until=answer)
    sending = asyncio.create_task(messages.send(shop.app, message_id=message_id))
    await fake_telegram.wait_for_calls(1)
    (given_up,) = [row for row in await shop.list_said(f"p:{payment.id}:paid") if row.id == message_id]
    await messages.give_up(shop.app, given_up, "its job is dead")
    assert (await read_delivery(shop, payment)).error == "its job is dead"
    answer.set()
    await sending
    delivery = await read_delivery(shop, payment)
    assert (delivery.status, delivery.error, delivery.delivered_at) == ("delivered", None, shop.app.clock())


@pytest.mark.gen_test
async def test_a_late_word_that_it_was_sent_beats_one_that_it_failed(shop: Shop) -> None:
    payment = await sell(shop)
    message_id = (await read_delivery(shop, payment)).message_id
    async with shop.app.db.transaction() as tx:
        failed = await tx.messages.mark_given_up(message_id=message_id, account_id=payment.account_id, error="dead job")
        await deliveries.conclude(tx, message=failed, now=shop.app.clock())
        sent = failed._replace(status="sent", error=None)
        await deliveries.conclude(tx, message=sent, now=shop.app.clock())
        await deliveries.conclude(tx, message=failed, now=shop.app.clock())
    assert (await read_delivery(shop, payment)).status == "delivered"


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
    await messages.send(shop.app, message_id=album.id)
    assert (await read_delivery(shop, payment)).status == "planned"
    await messages.send(shop.app, message_id=text.id)
    assert (await read_delivery(shop, payment)).status == "delivered"


@pytest.mark.gen_test
async def test_delivery_that_lost_a_message_is_not_delivered(shop: Shop, fake_telegram: Any) -> None:
    payment, (album, text) = await split_delivery(shop)
    fake_telegram.answer("sendMediaGroup", http=400, description="Bad Request: file is too big", times=1)
    for message in (album, text):
        await messages.send(shop.app, message_id=message.id)
    delivery = await read_delivery(shop, payment)
    assert (delivery.status, delivery.error, delivery.delivered_at) == ("failed", "Bad Request: file is too big", None)


@pytest.mark.gen_test
async def test_lost_message_of_a_delivery_is_given_again_by_itself(shop: Shop, fake_telegram: Any) -> None:
    payment, (album, text) = await split_delivery(shop)
    fake_telegram.answer("sendMediaGroup", http=400, description="Bad Request: file is too big", times=2)
    for message in (album, text):
        await messages.send(shop.app, message_id=message.id)
    for status in ("failed", "delivered"):
        (job,) = await return_to(shop, payment)
        assert job.payload["message_id"] == album.id
        assert (await read_delivery(shop, payment)).status == "planned"
        await messages.send(shop.app, **job.payload)
        assert (await read_delivery(shop, payment)).status == status
    assert len(fake_telegram.list_calls("sendMessage")) == 1


@pytest.mark.gen_test
async def test_delivery_in_several_messages_is_given_whole_on_return(shop: Shop, fake_telegram: Any) -> None:
    payment, (album, text) = await split_delivery(shop)
    fake_telegram.answer("sendMediaGroup", http=403, description=BLOCKED, times=1)
    for message in (album, text):
        await messages.send(shop.app, message_id=message.id)
    assert (await read_delivery(shop, payment)).status == "failed"
    jobs = await return_to(shop, payment)
    assert [job.payload["message_id"] for job in jobs] == [album.id, text.id]
    for job in jobs:
        await messages.send(shop.app, **job.payload)
    assert (await read_delivery(shop, payment)).status == "delivered"
    assert await return_to(shop, payment) == []
