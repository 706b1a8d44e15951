"""Messages on real stores against a fake Bot API: planning, claiming, and what each policy does after a crash."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest

from grimbots.queue.task import Again, Done, LeaseLost
from grimbots.services import deliveries, messages, payments
from grimbots.services.funnels import versions
from grimbots.sql.database import Database
from grimbots.tests.services.chats import Chat, send_planned
from grimbots.tests.services.shops import FUNNEL, PRICE_CENTS


@pytest.mark.gen_test
async def test_plan_again_gives_the_first_row(chat: Chat) -> None:
    first = await chat.plan("one", cause="u:1:1", ordinal=3)
    again = await chat.plan("two", cause="u:1:1", ordinal=3)
    assert first == again
    assert chat.read(first).body == {"text": "one"}


@pytest.mark.gen_test
async def test_job_is_of_the_bot_and_the_chat(chat: Chat) -> None:
    message = await chat.plan(cause="u:1:1", ordinal=3)
    job = messages.job(message)
    assert (job.id, job.task, job.queue) == ("u:1:1#3", "messages.send", "tasks")
    assert (job.source, job.account) == (f"b{chat.tenant.bot_id}", str(chat.tenant.account_id))
    assert (job.group, job.payload) == ("501", {"cause": "u:1:1", "ordinal": 3})


@pytest.mark.gen_test
async def test_find_by_nonce_stays_in_its_bot(app: Any, chat: Chat, accounts: Any) -> None:
    message = await chat.plan(nonce="n0nce")
    found = await messages.find_by_nonce(app.db, chat.tenant.bot_id, "n0nce")
    assert found is not None
    assert (found.id, found.lead_id, found.step) == (message.id, chat.lead.id, "welcome")
    assert await messages.find_by_nonce(app.db, accounts[1].bot_id, "n0nce") is None


@pytest.mark.gen_test
async def test_send_writes_what_telegram_answered(app: Any, chat: Chat, fake_telegram: Any) -> None:
    message = await chat.plan("olá")
    assert await chat.send(message) == Done()
    call = fake_telegram.calls[0]
    assert (call.token, call.method, call.params) == (chat.tenant.token, "sendMessage", {"chat_id": 501, "text": "olá"})
    row = chat.read(message)
    assert (row.status, row.telegram_message_id, row.resent, row.error) == ("sent", 1, False, None)
    assert (row.sending_at, row.sent_at) == (app.clock(), app.clock())


@pytest.mark.gen_test
async def test_send_of_a_sent_message_calls_nobody(chat: Chat, fake_telegram: Any) -> None:
    message = await chat.plan()
    await chat.send(message)
    assert await chat.send(message) == Done()
    assert len(fake_telegram.calls) == 1


@pytest.mark.gen_test
async def test_send_of_an_unpublished_message_stores_no_zero(chat: Chat, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", result={"message_id": 0})
    message = await chat.plan()
    await chat.send(message)
    row = chat.read(message)
    assert (row.status, row.telegram_message_id) == ("sent", None)


@pytest.mark.gen_test
async def test_send_of_an_album_stores_the_first_id(chat: Chat, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMediaGroup", result=[{"message_id": 31}, {"message_id": 32}])
    message = await chat.plan(
        method="sendMediaGroup", body={"media": [{"type": "photo", "media": f"id{number}"} for number in (1, 2)]}
    )
    await chat.send(message)
    assert chat.read(message).telegram_message_id == 31


class LostLease:
    """A queue whose running job may be another process's by now."""

    def guard(self) -> None:
        raise LeaseLost("the last beat is too old")


async def crash_around_the_call(chat: Chat, message: Any, fake_telegram: Any) -> None:
    """End an attempt while its call is under way, as a killed process does."""
    fake_telegram.answer("sendMessage", until=asyncio.Event(), times=1)
    before = len(fake_telegram.calls)
    attempt = asyncio.create_task(chat.send(message))
    await fake_telegram.wait_for_calls(before + 1)
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert chat.read(message).status == "sending"


@pytest.mark.gen_test
async def test_send_after_a_crash_repeats_and_says_so(chat: Chat, fake_telegram: Any) -> None:
    message = await chat.plan()
    await crash_around_the_call(chat, message, fake_telegram)
    await chat.send(message)
    row = chat.read(message)
    assert (row.status, row.resent, row.attempts) == ("sent", True, 2)
    assert len(fake_telegram.calls) == 2


