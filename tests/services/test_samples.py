"""The queues' last half hour: one look a step whoever looks, rates as differences, no more rows than the ring has."""

from __future__ import annotations

from typing import Any

import pytest

from grimbots.queue.job import Job
from grimbots.services import samples
from grimbots.services.samples import SLOTS, STEP


async def add_jobs(app: Any, first: int, count: int) -> None:
    """Let jobs in that nobody runs."""
    for place in range(first, first + count):
        await app.queue.enqueue(Job(f"u:1:{place}", "updates.handle", "tasks", "b1", "1", "", {}))


@pytest.mark.gen_test
async def test_first_look_of_a_step_stays(app: Any, clock: Any) -> None:
    await samples.take(app)
    await add_jobs(app, 0, 3)
    await samples.take(app)
    assert [one.pending for one in (await samples.list_series(app))["tasks"]] == [0]
    clock.move(seconds=10)
    await samples.take(app)
    assert [one.pending for one in (await samples.list_series(app))["tasks"]] == [0, 3]


@pytest.mark.gen_test
async def test_rates_are_differences_and_never_negative(app: Any, clock: Any, query: Any) -> None:
    await samples.take(app)
    await add_jobs(app, 0, 20)
    clock.move(seconds=10)
    await samples.take(app)
    clock.move(seconds=10)
    await samples.take(app)
    query("UPDATE queue_samples SET enqueued = 5 WHERE queue = 'tasks' AND at = %s", clock())
    kept = (await samples.list_series(app))["tasks"]
    assert [one.enqueued_per_second for one in kept] == [None, 2.0, 0.0]
    whole = samples.sum_up(await samples.list_series(app))
    assert [(one.pending, one.enqueued_per_second) for one in whole] == [(0, None), (20, 2.0), (20, 0.0)]


@pytest.mark.gen_test
async def test_ring_is_written_over(app: Any, clock: Any, query: Any) -> None:
    await samples.take(app)
    first = clock()
    clock.move(seconds=STEP.total_seconds() * SLOTS)
    await samples.take(app)
    assert query("SELECT DISTINCT at FROM queue_samples") == [(clock(),)]
    assert first not in {one.at for one in samples.sum_up(await samples.list_series(app))}
