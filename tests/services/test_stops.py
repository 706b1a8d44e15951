"""Stops by an administrator, who is on record; nobody else may, and what does not exist is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grimbots.queue.inspector import Inspector
from grimbots.queue.sightings import Stop
from grimbots.services import stops
from grimbots.services.errors import Invalid, NotFound
from grimbots.tests.services.people import add_person, get_visitor


@pytest.fixture
def administrator(io_loop: Any, app: Any) -> Any:
    """Give an administrator of the installation."""

    async def make() -> Any:
        return await get_visitor(app, await add_person(app, "root", None, administrator=True))

    return io_loop.run_sync(make)


@pytest.mark.gen_test
async def test_acts_take_effect_and_are_on_record(
    app: Any, administrator: Any, query: Callable[..., list[Any]]
) -> None:
    assert await stops.act(app, administrator, "pause", "queue", "tasks")
    assert await stops.act_by_command(app, "drain", "account", "7")
    assert await Inspector(app.queue).stops() == [
        Stop("account", "7", paused=False, closed=True),
        Stop("queue", "tasks", paused=True, closed=False),
    ]
    assert await stops.act(app, administrator, "resume", "queue", "tasks")
    assert await stops.act_by_command(app, "resume", "account", "7")
    assert await Inspector(app.queue).stops() == []
    actor = f"user:{administrator.user_id}"
    assert query("SELECT actor, action, subject FROM audit WHERE action LIKE 'queue.%%' ORDER BY id") == [
        (actor, "queue.pause", "queue:tasks"),
        ("command", "queue.drain", "account:7"),
        (actor, "queue.resume", "queue:tasks"),
        ("command", "queue.resume", "account:7"),
    ]


@pytest.mark.gen_test
async def test_what_is_not_stopped_is_not_resumed(
    app: Any, administrator: Any, query: Callable[..., list[Any]]
) -> None:
    await stops.act(app, administrator, "pause", "source", "tasks")
    assert not await stops.act(app, administrator, "resume", "queue", "tasks")
    assert query("SELECT action FROM audit WHERE action LIKE 'queue.%%'") == [("queue.pause",)]


@pytest.mark.gen_test
async def test_queue_that_is_none_is_named_with_those_there_are(app: Any, administrator: Any) -> None:
    for verb in ("pause", "drain"):
        with pytest.raises(Invalid, match=r"no queue 'task': there are campaigns, .*tasks"):
            await stops.act(app, administrator, verb, "queue", "task")
    assert await Inspector(app.queue).stops() == []


@pytest.mark.parametrize("verb", ["pause", "drain", "resume"])
@pytest.mark.gen_test
async def test_act_by_a_seller_is_refused(app: Any, accounts: Any, verb: stops.Verb) -> None:
    await stops.act_by_command(app, "pause", "queue", "tasks")
    owner = await get_visitor(app, await add_person(app, "ana", accounts[0].name))
    with pytest.raises(NotFound):
        await stops.act(app, owner, verb, "queue", "gateway" if verb != "resume" else "tasks")
    assert await Inspector(app.queue).stops() == [Stop("queue", "tasks", paused=True, closed=False)]


@pytest.mark.gen_test
async def test_names_are_turned_into_the_queues(app: Any, accounts: Any, query: Callable[..., list[Any]]) -> None:
    tenant = accounts[0]
    assert await stops.find_account(app, tenant.name) == str(tenant.account_id)
    ((username,),) = query(f"SELECT username FROM bots WHERE id = {tenant.bot_id}")
    assert await stops.find_bot(app, tenant.name, f"@{username}") == f"b{tenant.bot_id}"
    with pytest.raises(NotFound):
        await stops.find_account(app, "nobody")
    for account, bot in ((tenant.name, "@ghost"), (accounts[1].name, username)):
        with pytest.raises(NotFound, match=f"has no bot @{bot.removeprefix('@')}"):
            await stops.find_bot(app, account, bot)