@pytest.mark.gen_test
async def test_send_after_a_crash_of_a_once_message_is_uncertain(chat: Chat, fake_telegram: Any) -> None:
    message = await chat.plan(policy="once")
    await crash_around_the_call(chat, message, fake_telegram)
    assert await chat.send(message) == Done()
    row = chat.read(message)
    assert (row.status, row.error) == ("uncertain", "the attempt ended without an answer")
    assert len(fake_telegram.calls) == 1


@pytest.mark.gen_test
async def test_send_by_two_at_once_keeps_the_first_result(chat: Chat, fake_telegram: Any) -> None:
    release = asyncio.Event()
    fake_telegram.answer("sendMessage", {"message_id": 70}, until=release, times=1)
    fake_telegram.answer("sendMessage", {"message_id": 71}, times=1)
    message = await chat.plan()
    zombie = asyncio.create_task(chat.send(message))
    await fake_telegram.wait_for_calls(1)
    await chat.send(message)
    release.set()
    assert await zombie == Done()
    row = chat.read(message)
    assert (row.status, row.telegram_message_id, row.resent) == ("sent", 71, True)


@pytest.mark.gen_test
async def test_send_overtaken_still_writes_that_it_was_sent(chat: Chat, fake_telegram: Any) -> None:
    release = asyncio.Event()
    fake_telegram.answer("sendMessage", {"message_id": 70}, until=release, times=1)
    fake_telegram.answer("sendMessage", http=400, description="Bad Request: message is too long", times=1)
    message = await chat.plan()
    zombie = asyncio.create_task(chat.send(message))
    await fake_telegram.wait_for_calls(1)
    await chat.send(message)
    assert chat.read(message).status == "failed"
    release.set()
    await zombie
    row = chat.read(message)
    assert (row.status, row.telegram_message_id, row.error) == ("sent", 70, None)


@pytest.mark.gen_test
async def test_send_overtaken_writes_no_failure(chat: Chat, fake_telegram: Any) -> None:
    release, later = asyncio.Event(), asyncio.Event()
    fake_telegram.answer("sendMessage", http=400, description="Bad Request: x", until=release, times=1)
    fake_telegram.answer("sendMessage", {"message_id": 71}, until=later, times=1)
    message = await chat.plan()
    zombie = asyncio.create_task(chat.send(message))
    await fake_telegram.wait_for_calls(1)
    second = asyncio.create_task(chat.send(message))
    await fake_telegram.wait_for_calls(2)
    release.set()
    await zombie
    assert chat.read(message).status == "sending"
    later.set()
    await second
    assert chat.read(message).status == "sent"


@pytest.mark.gen_test
async def test_send_uncertain_and_then_answered_is_sent(chat: Chat, fake_telegram: Any) -> None:
    release = asyncio.Event()
    fake_telegram.answer("sendMessage", until=release)
    message = await chat.plan(policy="once")
    zombie = asyncio.create_task(chat.send(message))
    await fake_telegram.wait_for_calls(1)
    await chat.send(message)
    assert chat.read(message).status == "uncertain"
    release.set()
    await zombie
    row = chat.read(message)
    assert (row.status, row.telegram_message_id) == ("sent", 1)


@pytest.mark.gen_test
@pytest.mark.parametrize("status", ["blocked", "gone"])
async def test_send_to_a_dead_chat_fails_without_a_call(chat: Chat, fake_telegram: Any, status: str) -> None:
    message = await chat.plan()
    chat.execute("UPDATE leads SET status = %s WHERE id = %s", status, chat.lead.id)
    assert await chat.send(message) == Done()
    row = chat.read(message)
    assert (row.status, row.error) == ("failed", f"the chat is {status}")
    assert fake_telegram.calls == []


@pytest.mark.gen_test
async def test_send_of_a_removed_bot_fails_without_a_call(chat: Chat, fake_telegram: Any) -> None:
    message = await chat.plan()
    chat.execute("UPDATE bots SET status = 'removed' WHERE id = %s", chat.tenant.bot_id)
    assert await chat.send(message) == Done()
    row = chat.read(message)
    assert (row.status, row.error) == ("failed", "the bot was removed")
    assert fake_telegram.calls == []


@pytest.mark.gen_test
async def test_send_pauses_after_a_burst(app: Any, chat: Chat) -> None:
    pauses = [(await chat.send(await chat.plan())).pause_ms for _ in range(6)]
    assert pauses == [0, 0, 0, 0, 1000, 1000]
    app.clock.move(seconds=5)
    assert (await chat.send(await chat.plan())).pause_ms == 0


@pytest.mark.gen_test
async def test_send_paces_each_chat_by_itself(app: Any, chat: Chat, accounts: Any, database_url: str) -> None:
    for _ in range(5):
        await chat.send(await chat.plan())
    other = await Chat(app, accounts[0], database_url, chat_id=502).open()
    assert (await other.send(await other.plan())).pause_ms == 0


