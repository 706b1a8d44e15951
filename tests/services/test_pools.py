"""Pools: whose bots and slugs they may have, whose turn it is, and what is known by heart when Postgres is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from grimbots.services import pools
from grimbots.services.errors import Conflict, Invalid, NotFound, Unavailable
from grimbots.services.pools import PoolCache

Query = Callable[..., list[Any]]


@pytest.fixture
def second_bot_id(app: Any, accounts: Any, io_loop: Any) -> int:
    """Give a second bot of the first account, @second_bot."""
    add = partial(
        app.db.bots.add,
        account_id=accounts[0].account_id,
        telegram_id=900_000_009,
        username="second_bot",
        name="Second",
        key="key-of-second",
        token_encrypted=app.vault.encrypt("900000009:" + "A" * 35),
        funnel_id=None,
        now=app.clock(),
    )
    bot_id: int = io_loop.run_sync(add).id
    return bot_id


async def save(app: Any, tenant: Any, *usernames: str, slug: str = "promo") -> None:
    await pools.save(app, account=tenant.name, slug=slug, usernames=usernames or [f"{tenant.name}_bot"], actor="test")


async def set_status(app: Any, tenant: Any, bot_id: int, status: str) -> None:
    """Change a bot as services/bots.py does."""
    async with app.db.transaction() as tx:
        change = {"account_id": tenant.account_id, "bot_id": bot_id, "status": status}
        await tx.bots.set_status(reason="test", now=app.clock(), **change)
        await tx.bots.announce_change(bot_id=bot_id)


async def list_turns(app: Any, slug: str = "promo", turns: int = 4) -> list[str]:
    return [app.pools.next_bot(await app.pools.get(app, slug)).username for _ in range(turns)]


async def become_true(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.gen_test
async def test_bots_take_turns_in_the_order_they_were_named(app: Any, accounts: Any, second_bot_id: int) -> None:
    await save(app, accounts[0], "@second_bot", "tenant1_bot")
    await app.pools.load(app)
    assert await list_turns(app) == ["second_bot", "tenant1_bot", "second_bot", "tenant1_bot"]


@pytest.mark.gen_test
async def test_turns_go_on_when_the_pools_are_read_again(app: Any, accounts: Any, second_bot_id: int) -> None:
    await save(app, accounts[0], "second_bot", "tenant1_bot")
    await app.pools.load(app)
    await list_turns(app, turns=1)
    await app.pools.load(app)
    assert await list_turns(app, turns=1) == ["tenant1_bot"]


@pytest.mark.gen_test
async def test_save_again_gives_the_pool_its_bots_anew(app: Any, accounts: Any, second_bot_id: int) -> None:
    await save(app, accounts[0])
    await save(app, accounts[0], "second_bot")
    assert [(row.slug, row.bots) for row in await pools.list_pools(app)] == [("promo", "@second_bot")]


@pytest.mark.gen_test
async def test_save_refuses_a_slug_of_another_account(app: Any, accounts: Any) -> None:
    await save(app, accounts[0])
    with pytest.raises(Conflict):
        await save(app, accounts[1])
    assert [(row.account, row.bots) for row in await pools.list_pools(app)] == [("tenant1", "@tenant1_bot")]


@pytest.mark.gen_test
async def test_save_refuses_a_bot_of_another_account(app: Any, accounts: Any) -> None:
    with pytest.raises(NotFound, match="has no bot @tenant2_bot"):
        await save(app, accounts[0], "tenant1_bot", "tenant2_bot")
    assert await pools.list_pools(app) == []


@pytest.mark.parametrize("slug", ["", "-a", "a b", "A", "a/b", "x" * 65, "é"])
@pytest.mark.gen_test
async def test_save_refuses_what_cannot_stand_in_a_link(app: Any, accounts: Any, slug: str) -> None:
    with pytest.raises(Invalid):
        await save(app, accounts[0], slug=slug)


@pytest.mark.gen_test
async def test_save_refuses_a_bot_named_twice(app: Any, accounts: Any) -> None:
    with pytest.raises(Invalid):
        await save(app, accounts[0], "tenant1_bot", "@Tenant1_bot")


@pytest.mark.gen_test
async def test_remove_frees_the_slug(app: Any, accounts: Any) -> None:
    await save(app, accounts[0])
    await pools.remove(app, account="tenant1", slug="promo", actor="test")
    await save(app, accounts[1])
    assert [row.account for row in await pools.list_pools(app)] == ["tenant2"]


@pytest.mark.gen_test
async def test_remove_refuses_a_pool_of_another_account(app: Any, accounts: Any) -> None:
    await save(app, accounts[0])
    with pytest.raises(NotFound):
        await pools.remove(app, account="tenant2", slug="promo", actor="test")
    assert len(await pools.list_pools(app, "tenant1")) == 1


@pytest.mark.gen_test
async def test_changes_are_written_down(app: Any, accounts: Any, query: Query) -> None:
    await save(app, accounts[0])
    await pools.remove(app, account="tenant1", slug="promo", actor="test")
    rows = query("SELECT account_id, actor, action, details ->> 'slug' FROM audit ORDER BY id")
    own = accounts[0].account_id
    assert rows == [(own, "test", "pool.save", "promo"), (own, "test", "pool.remove", "promo")]


@pytest.mark.gen_test
async def test_every_process_hears_of_a_change(app: Any, accounts: Any, second_bot_id: int) -> None:
    cache = PoolCache()
    watching = asyncio.ensure_future(cache.watch(app))
    await save(app, accounts[0], "tenant1_bot", "second_bot")
    await become_true(lambda: cache._pools)
    await set_status(app, accounts[0], accounts[0].bot_id, "dead")
    await become_true(lambda: len(cache._pools["promo"].bots) == 1)
    assert cache.next_bot(await cache.get(app, "promo")).username == "second_bot"
    await pools.remove(app, account="tenant1", slug="promo", actor="test")
    await become_true(lambda: not cache._pools)
    watching.cancel()


@pytest.mark.gen_test
async def test_dead_bot_is_passed_over(app: Any, accounts: Any, second_bot_id: int) -> None:
    await save(app, accounts[0], "tenant1_bot", "second_bot")
    await set_status(app, accounts[0], accounts[0].bot_id, "dead")
    await app.pools.load(app)
    assert await list_turns(app, turns=3) == ["second_bot"] * 3


@pytest.mark.gen_test
async def test_pool_whose_bots_are_all_dead_leads_nowhere(app: Any, accounts: Any) -> None:
    await save(app, accounts[0])
    await set_status(app, accounts[0], accounts[0].bot_id, "removed")
    await app.pools.load(app)
    with pytest.raises(Unavailable):
        await list_turns(app)


@pytest.mark.gen_test
async def test_pool_that_was_not_read_yet_is_asked_for(app: Any, accounts: Any) -> None:
    await save(app, accounts[0])
    assert await list_turns(app, turns=1) == ["tenant1_bot"]
    with pytest.raises(NotFound):
        await app.pools.get(app, "nothing")


@pytest.mark.gen_test
async def test_load_reads_page_after_page(app: Any, accounts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "PAGE_POOLS", 2)
    for number in range(5):
        await save(app, accounts[0], slug=f"promo{number}")
    await app.pools.load(app)
    assert len(app.pools._pools) == 5


@pytest.mark.gen_test
async def test_no_more_pools_are_remembered_than_there_is_a_place_for(
    app: Any, accounts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "PAGE_POOLS", 2)
    monkeypatch.setattr(pools, "REMEMBERED_POOLS", 2)
    for number in range(4):
        await save(app, accounts[0], slug=f"promo{number}")
    await app.pools.load(app)
    assert sorted(app.pools._pools) == ["promo2", "promo3"]
    assert await list_turns(app, "promo0", turns=1) == ["tenant1_bot"]


@pytest.mark.gen_test
async def test_pools_count_as_they_were_read_last_when_postgres_is_away(app: Any, accounts: Any) -> None:
    await save(app, accounts[0])
    await app.pools.load(app)
    await app.db.close()
    assert await list_turns(app, turns=1) == ["tenant1_bot"]
    with pytest.raises(Unavailable):
        await app.pools.get(app, "unknown")
