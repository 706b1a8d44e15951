"""Levels of memory: what waits at each, and that they do not flap."""

from __future__ import annotations

from pathlib import Path

import pytest

from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.job import Accepted
from grimbots.queue.memory import MemoryLevel, judge
from grimbots.tests.queue.desks import make_job, make_task, open_queue, wait_until
from grimbots.tests.queue.servers import RedisServer, run_server

EASY, HIGH, TIGHT, FULL = MemoryLevel


@pytest.mark.parametrize(
    ("part", "last", "level"),
    [
        (0.0, EASY, EASY),
        (0.69, EASY, EASY),
        (0.70, EASY, HIGH),
        (0.69, HIGH, HIGH),
        (0.67, HIGH, EASY),
        (0.85, EASY, TIGHT),
        (0.84, TIGHT, TIGHT),
        (0.84, HIGH, HIGH),
        (0.82, TIGHT, HIGH),
        (1.0, EASY, FULL),
        (1.2, FULL, FULL),
        (0.97, FULL, TIGHT),
    ],
)
def test_a_level_ends_a_little_below_where_it_began(part: float, last: MemoryLevel, level: MemoryLevel) -> None:
    assert judge(part, last) is level


async def _nothing(context: None) -> None: ...


CAMPAIGN, CHARGE, TAP = (make_task(_nothing, queue=queue) for queue in ("campaigns", "gateway", "tasks"))


async def _fill(server: RedisServer, part: float) -> None:
    """Let what is used be such a part of what is allowed."""
    info = await server.ask("INFO", "memory")
    assert isinstance(info, dict)
    await server.ask("CONFIG", "SET", "maxmemory", int(info["used_memory"] / part))


def _reaches(queue: Queue, level: MemoryLevel) -> bool:
    return queue.memory_level is level


@pytest.mark.gen_test
async def test_lets_in_what_people_wait_for_longest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with run_server(tmp_path) as server, open_queue(server.url) as queue:
        await server.ask("SET", "ballast", "x" * 20_000_000)  # so that connections that come and go change no level
        await _fill(server, 0.76)
        await wait_until(lambda: _reaches(queue, HIGH))
        assert await queue.enqueue(make_job(CAMPAIGN, "1")) is Accepted.ACCEPTED
        await _fill(server, 0.92)
        await wait_until(lambda: _reaches(queue, TIGHT))
        with pytest.raises(QueueUnavailable, match="nearly full: queue campaigns"):
            await queue.enqueue(make_job(CAMPAIGN, "2"))
        assert await queue.enqueue(make_job(CHARGE, "3")) is Accepted.ACCEPTED
        assert await queue.enqueue(make_job(TAP, "4")) is Accepted.ACCEPTED
        await _fill(server, 1.1)
        await wait_until(lambda: _reaches(queue, FULL))
        with pytest.raises(QueueUnavailable, match="memory of redis is full"):
            await queue.enqueue(make_job(TAP, "5"))
        await server.ask("CONFIG", "SET", "maxmemory", 0)
        await wait_until(lambda: _reaches(queue, EASY))
    assert "only what buyers and payments wait for" in caplog.text