@pytest.mark.gen_test
async def test_send_when_the_lease_is_lost_calls_nobody(app: Any, chat: Chat, fake_telegram: Any) -> None:
    message = await chat.plan(policy="once")
    with pytest.raises(LeaseLost):
        await send_planned(replace(app, queue=LostLease()), message.id)
    row = chat.read(message)
    assert (row.status, row.error) == ("planned", "the lease was lost")
    assert fake_telegram.calls == []


@pytest.mark.gen_test
async def test_give_up_closes_what_is_open_only(app: Any, chat: Chat) -> None:
    waiting, sent = await chat.plan(), await chat.plan()
    await chat.send(sent)
    for message in (waiting, sent):
        await messages.give_up(app, message, "its job is dead")
    assert (chat.read(waiting).status, chat.read(waiting).error) == ("failed", "its job is dead")
    assert chat.read(sent).status == "sent"


async def plan_delivery(chat: Chat) -> Any:
    """Plan the message that hands over what a payment pays for."""
    tenant, now = chat.tenant, chat.app.clock()
    published = await versions.publish(chat.app, tenant.account_id, FUNNEL, {}, actor="test")
    lead = {"account_id": tenant.account_id, "lead_id": chat.lead.id}
    async with chat.app.db.transaction() as tx:
        payment = await payments.open(
            tx,
            **lead,
            bot_id=tenant.bot_id,
            version_id=published.version_id,
            step="pay",
            cause=f"u:{tenant.bot_id}:0",
            ordinal=0,
            items=[],
            description="Curso",
            amount_cents=PRICE_CENTS,
            currency="BRL",
            expires_in_seconds=60,
            now=now,
        )
    message = await chat.plan(payment_id=payment.id, version_id=published.version_id, step="access")
    async with chat.app.db.transaction() as tx:
        await deliveries.plan(
            tx, **lead, payment_id=payment.id, step="access", cause=message.cause, ordinal=message.ordinal, now=now
        )
    return message


@pytest.mark.gen_test
async def test_send_of_a_delivery_closes_it(app: Any, chat: Chat) -> None:
    message = await plan_delivery(chat)
    assert await chat.send(message) == Done()
    delivery = chat.read_delivery(message)
    assert (delivery.status, delivery.delivered_at) == ("delivered", app.clock())


@pytest.mark.gen_test
async def test_send_of_a_delivery_to_a_dead_chat_shows_why(chat: Chat, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", http=403, description="Forbidden: bot was blocked by the user")
    message = await plan_delivery(chat)
    await chat.send(message)
    delivery = chat.read_delivery(message)
    assert (delivery.status, delivery.error) == ("failed", "Forbidden: bot was blocked by the user")


@pytest.mark.gen_test
async def test_give_up_of_a_delivery_shows_why(app: Any, chat: Chat) -> None:
    message = await plan_delivery(chat)
    await messages.give_up(app, message, "its job is dead")
    assert (chat.read_delivery(message).status, chat.read_delivery(message).error) == ("failed", "its job is dead")


@pytest.mark.gen_test
async def test_send_writes_its_result_though_postgres_stalls(
    app: Any, chat: Chat, database_url: str, fake_telegram: Any
) -> None:
    release = asyncio.Event()
    fake_telegram.answer("sendMessage", until=release)
    message = await chat.plan()
    hasty = Database(database_url, statement_timeout_seconds=0.2)
    await hasty.open()
    send = asyncio.create_task(send_planned(replace(app, db=hasty), message.id))
    await fake_telegram.wait_for_calls(1)
    unlock = chat.lock(message)
    release.set()
    asyncio.get_running_loop().call_later(0.35, unlock)
    assert await send == Done()
    assert chat.read(message).status == "sent"
    await hasty.close()


@pytest.mark.gen_test
async def test_send_without_postgres_waits_and_spends_nothing(app: Any, chat: Chat) -> None:
    message = await chat.plan()
    await app.db.close()
    with pytest.raises(Again) as again:
        await chat.send(message)
    assert not again.value.spend


@pytest.mark.gen_test
async def test_send_logs_ids_and_no_words(app: Any, chat: Chat, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    message = await chat.plan("segredo da Ana")
    await chat.send(message)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("grimbots.services")]
    assert lines == [f"message {message.id} of bot {chat.tenant.bot_id}: ok (attempt 1)"]
    assert chat.tenant.token not in caplog.text
    assert "segredo" not in caplog.text
