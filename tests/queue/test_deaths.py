"""The deaths of jobs, counted by why."""

from __future__ import annotations

from typing import Any

import pytest

from grimbots.conf import metrics
from grimbots.queue.dispatcher import Queue
from grimbots.queue.job import Accepted, Job, UpkeepReply
from grimbots.queue.reports import Death
from grimbots.queue.task import Bury
from grimbots.queue.upkeep import report
from grimbots.tests.queue.desks import make_job, make_task, run_worker, wait_until


def count(death: Death) -> float:
    value: float = metrics.queue_deaths.labels(death)._value.get()
    return value


async def _bury(context: Any) -> None:
    raise Bury("never")


async def _fail(context: Any) -> None:
    raise RuntimeError("no")


@pytest.mark.gen_test
@pytest.mark.parametrize(("function", "death"), [(_bury, Death.BURIED), (_fail, Death.ATTEMPTS)])
async def test_counts_a_job_that_dies(queue: Queue, expect_errors: list[str], function: Any, death: Death) -> None:
    task, before = make_task(function, attempts=1), count(death)
    await queue.enqueue(make_job(task, "1"))
    async with run_worker(queue, task):
        await wait_until(lambda: count(death) == before + 1)


@pytest.mark.gen_test
async def test_counts_what_is_refused_at_the_door(queue: Queue) -> None:
    before = count(Death.REFUSED)
    await queue.bury(Job("1", "test.run", "tasks", "b1", "1"), "junk")
    assert count(Death.REFUSED) == before + 1


@pytest.mark.gen_test
async def test_does_not_count_what_is_refused_while_it_waits(queue: Queue) -> None:
    job, before = Job("1", "test.run", "tasks", "b1", "1"), count(Death.REFUSED)
    await queue.enqueue(job)
    assert await queue.bury(job, "junk") is Accepted.ACCEPTED
    assert count(Death.REFUSED) == before
    assert await queue.reads.count_dead() == 0


def test_counts_poison(expect_errors: list[str]) -> None:
    before = count(Death.POISON)
    report(UpkeepReply(0, [], 0, 2, 0))
    assert count(Death.POISON) == before + 2
