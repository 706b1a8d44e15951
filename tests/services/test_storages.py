"""Storages: the chat a bot keeps its media in, named by its id or by a link that serves once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grimbots.services import storages, tokens
from grimbots.services.errors import Invalid
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.chats import send_planned

Query = Callable[..., list[Any]]


async def make_param(app: Any, tenant: Any) -> str:
    bot = await tokens.get(app, tenant.account_id, tenant.bot_id)
    return storages.make_link(app, bot).partition("start=")[2]


@pytest.mark.gen_test
async def test_storage_is_named_where_the_bot_may_write(
    app: Any, accounts: Any, fake_telegram: Any, query: Query
) -> None:
    bot = await tokens.get(app, accounts[0].account_id, accounts[0].bot_id)
    fake_telegram.answer("sendMessage", http=400, description="Bad Request: chat not found", times=1)
    with pytest.raises(Invalid, match="make it an administrator"):
        await storages.name(app, bot, -100777, actor="command")
    await storages.name(app, bot, -100777, actor="command")
    assert query("SELECT storage_chat_id FROM bots ORDER BY id") == [(-100777,), (None,)]


@pytest.mark.gen_test
async def test_link_makes_the_chat_of_whoever_opens_it_and_serves_once(
    app: Any, accounts: Any, buyer: Buyer, query: Query, fake_telegram: Any
) -> None:
    param = await make_param(app, accounts[0])
    assert len(param) <= 64
    await buyer.say(f"/start {param}")
    ((message_id,),) = query("SELECT id FROM messages")
    await send_planned(app, message_id)
    assert query("SELECT storage_chat_id FROM bots ORDER BY id") == [(buyer.chat_id,), (None,)]
    assert "guarda as mídias" in fake_telegram.calls[0].params["text"]
    stranger = Buyer(app, accounts[0], query, chat_id=999)
    stranger.next_update_id = 2000
    assert await stranger.say(f"/start {param}") != []  # the funnel's welcome, as for any parameter
    assert query("SELECT storage_chat_id FROM bots ORDER BY id") == [(buyer.chat_id,), (None,)]


@pytest.mark.gen_test
async def test_link_of_another_bot_names_nothing(app: Any, accounts: Any, buyer: Buyer, query: Query) -> None:
    for param in (await make_param(app, accounts[1]), storages.PREFIX, "guardar-é", f"{storages.PREFIX}AAAAAAAAAAAA"):
        await buyer.say(f"/start {param}")
    assert query("SELECT storage_chat_id FROM bots") == [(None,), (None,)]


@pytest.mark.gen_test
async def test_greeting_is_said_again_after_a_crash(app: Any, accounts: Any, buyer: Buyer, query: Query) -> None:
    update = buyer.make_text(f"/start {await make_param(app, accounts[0])}")
    jobs = [await buyer.handle(update) for _ in range(2)]
    assert jobs[0] == jobs[1] != []
