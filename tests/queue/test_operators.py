"""What a person does to dead jobs, over a started queue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.inspector import Inspector
from grimbots.queue.job import Verdict
from grimbots.queue.operators import Operator
from grimbots.tests.queue.desks import make_job, make_task, open_queue, run_worker, wait_until
from grimbots.tests.queue.servers import RedisServer


async def _note(context: list[Any], *, place: int) -> None:
    context.append(place)


NOTE = make_task(_note)


@pytest.mark.gen_test
async def test_requeue_lets_a_dead_job_run(queue: Queue) -> None:
    ran: list[int] = []
    await queue.bury(make_job(NOTE, "1", place=7), "junk")
    async with run_worker(queue, NOTE, context=ran):
        assert await Operator(queue).requeue("1") is Verdict.OK
        await wait_until(lambda: ran == [7])
    assert await Inspector(queue).dead() == []


@pytest.mark.gen_test
async def test_discard_forgets_a_dead_job(queue: Queue) -> None:
    await queue.bury(make_job(NOTE, "1", place=7), "junk")
    assert await Operator(queue).discard("1") is Verdict.OK
    assert await Inspector(queue).job("1") is None


@pytest.mark.gen_test
async def test_acts_on_nothing_unknown(queue: Queue) -> None:
    operator = Operator(queue)
    assert (await operator.requeue("nobody"), await operator.discard("nobody")) == (Verdict.GONE, Verdict.OK)


@pytest.mark.gen_test(timeout=10)
async def test_says_when_redis_is_away(tmp_path: Path) -> None:
    async with open_queue(RedisServer(tmp_path).url) as queue:
        with pytest.raises(QueueUnavailable):
            await Operator(queue).requeue("1")
