"""Processes that die, freeze and come back: what was accepted is done, in order, and never by two at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from grimbots.queue.dispatcher import Queue
from grimbots.queue.job import Job
from grimbots.tests.queue.desks import make_job, run_worker, wait_until
from grimbots.tests.queue.victim import STUCK_SECONDS, TASKS, Place

WORK, WAIT, DIE, BLOCK, BLOCK_ONCE = (TASKS[f"test.{name}"] for name in ("work", "wait", "die", "block", "block_once"))


class Victim:
    """A worker in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def end(self) -> None:
        """Kill it, if it lives."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


async def _spawn(url: str, slot: int, folder: Path) -> Victim:
    command = (sys.executable, "-m", "grimbots.tests.queue.victim", url, str(slot), str(folder))
    with (folder / f"victim{slot}.log").open("ab") as log:
        return Victim(await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log))


@asynccontextmanager
async def _victim(url: str, slot: int, folder: Path) -> AsyncIterator[Victim]:
    victim = await _spawn(url, slot, folder)
    try:
        yield victim
    finally:
        await victim.end()


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the victims' loops be stuck for 3 s instead of 30."""
    monkeypatch.setenv(STUCK_SECONDS, "3")


def _read(folder: Path, word: str) -> list[int]:
    """Read the numbers behind a word, in the order in which they were written."""
    effects = folder / "effects"
    lines = effects.read_text("ascii").splitlines() if effects.exists() else []
    return [int(line.split()[1]) for line in lines if line.startswith(f"{word} ")]


def _firsts(numbers: list[int]) -> list[int]:
    return list(dict.fromkeys(numbers))


def _work(n: int, chat: str = "9") -> Job:
    return make_job(WORK, f"work{n}", chat=chat, n=n)


@pytest.mark.alone
@pytest.mark.gen_test
async def test_takes_over_at_once_from_its_killed_predecessor(
    queue: Queue, flushed_redis_url: str, tmp_path: Path
) -> None:
    for n in range(6):
        await queue.enqueue(_work(n))
    async with _victim(flushed_redis_url, 3, tmp_path) as first:
        await wait_until(lambda: _read(tmp_path, "start")[-1:] == [2])
        await first.end()
    async with _victim(flushed_redis_url, 3, tmp_path):
        began = monotonic()
        await wait_until(lambda: len(set(_read(tmp_path, "effect"))) == 6)
        assert monotonic() - began < 5  # the lease of the dead one had 10 s
    assert _firsts(_read(tmp_path, "effect")) == list(range(6))


@pytest.mark.gen_test
async def test_buries_a_job_that_kills_twice_as_a_suspect_and_its_neighbours_live(
    queue: Queue, flushed_redis_url: str, tmp_path: Path
) -> None:
    await queue.enqueue(make_job(DIE, "killer", chat="9"))
    for n in range(3):
        await queue.enqueue(_work(n, chat="9"))
        await queue.enqueue(_work(10 + n, chat=f"{n}"))
    for _ in range(4):  # twice among its neighbours, which makes them suspects too, and twice as the only suspect
        async with _victim(flushed_redis_url, 3, tmp_path) as victim:
            async with asyncio.timeout(30):
                assert await victim.process.wait() == -signal.SIGKILL
    async with _victim(flushed_redis_url, 3, tmp_path):
        await wait_until(lambda: set(_read(tmp_path, "effect")) == {0, 1, 2, 10, 11, 12})
    assert len(_read(tmp_path, "die")) == 4
    assert [(dead.job.id, dead.reason) for dead in await queue.reads.list_dead()] == [("killer", "poison")]


@pytest.mark.gen_test
async def test_spends_and_repeats_nothing_in_a_rolling_restart(
    queue: Queue, flushed_redis_url: str, tmp_path: Path
) -> None:
    for n in range(40):
        await queue.enqueue(_work(n, chat=f"{n % 4}"))
    for _ in range(3):
        async with _victim(flushed_redis_url, 3, tmp_path) as victim:
            seen = len(_read(tmp_path, "effect"))
            await wait_until(lambda: len(_read(tmp_path, "effect")) > seen)  # noqa: B023
            victim.signal(signal.SIGTERM)
            assert await victim.process.wait() == 0
    async with _victim(flushed_redis_url, 3, tmp_path):
        await wait_until(lambda: len(_read(tmp_path, "effect")) >= 40)
    assert sorted(_read(tmp_path, "start")) == sorted(_read(tmp_path, "effect")) == list(range(40))


