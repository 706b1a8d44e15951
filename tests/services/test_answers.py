"""What each kind of answer does to the message, its lead, its bot and its job, end to end against a fake Bot API."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any

import pytest

from grimbots.queue.task import Again, Done
from grimbots.services import messages
from grimbots.services.clients.telegram import TelegramClient
from grimbots.tests.services.chats import Chat, send_planned

FLOOD = "Too Many Requests: retry after 7"


class HeldSources:
    """The App's queue, noting what is held."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self.held: list[tuple[str, float]] = []

    def guard(self) -> None:
        self._queue.guard()

    async def hold_source(self, source: str, seconds: float) -> None:
        self.held.append((source, seconds))
        await self._queue.hold_source(source, seconds)


async def fail_to_send(chat: Chat, message: Any) -> Again:
    with pytest.raises(Again) as again:
        await chat.send(message)
    return again.value


async def send_until_failed(app: Any, chat: Chat, message: Any) -> list[float]:
    """Send a message whenever it is time, until it has failed; give the waits between."""
    waits = []
    while chat.read(message).status != "failed":
        try:
            await chat.send(message)
        except Again as again:
            waits.append(again.after_seconds)
            app.clock.move(seconds=again.after_seconds)
    return waits


@pytest.mark.gen_test
async def test_flood_waits_as_told_and_spends_nothing(chat: Chat, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", http=429, description=FLOOD, parameters={"retry_after": 7}, times=1)
    message = await chat.plan()
    again = await fail_to_send(chat, message)
    assert (again.after_seconds, again.spend) == (7, False)
    assert (chat.read(message).status, chat.read(message).error) == ("planned", FLOOD)
    await chat.send(message)
    row = chat.read(message)
    assert (row.status, row.resent, row.error) == ("sent", False, None)


@pytest.mark.gen_test
async def test_flood_of_two_chats_holds_the_bot(app: Any, chat: Chat, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", http=429, description=FLOOD, parameters={"retry_after": 7})
    queue = HeldSources(app.queue)
    chat.app = replace(app, queue=queue)
    other = await Chat(chat.app, chat.tenant, chat._url, chat_id=502).open()
    await fail_to_send(chat, await chat.plan())
    assert queue.held == []
    await fail_to_send(other, await other.plan())
    assert queue.held == [(f"b{chat.tenant.bot_id}", 7)]


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("http_code", "description", "status"),
    [
        (403, "Forbidden: bot was blocked by the user", "blocked"),
        (403, "Forbidden: user is deactivated", "gone"),
        (400, "Bad Request: chat not found", "blocked"),
    ],
)
async def test_dead_chat_silences_the_lead(
    chat: Chat, fake_telegram: Any, http_code: int, description: str, status: str
) -> None:
    fake_telegram.answer("sendMessage", http=http_code, description=description)
    first, second = await chat.plan(), await chat.plan()
    assert await chat.send(first) == Done()
    assert (chat.read(first).status, chat.read(first).error) == ("failed", description)
    assert chat.read_lead().status == status
    await chat.send(second)
    assert (chat.read(second).status, chat.read(second).error) == ("failed", f"the chat is {status}")
    assert len(fake_telegram.calls) == 1


@pytest.mark.gen_test
async def test_dead_chat_leaves_other_tenants_leads_alone(
    app: Any, chat: Chat, accounts: Any, fake_telegram: Any
) -> None:
    other = await Chat(app, accounts[1], chat._url).open()
    fake_telegram.answer("sendMessage", http=403, description="Forbidden: bot was blocked by the user")
    await chat.send(await chat.plan())
    assert (chat.read_lead().status, other.read_lead().status) == ("blocked", "active")


@pytest.mark.gen_test
async def test_dead_chat_does_not_silence_a_lead_that_came_back(app: Any, chat: Chat, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", http=403, description="Forbidden: bot was blocked by the user")
    message = await chat.plan()
    chat.execute("UPDATE leads SET updated_at = updated_at + interval '1 second' WHERE id = %s", chat.lead.id)
    await chat.send(message)
    assert (chat.read(message).status, chat.read_lead().status) == ("failed", "active")


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("http_code", "description"),
    [
        (403, "Forbidden: bot was kicked from the group chat"),
        (400, "Bad Request: message is too long"),
        (400, "Bad Request: BRAND_NEW"),
        (409, "Conflict: terminated by setWebhook request"),
        (400, "Bad Request: group chat was upgraded to a supergroup chat"),
        (400, "Bad Request: can't parse entities: unsupported start tag"),
        (400, "Bad Request: wrong file_id or the file is temporarily unavailable"),
    ],
)
async def test_refused_fails_with_the_reason(chat: Chat, fake_telegram: Any, http_code: int, description: str) -> None:
    fake_telegram.answer("sendMessage", http=http_code, description=description)
    message = await chat.plan()
    assert await chat.send(message) == Done()
    assert (chat.read(message).status, chat.read(message).error) == ("failed", description)
    assert chat.read_lead().status == "active"
    assert len(fake_telegram.calls) == 1


@pytest.mark.gen_test
async def test_ignored_counts_as_sent(chat: Chat, fake_telegram: Any) -> None:
    text = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same"
    fake_telegram.answer("editMessageText", http=400, description=text)
    message = await chat.plan(method="editMessageText")
    await chat.send(message)
    assert (chat.read(message).status, chat.read(message).telegram_message_id) == ("sent", None)


@pytest.mark.gen_test
async def test_migrated_follows_the_group(chat: Chat, fake_telegram: Any) -> None:
    text = "Bad Request: group chat was upgraded to a supergroup chat"
    moved = {"migrate_to_chat_id": -1002233445568}
    fake_telegram.answer("sendMessage", http=400, description=text, parameters=moved, chat_id=501)
    first, second = await chat.plan(), await chat.plan()
    await chat.send(first)
    await chat.send(second)
    assert [chat.read(each).status for each in (first, second)] == ["sent", "sent"]
    assert [call.params["chat_id"] for call in fake_telegram.calls] == [501, -1002233445568, -1002233445568]
    assert chat.read_lead().chat_id == -1002233445568


@pytest.mark.gen_test
async def test_degrade_sends_without_formatting(chat: Chat, fake_telegram: Any) -> None:
    description = "Bad Request: can't parse entities: unsupported start tag"
    fake_telegram.answer("sendMessage", http=400, description=description, times=1)
    message = await chat.plan(body={"text": "<b>Olá</b> &lt;3", "parse_mode": "HTML"})
    await chat.send(message)
    assert fake_telegram.calls[1].params == {"chat_id": 501, "text": "Olá <3"}
    row = chat.read(message)
    assert (row.status, row.error) == ("sent", f"sent in a simpler form: {description}")


@pytest.mark.gen_test
async def test_degrade_ends_when_nothing_simpler_is_left(chat: Chat, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", http=400, description="Bad Request: message to be replied not found")
    body = {"text": "oi", "parse_mode": "HTML", "reply_parameters": {"message_id": 4}}
    message = await chat.plan(body=body)
    await chat.send(message)
    assert chat.read(message).status == "failed"
    assert [len(call.params) for call in fake_telegram.calls] == [4, 3, 2]


@pytest.mark.gen_test
async def test_dead_bot_is_buried_and_its_messages_wait(app: Any, chat: Chat, fake_telegram: Any) -> None:
    fake_telegram.answer("*", http=401, description="Unauthorized")
    queue = HeldSources(app.queue)
    chat.app = replace(app, queue=queue)
    message = await chat.plan(policy="once")
    again = await fail_to_send(chat, message)
    assert not again.spend
    assert queue.held == [(f"b{chat.tenant.bot_id}", 60)]
    assert chat.read(message).status == "planned"
    assert (await app.db.bots.find_by_id(bot_id=chat.tenant.bot_id)).status == "dead"


@pytest.mark.gen_test
async def test_dead_bot_is_not_called_again_until_it_lives(app: Any, chat: Chat, fake_telegram: Any) -> None:
    chat.execute("UPDATE bots SET status = 'dead' WHERE id = %s", chat.tenant.bot_id)
    message = await chat.plan()
    await fail_to_send(chat, message)
    assert fake_telegram.calls == []
    chat.execute("UPDATE bots SET status = 'active' WHERE id = %s", chat.tenant.bot_id)
    revived = replace(app, bots=type(app.bots)(300))
    await send_planned(revived, message.id)
    assert (chat.read(message).status, chat.read(message).resent) == ("sent", False)


@pytest.mark.gen_test
async def test_dead_bot_that_answers_get_me_stays(app: Any, chat: Chat, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", http=401, description="Unauthorized", times=1)
    message = await chat.plan()
    assert not (await fail_to_send(chat, message)).spend
    assert (await app.db.bots.find_by_id(bot_id=chat.tenant.bot_id)).status == "active"
    await chat.send(message)
    assert chat.read(message).status == "sent"


@pytest.mark.gen_test
async def test_never_sent_is_planned_again_and_spends_nothing(app: Any, chat: Chat) -> None:
    message = await chat.plan(policy="once")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        telegram = TelegramClient(app.http, f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(Again) as again:
            await send_planned(replace(app, telegram=telegram), message.id)
    assert (again.value.spend, again.value.after_seconds) == (False, 1)
    await chat.send(message)
    row = chat.read(message)
    assert (row.status, row.resent) == ("sent", False)


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "fault", [{"drop": "after"}, {"drop": "before"}, {"http": 502, "body": b"<html>"}, {"http": 500, "body": b"{}"}]
)
async def test_ambiguous_is_sent_again_and_says_so(chat: Chat, fake_telegram: Any, fault: dict[str, Any]) -> None:
    fake_telegram.answer("sendMessage", **fault, times=1)
    message = await chat.plan()
    again = await fail_to_send(chat, message)
    assert (again.spend, again.after_seconds) == (True, 1)
    assert chat.read(message).status == "sending"
    await chat.send(message)
    row = chat.read(message)
    assert (row.status, row.resent, row.attempts) == ("sent", True, 2)


@pytest.mark.gen_test
async def test_ambiguous_once_is_uncertain(chat: Chat, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", drop="after")
    message = await chat.plan(policy="once")
    assert await chat.send(message) == Done()
    assert await chat.send(message) == Done()
    row = chat.read(message)
    assert row.status == "uncertain"
    assert row.error.startswith("telegram: ")
    assert len(fake_telegram.calls) == 1


@pytest.mark.gen_test
async def test_ambiguous_for_long_fails_with_the_reason(app: Any, chat: Chat, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", http=502, body=b"<html>")
    message = await chat.plan()
    waits = await send_until_failed(app, chat, message)
    assert sum(waits) < 60
    assert len(waits) < messages.send.attempts
    assert (
        chat.read(message).error == f"no clear answer in {len(waits) + 1} attempts: HTTP 502 without a Bot API answer"
    )


@pytest.mark.gen_test
@pytest.mark.parametrize("wait_seconds", [1, 30])
async def test_a_flood_between_doubts_neither_starts_them_anew_nor_counts(
    app: Any, chat: Chat, fake_telegram: Any, wait_seconds: int
) -> None:
    """The queue lets a chat's head fail for 60 s, floods not counted; the row is to end within them, said once."""
    parameters = {"retry_after": wait_seconds}
    message = await chat.plan()
    failing_seconds = 0.0
    for turn in range(40):
        flooded = {"http": 429, "description": "Too Many Requests", "parameters": parameters}
        fault = flooded if turn % 3 == 2 else {"http": 502, "body": b"<html>"}
        fake_telegram.answer("sendMessage", **fault, times=1)
        try:
            await chat.send(message)
        except Again as again:
            failing_seconds += again.after_seconds if again.spend else 0
            app.clock.move(seconds=again.after_seconds)
        else:
            break
    row = chat.read(message)
    assert row.error.startswith("no clear answer in ")
    assert 45 <= failing_seconds < 60


@pytest.mark.gen_test
async def test_what_a_person_sends_again_may_be_in_doubt_as_long_as_any(
    app: Any, chat: Chat, fake_telegram: Any
) -> None:
    fake_telegram.answer("sendMessage", http=502, body=b"<html>")
    message = await chat.plan()
    await send_until_failed(app, chat, message)
    app.clock.move(seconds=3600)
    again = await app.db.messages.plan_again(account_id=chat.tenant.account_id, message_id=message.id, now=app.clock())
    assert again is not None
    await fail_to_send(chat, message)
    assert chat.read(message).status == "sending"
