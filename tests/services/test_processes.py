"""What processes tell of themselves, and of how many people they heard together."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from grimbots.queue.dispatcher import Queue
from grimbots.services import crowds, processes
from grimbots.services.crowds import WINDOW_SECONDS, Crowd
from grimbots.tests.conftest import FIRST_INSTANT, Clock
from grimbots.tests.services.workers import work


def make_process(app: Any, slot: int, *queues: str) -> Any:
    """Give the App of another process of this machine, which runs no jobs."""
    other = Queue(app.queue.url, consumer_host="test", slot=slot, queue_slots=dict.fromkeys(queues, 1))
    return replace(app, queue=other, crowd=Crowd())


@pytest.mark.gen_test
async def test_a_queue_that_no_process_takes_jobs_of_is_seen(app: Any) -> None:
    await processes.report(make_process(app, 1, "tasks", "orphans"))
    async with work(app) as worker:
        await worker.wait_claimed()
        await processes.report(make_process(app, 2, "tasks"))
        told = await processes.list_processes(app)
        workers = processes.count_workers(app, told)
    assert [process.name for process in told] == ["test:0", "test:1", "test:2"]
    assert (workers["orphans"], workers["webhook"]) == (0, 1)


@pytest.mark.gen_test
async def test_who_is_silent_does_not_count_and_is_forgotten(app: Any, clock: Clock, query: Any) -> None:
    await processes.report(make_process(app, 1, "tasks"))
    clock.move(seconds=36)
    assert [process.name for process in await processes.list_processes(app)] == ["test:0"]
    clock.move(days=1)
    await processes.report(app)
    assert query("SELECT name FROM processes") == [("test:0",)]


@pytest.mark.gen_test
async def test_processes_count_a_chat_that_both_heard_of_once(app: Any, clock: Clock) -> None:
    other = make_process(app, 1)
    for chat in range(30):
        app.crowd.note(1, chat, clock())
    for chat in range(20, 50):
        other.crowd.note(1, chat, clock())
    await processes.report(app)
    await processes.report(other)
    assert await processes.count_crowd(app) == 50


@pytest.mark.parametrize("chats", [0, 1, 1000, 100_000])
def test_a_crowd_is_estimated_within_two_per_cent(chats: int) -> None:
    crowd = Crowd()
    for chat in range(chats):
        crowd.note(chat % 50, 10**9 + chat * 7919, FIRST_INSTANT)
    assert abs(crowds.count([crowd.pack(FIRST_INSTANT)]) - chats) <= chats * 0.02


def test_a_crowd_forgets_after_two_windows() -> None:
    crowd, window = Crowd(), timedelta(seconds=WINDOW_SECONDS)
    crowd.note(1, 1, FIRST_INSTANT)
    crowd.note(1, 2, FIRST_INSTANT + window)
    assert crowds.count([crowd.pack(FIRST_INSTANT + window)]) == 2
    assert crowds.count([crowd.pack(FIRST_INSTANT + 2 * window)]) == 1
    assert crowds.count([crowd.pack(FIRST_INSTANT + 9 * window)]) == 0
