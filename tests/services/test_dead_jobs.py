"""Dead jobs: run again or forgotten by an administrator, who is on record; the row decides what running again does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grimbots.queue.inspector import Inspector
from grimbots.queue.job import Verdict
from grimbots.queue.sightings import State
from grimbots.services import dead_jobs, messages
from grimbots.services.errors import NotFound
from grimbots.tests.queue.desks import wait_until
from grimbots.tests.services.chats import Chat
from grimbots.tests.services.people import add_person, get_visitor
from grimbots.tests.services.test_messages_jobs import work


@pytest.fixture
def administrator(io_loop: Any, app: Any) -> Any:
    """Give an administrator of the installation."""

    async def make() -> Any:
        return await get_visitor(app, await add_person(app, "root", None, administrator=True))

    return io_loop.run_sync(make)


@pytest.mark.gen_test
async def test_requeue_sends_what_is_still_planned(
    app: Any, chat: Chat, administrator: Any, fake_telegram: Any
) -> None:
    message = await chat.plan()
    job = messages.job(message)
    await app.queue.bury(job, "attempts")
    async with work(app):
        assert await dead_jobs.requeue(app, administrator, job.id) is Verdict.OK
        await fake_telegram.wait_for_calls(1, "sendMessage")
    assert chat.read(message).status == "sent"


@pytest.mark.gen_test
async def test_requeue_of_a_message_given_up_sends_nothing(
    app: Any, chat: Chat, administrator: Any, fake_telegram: Any
) -> None:
    message = await chat.plan()
    job = messages.job(message)
    await app.queue.bury(job, "attempts")
    await messages.give_up(app, message, "its job is dead")
    async with work(app):
        assert await dead_jobs.requeue(app, administrator, job.id) is Verdict.OK
        await wait_until(lambda: is_done(app, job.id))
    assert (chat.read(message).status, fake_telegram.list_calls()) == ("failed", [])


async def is_done(app: Any, job_id: str) -> bool:
    """Tell whether a job has run."""
    seen = await Inspector(app.queue).job(job_id)
    return seen is not None and seen.state is State.DONE


@pytest.mark.gen_test
async def test_discard_forgets_the_job(app: Any, chat: Chat, administrator: Any) -> None:
    job = messages.job(await chat.plan())
    await app.queue.bury(job, "attempts")
    assert await dead_jobs.discard(app, administrator, job.id) is Verdict.OK
    assert await Inspector(app.queue).job(job.id) is None


@pytest.mark.gen_test
@pytest.mark.parametrize("act", [dead_jobs.requeue, dead_jobs.discard])
async def test_act_by_a_seller_is_refused(
    app: Any, chat: Chat, accounts: Any, act: Any, query: Callable[..., list[Any]]
) -> None:
    job = messages.job(await chat.plan())
    await app.queue.bury(job, "attempts")
    owner = await get_visitor(app, await add_person(app, "ana", accounts[0].name))
    with pytest.raises(NotFound):
        await act(app, owner, job.id)
    assert [dead.job.id for dead in await Inspector(app.queue).dead()] == [job.id]
    assert query("SELECT count(*) FROM audit WHERE action LIKE 'job.%%'") == [(0,)]


@pytest.mark.gen_test
async def test_acts_are_on_record(app: Any, administrator: Any, query: Callable[..., list[Any]]) -> None:
    await dead_jobs.requeue(app, administrator, "u:1:2")
    await dead_jobs.discard(app, administrator, "u:1:2")
    actor = f"user:{administrator.user_id}"
    assert query("SELECT actor, action, subject FROM audit WHERE action LIKE 'job.%%' ORDER BY id") == [
        (actor, "job.requeue", "job:u:1:2"),
        (actor, "job.discard", "job:u:1:2"),
    ]
