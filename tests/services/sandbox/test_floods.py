"""429: messages of a chat, uploads of a size, setWebhook, and too many calls at once."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from grimbots.services.sandbox.floods import MOST_UNSENT, Floods
from grimbots.services.sandbox.refusals import Refusal
from grimbots.tests.services.sandbox.drivers import CHAT, Driver, Webhook
from grimbots.tests.services.sandbox.test_pictures import make_png, upload

MEGABYTE = 1_000_000


def send_until_refused(floods: Floods, now: float, chat_id: int = CHAT) -> int:
    """Count the messages a chat takes at this instant."""
    for count in range(100):
        try:
            floods.note_messages(1, chat_id, 1, now)
        except Refusal:
            return count
    return 100


def test_chat_takes_a_burst_then_one_a_second() -> None:
    floods = Floods()
    assert send_until_refused(floods, 0) == 5
    assert send_until_refused(floods, 0.9) == 0
    assert send_until_refused(floods, 1.0) == 1
    assert send_until_refused(floods, 3.0) == 2
    assert send_until_refused(floods, 60.0) == 5


def show_tokens(floods: Floods, now: float, first: int, count: int) -> list[int | None]:
    """Use so many new tokens at an instant; give for each how long it is to wait, None where it was taken."""
    waits: list[int | None] = []
    for number in range(first, first + count):
        try:
            floods.note_token(f"{number}:x", now)
        except Refusal as refusal:
            waits.append(refusal.answer["parameters"]["retry_after"])
        else:
            waits.append(None)
    return waits


def test_new_tokens_come_twenty_a_minute_and_six_hundred_an_hour() -> None:
    floods = Floods(limits_tokens=True)
    assert show_tokens(floods, 0, 0, 21) == [None] * 20 + [60]
    assert show_tokens(floods, 30, 0, 20) == [None] * 20  # known ones
    assert show_tokens(floods, 30, 100, 1) == [30]
    for minute in range(1, 30):
        assert show_tokens(floods, minute * 60, minute * 1000, 20) == [None] * 20
    assert show_tokens(floods, 1801, 900, 1) == [1799]
    assert show_tokens(floods, 3600, 901, 1) == [None]


def test_new_tokens_of_this_machine_come_as_they_like() -> None:
    assert show_tokens(Floods(), 0, 0, 1000) == [None] * 1000


def test_chats_are_apart() -> None:
    floods = Floods()
    assert [send_until_refused(floods, 0, chat_id) for chat_id in (1, 2)] == [5, 5]


def test_album_uses_up_a_burst_at_most() -> None:
    floods = Floods()
    floods.note_messages(1, CHAT, 10, 0)
    assert send_until_refused(floods, 0.9) == 0
    assert send_until_refused(floods, 1.0) == 1


def test_limit_of_a_chat_can_be_taken_away() -> None:
    assert send_until_refused(Floods(burst=0), 0) == 100


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [
        (100_000, [0, 0, 0, 0, 0, 0, 0]),
        (MEGABYTE, [0, 0, 0, 0, 0, 0, 0.2, 0.4]),
        (9 * MEGABYTE, [0, 0, 0.8, 1.7, 2.6, 3.5, 4.4, 5.3, math.inf]),
    ],
)
def test_uploads_of_a_size_are_paced(size_bytes: int, expected: list[float]) -> None:
    floods = Floods()
    assert [floods.note_upload(1, size_bytes, 1000.0) for _ in expected] == pytest.approx(expected, abs=1e-6)


def test_uploads_of_other_sizes_and_bots_do_not_wait() -> None:
    floods = Floods()
    for _ in range(9):
        floods.note_upload(1, 9 * MEGABYTE, 0)
    assert (floods.note_upload(1, 9 * MEGABYTE + 1, 0), floods.note_upload(2, 9 * MEGABYTE, 0)) == (0, 0)


def test_backlog_of_uploads_passes_with_time() -> None:
    floods = Floods()
    while floods.note_upload(1, 9 * MEGABYTE, 0) != math.inf:
        pass
    assert floods.note_upload(1, 9 * MEGABYTE, 5.0) < 2


@pytest.mark.gen_test
async def test_sixth_message_at_once_is_refused(sandbox: Driver, sandbox_clock: Any) -> None:
    await sandbox.say()
    for _ in range(5):
        await sandbox.send()
    reply = await sandbox.call("sendMessage", chat_id=CHAT, text="x")
    assert (reply.status, reply.headers["Retry-After"]) == (429, "1")
    assert reply.json["parameters"] == {"retry_after": 1}
    assert len((await sandbox.chat("messages")).json) == 6
    sandbox_clock.now += 1
    await sandbox.send()


@pytest.mark.gen_test
async def test_edits_and_refused_messages_do_not_count(sandbox: Driver) -> None:
    await sandbox.say()
    message = await sandbox.send("0")
    for number in range(6):
        assert (await sandbox.call("sendMessage", chat_id=CHAT, text="")).status == 400
        edit = {"chat_id": CHAT, "message_id": message["message_id"], "text": f"edit {number}"}
        assert (await sandbox.call("editMessageText", **edit)).status == 200
    for _ in range(4):
        await sandbox.send()


@pytest.mark.gen_test
async def test_strictness_is_set_by_the_face(sandbox: Driver) -> None:
    await sandbox.say()
    assert (await sandbox.face("limits")).json["chat_burst"] == 5
    assert (await sandbox.face("limits", "POST", {"chat_burst": 0})).json["chat_burst"] == 0
    for _ in range(9):
        await sandbox.send()
    assert (await sandbox.face("limits", "POST", {"chat_burst": -1})).status == 400


@pytest.mark.gen_test
async def test_too_long_a_backlog_of_uploads_is_held_and_refused(sandbox: Driver, io_loop: Any) -> None:
    await sandbox.say()
    picture = make_png() + b"\0" * 9 * MEGABYTE
    floods, bot_id = sandbox.server.sandbox.floods, int(sandbox.token.split(":")[0])
    while floods.note_upload(bot_id, len(picture), sandbox.server.sandbox.clock()) != math.inf:
        pass
    began = io_loop.time()
    reply = await upload(sandbox, picture)
    assert (reply.status, reply.json["parameters"]) == (429, {"retry_after": 60})
    assert io_loop.time() - began > 2.5
    assert (await sandbox.face("calls")).json[-1]["answer"]["error_code"] == 429


@pytest.mark.gen_test
async def test_call_beyond_310_unsent_of_a_chat_is_refused(sandbox: Driver) -> None:
    await sandbox.say()
    bot_id = int(sandbox.token.split(":")[0])
    held = [sandbox.server.sandbox.floods.unsent(bot_id, str(CHAT)) for _ in range(MOST_UNSENT)]
    for unsent in held:
        unsent.__enter__()
    refused, other = await asyncio.gather(
        sandbox.call("sendMessage", chat_id=CHAT, text="x"), sandbox.call("sendChatAction", chat_id=7, action="typing")
    )
    assert (refused.status, refused.json["parameters"]) == (429, {"retry_after": 60})
    assert other.json["description"] == "Bad Request: chat not found"
    for unsent in held:
        unsent.__exit__(None, None, None)
    await sandbox.send()


@pytest.mark.gen_test
async def test_set_webhook_twice_a_second_is_refused(sandbox: Driver, webhook: Webhook, sandbox_clock: Any) -> None:
    first = await sandbox.call("setWebhook", url=webhook.url)
    assert first.json == {"ok": True, "result": True, "description": "Webhook was set"}
    second = await sandbox.call("setWebhook", url=webhook.url)
    assert (second.status, second.json["description"]) == (429, "Too Many Requests: retry after 1")
    sandbox_clock.now += 1
    third = await sandbox.call("setWebhook", url=webhook.url)
    assert third.json["description"] == "Webhook is already set"
