"""Which bots get visitors: dead ones none, deaf ones none while another hears; in every process, by what comes in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from grimbots.queue.task import Again
from grimbots.services import pools, webhooks
from grimbots.services.pools import PoolCache
from grimbots.tests.conftest import Clock, Tenant
from grimbots.tests.rows import Query
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.chats import send_planned
from grimbots.tests.services.test_pools import become_true, second_bot_id

__all__ = ["second_bot_id"]
STOLEN = {"url": "https://thief.example.org/x"}
REVOKED = {"http": 401, "description": "Unauthorized"}


@pytest.fixture
def neighbour(app: Any, accounts: list[Tenant], second_bot_id: int, io_loop: Any, clock: Clock) -> Iterator[PoolCache]:
    """Give another process's memory of a pool of two bots, kept by what it hears; both are watched and due."""
    cache = PoolCache()
    own = accounts[0]

    async def begin() -> asyncio.Task[None]:
        for bot_id in (own.bot_id, second_bot_id):
            await app.db.webhooks.watch(account_id=own.account_id, bot_id=bot_id, now=clock())
        names = ["tenant1_bot", "second_bot"]
        await pools.save(app, account="tenant1", slug="promo", usernames=names, actor="test")
        clock.move(minutes=2)
        return asyncio.create_task(cache.watch(app))

    watching = io_loop.run_sync(begin)
    io_loop.run_sync(partial(become_true, lambda: list_choices(cache) == ["tenant1_bot", "second_bot"]))
    yield cache
    watching.cancel()


def list_choices(cache: PoolCache) -> list[str]:
    """Give the bots a process would send visitors to."""
    pool = cache._pools.get("promo")
    return [bot.username for bot in pool.candidates] if pool else []


async def lose_webhook(app: Any, tenant: Tenant, bot_id: int, state: str = "taken") -> None:
    """Let Telegram say that a bot's webhook is lost."""
    bot = await app.bots.by_id(app, bot_id)
    url = STOLEN["url"] if state == "taken" else ""
    await webhooks._note(app, bot, webhooks.read({"url": url}, webhooks.bots.webhook_url(app, bot)))


@pytest.mark.parametrize("state", ["taken", "missing"])
@pytest.mark.gen_test
async def test_bot_that_lost_its_webhook_gets_no_visitors(
    app: Any, accounts: list[Tenant], neighbour: PoolCache, state: str
) -> None:
    await lose_webhook(app, accounts[0], accounts[0].bot_id, state)
    await become_true(lambda: list_choices(neighbour) == ["second_bot"])


@pytest.mark.gen_test
async def test_the_watch_itself_takes_it_out(app: Any, neighbour: PoolCache, fake_telegram: Any) -> None:
    fake_telegram.answer("getWebhookInfo", STOLEN, times=1)
    fake_telegram.answer("getWebhookInfo", http=429, description="Too Many Requests")
    await webhooks.watch_due(app)
    await become_true(lambda: len(list_choices(neighbour)) == 1)


@pytest.mark.gen_test
async def test_revoked_bot_is_out_at_its_first_refused_send(
    app: Any, accounts: list[Tenant], neighbour: PoolCache, fake_telegram: Any, buyer: Buyer, query: Query
) -> None:
    await buyer.say("/start")
    fake_telegram.answer("*", **REVOKED)
    with pytest.raises(Again, match="the bot is dead"):
        await send_planned(app, query("SELECT min(id) FROM messages")[0][0])
    await become_true(lambda: list_choices(neighbour) == ["second_bot"])


@pytest.mark.gen_test
async def test_pool_is_never_empty_while_a_bot_is_alive(
    app: Any, accounts: list[Tenant], neighbour: PoolCache, second_bot_id: int, query: Query
) -> None:
    await lose_webhook(app, accounts[0], second_bot_id)
    await become_true(lambda: list_choices(neighbour) == ["tenant1_bot"])
    query("UPDATE bots SET status = 'dead' WHERE id = %s", accounts[0].bot_id)
    await app.db.bots.announce_change(bot_id=accounts[0].bot_id)
    await become_true(lambda: list_choices(neighbour) == ["second_bot"])


@pytest.mark.gen_test
async def test_bot_that_an_update_comes_in_from_is_alive(
    app: Any, accounts: list[Tenant], neighbour: PoolCache, buyer: Buyer, clock: Clock
) -> None:
    await lose_webhook(app, accounts[0], accounts[0].bot_id)
    await become_true(lambda: list_choices(neighbour) == ["second_bot"])
    clock.move(minutes=1)
    buyer.app = replace(app, pools=neighbour)
    await buyer.say("/start")
    await become_true(lambda: list_choices(neighbour) == ["tenant1_bot", "second_bot"])


@pytest.mark.gen_test
async def test_update_that_came_before_the_loss_proves_nothing(
    app: Any, accounts: list[Tenant], neighbour: PoolCache, buyer: Buyer, query: Query, clock: Clock
) -> None:
    before = clock()
    clock.move(minutes=1)
    await lose_webhook(app, accounts[0], accounts[0].bot_id)
    await become_true(lambda: list_choices(neighbour) == ["second_bot"])
    buyer.app = replace(app, pools=neighbour)
    await buyer.handle(buyer.make_text("/start"), received_at=before)
    state = query("SELECT state FROM bot_webhooks WHERE bot_id = %s", accounts[0].bot_id)
    assert (state, list_choices(neighbour)) == ([("taken",)], ["second_bot"])


@pytest.mark.gen_test
async def test_update_of_a_bot_that_hears_asks_nothing_more(app: Any, neighbour: PoolCache, buyer: Buyer) -> None:
    assert not neighbour.is_deaf(buyer.tenant.bot_id)
    await app.pools.load(app)
    assert not app.pools.is_deaf(buyer.tenant.bot_id)
