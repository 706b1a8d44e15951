"""Warmups: a bot's media at Telegram before its first lead, uploaded once whoever comes meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from grimbots.queue.task import Again
from grimbots.services import warmups
from grimbots.services.funnels import versions
from grimbots.tests.conftest import Tenant
from grimbots.tests.services.chats import Chat

Query = Callable[..., list[Any]]
PNG = b"\x89PNG\r\n\x1a\n a picture"
STORAGE = 4444
FUNNEL = {
    "name": "midias",
    "steps": [
        {"id": "a", "kind": "message", "text": "olá", "photo": "capa.png", "next": "b"},
        {"id": "b", "kind": "message", "text": "leia", "document": "guia.pdf", "next": "c"},
        {"id": "c", "kind": "message", "text": "de novo", "photo": "capa.png"},
    ],
}
FILES = {"capa.png": PNG, "guia.pdf": b"%PDF-1.4 a guide"}


@pytest.fixture
def version_id(io_loop: Any, app: Any, accounts: list[Tenant], query: Query) -> int:
    """Give the first tenant's bot a funnel with two files, and a storage chat."""
    published = io_loop.run_sync(partial(publish, app, accounts[0]))
    query("UPDATE bots SET funnel_id = %s WHERE id = %s", published.funnel_id, accounts[0].bot_id)
    key = {"account_id": accounts[0].account_id, "bot_id": accounts[0].bot_id}
    io_loop.run_sync(partial(app.db.bots.set_storage, **key, chat_id=STORAGE))
    made: int = published.version_id
    return made


async def publish(app: Any, tenant: Tenant) -> Any:
    return await versions.publish(app, tenant.account_id, FUNNEL, FILES, actor="command")


def read(query: Query, tenant: Tenant) -> Any:
    (row,) = query("SELECT warmed_version_id, warm_error FROM bots WHERE id = %s", tenant.bot_id)
    return row


@pytest.mark.gen_test
async def test_every_file_goes_to_the_storage_chat_once_and_leads_get_ids(
    app: Any, chat: Chat, version_id: int, fake_telegram: Any, query: Query
) -> None:
    for _ in range(2):
        await warmups.warm(app, bot_id=chat.tenant.bot_id, version_id=version_id)
    assert [(call.method, call.params["chat_id"]) for call in fake_telegram.calls] == [
        ("sendPhoto", str(STORAGE)),
        ("sendDocument", str(STORAGE)),
    ]
    assert read(query, chat.tenant) == (version_id, None)
    version = await versions.load(app, version_id)
    for part in warmups.list_parts(version):
        shown = {"asset": part.sha256, **({"name": part.name} if part.name else {})}
        await chat.send(await chat.plan(method=f"send{part.kind.title()}", body={part.kind: shown}))
    assert [bool(call.files) for call in fake_telegram.calls] == [True, True, False, False]


@pytest.mark.gen_test
async def test_leads_who_come_meanwhile_wait_for_the_one_upload(
    app: Any, accounts: Any, database_url: str, version_id: int, fake_telegram: Any
) -> None:
    release = asyncio.Event()
    fake_telegram.answer("sendPhoto", until=release, times=1)
    warming = asyncio.create_task(warmups.warm(app, bot_id=accounts[0].bot_id, version_id=version_id))
    await fake_telegram.wait_for_calls(1, "sendPhoto")
    part = warmups.list_parts(await versions.load(app, version_id))[0]
    chats = [await Chat(app, accounts[0], database_url, chat_id=700 + n).open() for n in range(6)]
    planned = [await one.plan(method="sendPhoto", body={"photo": {"asset": part.sha256}}) for one in chats]
    sends = [asyncio.create_task(one.send(message)) for one, message in zip(chats, planned, strict=True)]
    release.set()
    await asyncio.gather(warming, *sends)
    photos = fake_telegram.list_calls("sendPhoto")
    assert [bool(call.files) for call in photos] == [True] + [False] * 6
    assert [one.read(message).attempts for one, message in zip(chats, planned, strict=True)] == [1] * 6


@pytest.mark.gen_test
async def test_due_are_bots_with_a_chat_whose_version_is_not_warm(
    app: Any, accounts: Any, version_id: int, query: Query
) -> None:
    assert await warmups.hand_out_due(app) == 1
    assert (await app.queue.reads.count_jobs())["campaigns"].enqueued == 1
    await app.db.bots.note_warm(
        account_id=accounts[0].account_id, bot_id=accounts[0].bot_id, version_id=version_id, error=None
    )
    assert await warmups.hand_out_due(app) == 0
    changed = json.loads(json.dumps(FUNNEL).replace("de novo", "outra vez"))
    await versions.publish(app, accounts[0].account_id, changed, FILES, actor="command")
    assert await warmups.hand_out_due(app) == 1
    query("UPDATE bots SET status = 'dead'")
    assert await warmups.hand_out_due(app) == 0


@pytest.mark.gen_test
async def test_a_file_that_telegram_refuses_is_said_and_the_others_are_warm(
    app: Any, accounts: Any, version_id: int, fake_telegram: Any, query: Query
) -> None:
    fake_telegram.answer("sendPhoto", http=400, description="Bad Request: PHOTO_INVALID_DIMENSIONS")
    await warmups.warm(app, bot_id=accounts[0].bot_id, version_id=version_id)
    assert read(query, accounts[0]) == (version_id, "Bad Request: PHOTO_INVALID_DIMENSIONS")
    assert [call.method for call in fake_telegram.calls] == ["sendPhoto", "sendDocument"]


@pytest.mark.gen_test
async def test_a_flood_puts_the_rest_off(
    app: Any, accounts: Any, version_id: int, fake_telegram: Any, query: Query
) -> None:
    flood = {"http": 429, "description": "Too Many Requests: retry after 33", "parameters": {"retry_after": 33}}
    fake_telegram.answer("sendDocument", **flood, times=1)
    with pytest.raises(Again) as waits:
        await warmups.warm(app, bot_id=accounts[0].bot_id, version_id=version_id)
    assert (waits.value.after_seconds, waits.value.spend, read(query, accounts[0])) == (33, False, (None, None))
    await warmups.warm(app, bot_id=accounts[0].bot_id, version_id=version_id)
    assert [call.method for call in fake_telegram.calls] == ["sendPhoto", "sendDocument", "sendDocument"]
