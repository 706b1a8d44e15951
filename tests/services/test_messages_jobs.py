"""Messages as jobs of a real worker: the order of a chat through refusals, and several chats at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from grimbots.services import messages
from grimbots.tests.services.chats import Chat
from grimbots.tests.services.workers import work

FLOOD = {"http": 429, "description": "Too Many Requests: retry after 1", "parameters": {"retry_after": 1}}


async def enqueue(chat: Chat, *texts: str) -> list[Any]:
    planned = [await chat.plan(text) for text in texts]
    for message in planned:
        await chat.app.queue.enqueue(messages.job(message))
    return planned


def list_texts(fake_telegram: Any, chat_id: int) -> list[str]:
    return [call.params["text"] for call in fake_telegram.calls if call.params["chat_id"] == chat_id]


@pytest.mark.gen_test
async def test_chat_keeps_its_order_through_a_flood(app: Any, chat: Chat, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", {"message_id": 1}, times=1)
    fake_telegram.answer("sendMessage", **FLOOD, times=1)
    planned = await enqueue(chat, "1", "2", "3", "4")
    async with work(app):
        await fake_telegram.wait_for_calls(5)
    assert list_texts(fake_telegram, 501) == ["1", "2", "2", "3", "4"]
    assert [chat.read(message).status for message in planned] == ["sent"] * 4
    assert not any(chat.read(message).resent for message in planned)


@pytest.mark.gen_test
async def test_chat_keeps_its_order_through_a_lost_answer(app: Any, chat: Chat, fake_telegram: Any) -> None:
    fake_telegram.answer("sendMessage", drop="after", times=1)
    planned = await enqueue(chat, "1", "2", "3")
    async with work(app):
        await fake_telegram.wait_for_calls(4)
    assert list_texts(fake_telegram, 501) == ["1", "1", "2", "3"]
    assert [chat.read(message).resent for message in planned] == [True, False, False]


@pytest.mark.gen_test
async def test_flood_of_a_chat_leaves_the_others_running(
    app: Any, chat: Chat, accounts: Any, database_url: str, fake_telegram: Any
) -> None:
    fake_telegram.answer("sendMessage", **FLOOD, chat_id=501)
    other = await Chat(app, accounts[0], database_url, chat_id=502).open()
    await enqueue(chat, "1")
    await enqueue(other, "1", "2", "3")
    async with work(app):
        async with asyncio.timeout(30):
            while len(list_texts(fake_telegram, 502)) < 3:
                await fake_telegram.wait_for_calls(len(fake_telegram.calls) + 1)
    assert list_texts(fake_telegram, 502) == ["1", "2", "3"]


@pytest.mark.gen_test
async def test_chats_are_served_side_by_side(app: Any, accounts: Any, database_url: str, fake_telegram: Any) -> None:
    release = asyncio.Event()
    fake_telegram.answer("sendMessage", until=release)
    chats = [await Chat(app, accounts[n % 2], database_url, chat_id=700 + n).open() for n in range(20)]
    for chat in chats:
        await enqueue(chat, "1")
    async with work(app):
        await fake_telegram.wait_for_calls(20)
        release.set()