@pytest.mark.slow
@pytest.mark.gen_test
async def test_does_nothing_more_after_a_freeze_past_its_lease(
    queue: Queue, flushed_redis_url: str, tmp_path: Path
) -> None:
    place = Place(queue, tmp_path)
    async with _victim(flushed_redis_url, 3, tmp_path) as victim:
        await queue.enqueue(make_job(WAIT, "1", chat="9", n=1))
        await queue.enqueue(make_job(WAIT, "2", chat="9", n=2))
        await wait_until(lambda: _read(tmp_path, "start") == [1])
        victim.signal(signal.SIGSTOP)
        (tmp_path / "go").touch()
        async with run_worker(queue, *TASKS.values(), context=place):
            await wait_until(lambda: _read(tmp_path, "effect") == [1, 2], seconds=20)
        victim.signal(signal.SIGCONT)
        await queue.enqueue(_work(3))  # nobody else works now: the victim is back among the living
        await wait_until(lambda: 3 in _read(tmp_path, "effect"))
    assert _read(tmp_path, "effect") == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.gen_test
async def test_ends_a_process_whose_loop_is_stuck(
    queue: Queue, flushed_redis_url: str, tmp_path: Path, impatience: None
) -> None:
    async with _victim(flushed_redis_url, 3, tmp_path) as victim:
        await queue.enqueue(make_job(BLOCK, "1"))
        async with asyncio.timeout(60):
            assert await victim.process.wait() == 70
    said = (tmp_path / "victim3.log").read_text()
    assert "the event loop is held up" in said
    assert "the event loop is stuck" in said


# The same under the parent of `grimbots serve --processes`:


@asynccontextmanager
async def _family(url: str, processes: int, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Keep so many victims alive under a parent; stopped at the end."""
    victim = (sys.executable, "-m", "grimbots.tests.queue.victim", url, "-", str(folder))
    command = (sys.executable, "-m", "grimbots.tests.queue.parent", str(processes), *victim)
    with (folder / "family.log").open("ab") as log:
        parent = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        yield parent
    finally:
        parent.send_signal(signal.SIGTERM)
        assert await parent.wait() == 0


@pytest.mark.slow
@pytest.mark.gen_test
async def test_a_parent_replaces_a_stuck_process_and_its_job_runs_again(
    queue: Queue, flushed_redis_url: str, tmp_path: Path, impatience: None
) -> None:
    async with _family(flushed_redis_url, 1, tmp_path):
        await queue.enqueue(make_job(BLOCK_ONCE, "1", chat="9"))
        await queue.enqueue(_work(1))
        await wait_until(lambda: _read(tmp_path, "effect") == [0, 1], seconds=60)
    assert "Process 0 ended (exit code 70): starting it again" in (tmp_path / "family.log").read_text()


@pytest.mark.slow
@pytest.mark.gen_test
async def test_a_parent_outlives_a_poisonous_job_which_is_buried(
    queue: Queue, flushed_redis_url: str, tmp_path: Path
) -> None:
    await queue.enqueue(make_job(DIE, "killer", chat="9"))
    for n in range(3):
        await queue.enqueue(_work(n, chat="9"))
        await queue.enqueue(_work(10 + n, chat=f"{n}"))
    async with _family(flushed_redis_url, 2, tmp_path):
        await wait_until(lambda: set(_read(tmp_path, "effect")) == {0, 1, 2, 10, 11, 12}, seconds=40)
    assert len(_read(tmp_path, "die")) >= 3
    assert [(dead.job.id, dead.reason) for dead in await queue.reads.list_dead()] == [("killer", "poison")]


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.gen_test
async def test_a_parent_starts_a_killed_process_whose_jobs_are_back_before_its_lease_ends(
    queue: Queue, flushed_redis_url: str, tmp_path: Path
) -> None:
    async with _family(flushed_redis_url, 1, tmp_path) as parent:
        await queue.enqueue(make_job(WAIT, "1", n=1))
        await wait_until(lambda: _read(tmp_path, "start") == [1], seconds=20)
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        killed_at = monotonic()
        os.kill(int(children[0]), signal.SIGKILL)
        await wait_until(lambda: _read(tmp_path, "start") == [1, 1], seconds=20)
        assert monotonic() - killed_at < 8  # the lease of the dead one had 10 s
        (tmp_path / "go").touch()
        await wait_until(lambda: _read(tmp_path, "effect") == [1])
