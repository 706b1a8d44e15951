"""Messages that did not arrive: a person sends one again or discards it, in his own account, and is on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from grimbots.queue.dispatcher import Queue
from grimbots.queue.inspector import Inspector
from grimbots.services import messages, mishaps, sales, sweep
from grimbots.services.errors import Conflict, Forbidden, NotFound
from grimbots.services.sessions import Member
from grimbots.tests.services.chats import Chat, send_planned
from grimbots.tests.services.people import make_member
from grimbots.tests.services.shops import Shop
from grimbots.tests.services.test_deliveries import BLOCKED, read_delivery, sell
from grimbots.tests.services.test_messages_jobs import work


async def plan(chat: Chat, status: str, **changes: Any) -> Any:
    """Plan a message that has come to a bad end."""
    message = await chat.plan(**changes)
    chat.execute(
        "UPDATE messages SET status = %s, attempts = 1, error = 'Bad Request', sending_at = planned_at,"
        " sent_at = CASE %s WHEN 'sent' THEN planned_at END WHERE id = %s",
        status,
        status,
        message.id,
    )
    return message


@pytest.mark.gen_test
@pytest.mark.parametrize(("status", "resent"), [("failed", False), ("uncertain", True)])
async def test_resend_sends_once_more(
    app: Any, chat: Chat, members: list[Member], fake_telegram: Any, status: str, resent: bool
) -> None:
    message = await plan(chat, status)
    async with work(app):
        await mishaps.resend(app, members[0], message.id)
        await fake_telegram.wait_for_calls(1, "sendMessage")
    row = chat.read(message)
    assert (row.status, row.error, row.resent) == ("sent", None, resent)
    assert (await sales.list_mishaps(app, members[0])).rows == []


@pytest.mark.gen_test
async def test_resend_again_is_a_job_of_its_own(
    app: Any, chat: Chat, members: list[Member], fake_telegram: Any
) -> None:
    message = await plan(chat, "failed")
    fake_telegram.answer("sendMessage", http=400, description="Bad Request: message is too long", times=1)
    async with work(app):
        await mishaps.resend(app, members[0], message.id)
        await fake_telegram.wait_for_calls(1, "sendMessage")
    assert chat.read(message).status == "failed"
    async with work(app):
        await mishaps.resend(app, members[0], message.id)
        await fake_telegram.wait_for_calls(2, "sendMessage")
    assert chat.read(message).status == "sent"


@pytest.mark.gen_test
async def test_resend_is_not_given_up_for_its_dead_job(app: Any, chat: Chat, members: list[Member], clock: Any) -> None:
    message = await chat.plan()
    await app.queue.bury(messages.job(message), "attempts")
    await messages.give_up(app, message, "its job is dead")
    await mishaps.resend(app, members[0], message.id)
    clock.move(seconds=31)
    await sweep.sweep(app)  # the chat's queue is long: the new job has not run yet
    assert chat.read(message).status == "planned"


@pytest.mark.gen_test
async def test_resend_with_redis_away_leaves_the_message_to_the_sweep(
    app: Any, chat: Chat, members: list[Member], clock: Any, settings: Any
) -> None:
    message = await plan(chat, "failed")
    away = Queue("unix:///nowhere.sock", consumer_host="test", slot=1, queue_slots=settings.queue_slots)
    await away.start()
    try:
        await mishaps.resend(replace(app, queue=away), members[0], message.id)
    finally:
        await away.stop()
    clock.move(seconds=31)
    assert await sweep.sweep(app) == 1
    assert [depth.pending for depth in await Inspector(app.queue).queues() if depth.queue == "tasks"] == [1]


@pytest.mark.gen_test
async def test_resend_of_a_failed_delivery_delivers(
    app: Any, shop: Shop, members: list[Member], fake_telegram: Any, query: Callable[..., list[Any]]
) -> None:
    payment = await sell(shop)
    message_id = (await read_delivery(shop, payment)).message_id
    fake_telegram.answer("sendMessage", http=403, description=BLOCKED, times=1)
    await send_planned(shop.app, message_id)
    query("UPDATE leads SET status = 'active'")
    await mishaps.resend(app, members[0], message_id)
    assert (await read_delivery(shop, payment)).status == "planned"
    await send_planned(shop.app, message_id)
    assert (await read_delivery(shop, payment)).status == "delivered"


@pytest.mark.gen_test
async def test_resend_of_one_of_a_deliverys_messages_delivers(
    app: Any, shop: Shop, members: list[Member], query: Callable[..., list[Any]]
) -> None:
    payment = await sell(shop)
    carrier_id = (await read_delivery(shop, payment)).message_id
    ((part_id,),) = query(
        "INSERT INTO messages (account_id, bot_id, lead_id, chat_id, cause, ordinal, step, payment_id, method, body,"
        " policy, status, error, planned_at)"
        " SELECT account_id, bot_id, lead_id, chat_id, cause, ordinal + 9, step, payment_id, method, body, policy,"
        " 'failed', 'Bad Request', planned_at FROM messages WHERE id = %s RETURNING id",
        carrier_id,
    )
    await send_planned(shop.app, carrier_id)
    assert (await read_delivery(shop, payment)).status == "failed"
    (mishap,) = (await sales.list_mishaps(app, members[0])).rows
    assert (mishap.id, mishap.delivers_payment_id) == (part_id, payment.id)
    await mishaps.resend(app, members[0], part_id)
    assert (await read_delivery(shop, payment)).status == "planned"
    await send_planned(shop.app, part_id)
    assert (await read_delivery(shop, payment)).status == "delivered"


@pytest.mark.gen_test
async def test_discard_of_a_delivery_leaves_it_failed_for_all_to_see(
    app: Any, shop: Shop, members: list[Member], query: Callable[..., list[Any]]
) -> None:
    payment = await sell(shop)
    message_id = (await read_delivery(shop, payment)).message_id
    query("UPDATE messages SET status = 'uncertain', sending_at = planned_at WHERE id = %s", message_id)
    await mishaps.discard(app, members[0], message_id)
    assert query("SELECT status FROM messages WHERE id = %s", message_id) == [("discarded",)]
    assert (await read_delivery(shop, payment)).status == "failed"
    assert (await sales.count_trouble(app, members[0])).owed == 1


@pytest.mark.gen_test
@pytest.mark.parametrize("act", [mishaps.resend, mishaps.discard])
@pytest.mark.parametrize("status", ["planned", "sending", "sent", "discarded"])
async def test_act_on_what_is_no_mishap_is_refused(
    app: Any, chat: Chat, members: list[Member], act: Any, status: str
) -> None:
    message = await plan(chat, status)
    with pytest.raises(Conflict):
        await act(app, members[0], message.id)
    assert chat.read(message).status == status


@pytest.mark.gen_test
@pytest.mark.parametrize("act", [mishaps.resend, mishaps.discard])
async def test_act_by_another_account_finds_nothing(
    app: Any, chat: Chat, members: list[Member], query: Callable[..., list[Any]], act: Any
) -> None:
    message = await plan(chat, "failed")
    with pytest.raises(NotFound):
        await act(app, members[1], message.id)
    assert chat.read(message).status == "failed"
    assert query("SELECT count(*) FROM audit WHERE action LIKE 'message.%%'") == [(0,)]


@pytest.mark.gen_test
@pytest.mark.parametrize("act", [mishaps.resend, mishaps.discard])
async def test_act_by_a_viewer_is_refused(app: Any, chat: Chat, accounts: Any, act: Any) -> None:
    message = await plan(chat, "failed")
    with pytest.raises(Forbidden):
        await act(app, await make_member(app, accounts[0], "viewer"), message.id)
    assert chat.read(message).status == "failed"


@pytest.mark.gen_test
async def test_acts_are_on_record(app: Any, chat: Chat, members: list[Member]) -> None:
    first, second = await plan(chat, "uncertain"), await plan(chat, "failed")
    await mishaps.resend(app, members[0], first.id)
    await mishaps.discard(app, members[0], second.id)
    rows = await app.db.audit.list_recent(account_id=members[0].account_id, limit=2)
    assert [(row.actor, row.action, row.subject, row.details) for row in rows] == [
        (members[0].actor, "message.discard", f"message:{second.id}", {"was": "failed"}),
        (members[0].actor, "message.resend", f"message:{first.id}", {"was": "uncertain"}),
    ]
