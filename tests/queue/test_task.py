"""Tasks and the jobs they make."""

from __future__ import annotations

from typing import Any

import pytest

from grimbots.queue.dispatcher import Queue
from grimbots.queue.job import Accepted, Job
from grimbots.queue.task import PAYLOAD_BYTES, REGISTRY, Done, Task, task
from grimbots.tests.queue.desks import make_task


async def _greet(context: Any, *, name: str, times: int = 1) -> Done | None:
    context.extend([name] * times)
    return Done(pause_ms=5)


def test_registers_under_its_name() -> None:
    greet = task("test.registers", queue="tasks")(_greet)
    assert REGISTRY["test.registers"] is greet


def test_refuses_a_name_twice() -> None:
    task("test.twice", queue="tasks")(_greet)
    with pytest.raises(ValueError, match=r"test\.twice"):
        task("test.twice", queue="webhook")(_greet)


def test_makes_a_job_of_its_queue_and_limits() -> None:
    greet = make_task(_greet, "test.greet", queue="webhook", attempts=3)
    job = greet.job(id="u:1:2", source="b1", account="7", group="9", name="Ana")
    assert job == Job("u:1:2", "test.greet", "webhook", "b1", "7", "9", {"name": "Ana"}, 3)


@pytest.mark.parametrize(("characters", "limit_bytes"), [(32 * 1024, 32 * 1024), (10, 20), (4, 30)])
def test_refuses_a_payload_that_belongs_into_a_row(characters: int, limit_bytes: int) -> None:
    """What counts is what travels: é takes six bytes, and the name of the parameter counts too."""
    greet = Task("test.greet", _greet, queue="tasks", timeout_seconds=1, attempts=1, payload_bytes=limit_bytes)
    with pytest.raises(ValueError, match="put the row's id into the job"):
        greet.job(id="1", source="b1", account="1", name="é" * characters)
    assert greet.job(id="1", source="b1", account="1", name="é").payload == {"name": "é"}


def test_takes_a_payload_up_to_the_limit() -> None:
    name = "x" * (PAYLOAD_BYTES - len('{"name":""}'))
    assert make_task(_greet).job(id="1", source="b1", account="1", name=name).payload == {"name": name}
    with pytest.raises(ValueError, match="may have 32768"):
        make_task(_greet).job(id="1", source="b1", account="1", name=name + "x")


def test_takes_any_payload_where_others_bound_it() -> None:
    greet = Task("test.greet", _greet, queue="tasks", timeout_seconds=1, attempts=1, payload_bytes=None)
    name = "x" * 2 * PAYLOAD_BYTES
    assert greet.job(id="1", source="b1", account="1", name=name).payload == {"name": name}


@pytest.mark.parametrize("payload", [{}, {"name": "Ana", "age": 3}, {"name": "Ana", "times": 2, "age": 3}])
def test_refuses_a_payload_the_function_does_not_take(payload: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        make_task(_greet).job(id="1", source="b1", account="1", **payload)


@pytest.mark.gen_test
async def test_runs_the_function_when_called() -> None:
    heard: list[str] = []
    assert await make_task(_greet)(heard, name="Ana", times=2) == Done(pause_ms=5)
    assert heard == ["Ana", "Ana"]


@pytest.mark.gen_test
async def test_enqueues_for_later(queue: Queue) -> None:
    greet: Task[Any] = make_task(_greet)
    assert await greet.later(queue, id="1", source="b1", account="1", name="Ana") is Accepted.ACCEPTED
    counts = await queue.reads.count_jobs()
    assert counts["tasks"].enqueued == 1
