"""What users of other queues suffer and no other test here is about; COMPLAINTS.md names the test of each complaint."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from grimbots.queue.dispatcher import Queue
from grimbots.tests.queue.desks import make_job, make_task, run_worker, wait_until

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("COMPLAINTS.md")
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
OWN_CLOCK = re.compile(r"\btime\.time\(|\bdatetime\.now\(|os\.time|os\.clock")
PREFIX = "{q0}:"


async def _run(context: asyncio.Event | None, *, n: int = 0) -> None:
    if context is not None:
        await context.wait()


TASK = make_task(_run)


@pytest.fixture
def client(io_loop: Any, flushed_redis_url: str) -> Any:
    """Give a client beside the queue."""

    async def make() -> Any:
        return redis.asyncio.from_url(flushed_redis_url, protocol=3, decode_responses=True)

    made = io_loop.run_sync(make)
    yield made
    io_loop.run_sync(made.aclose)


async def _list_keys(client: Any) -> list[str]:
    return [key async for key in client.scan_iter()]


async def _has_settled(queue: Queue, jobs: int) -> bool:
    counts = await queue.reads.count_jobs()
    return "tasks" in counts and counts["tasks"].settled == jobs


async def _count_commands(client: Any) -> int:
    return int((await client.info("stats"))["total_commands_processed"])


@asynccontextmanager
async def _settled(queue: Queue, jobs: int) -> AsyncIterator[None]:
    """Run so many jobs of many chats to their end."""
    async with run_worker(queue, TASK):
        await asyncio.gather(*(queue.enqueue(make_job(TASK, f"j{n}", chat=str(n % 50), n=n)) for n in range(jobs)))
        await wait_until(lambda: _has_settled(queue, jobs))
        yield


@pytest.mark.gen_test
async def test_job_that_is_not_done_never_expires(queue: Queue, client: Any) -> None:
    go = asyncio.Event()
    await queue.enqueue(make_job(TASK, "running", chat="1"))
    await queue.enqueue(make_job(TASK, "waiting", chat="1"))
    await queue.bury(make_job(TASK, "dead"), "buried")
    async with run_worker(queue, TASK, context=go):
        await wait_until(lambda: client.exists(f"{PREFIX}consumers"))
        assert {key: await client.ttl(f"{PREFIX}job:{key}") for key in ("running", "waiting", "dead")} == {
            "running": -1, "waiting": -1, "dead": -1,
        }  # fmt: skip
        go.set()


@pytest.mark.gen_test
async def test_done_jobs_leave_only_their_ids_for_a_minute(queue: Queue, client: Any) -> None:
    async with _settled(queue, 500):
        keys = await _list_keys(client)
        done = [key for key in keys if key.startswith(f"{PREFIX}job:")]
        assert len(done) == 500
        assert len(keys) - len(done) <= 12  # counters, leases, tokens: not one for each chat, source or job
        assert max([await client.ttl(key) for key in done]) <= 60
        assert all([len(await client.get(key)) < 40 for key in done[:50]])


@pytest.mark.gen_test
async def test_every_key_lies_in_the_shards_slot(queue: Queue, client: Any) -> None:
    await queue.bury(make_job(TASK, "dead"), "buried")
    await queue.hold_source("b7", 60)
    async with _settled(queue, 10):
        await queue.enqueue(make_job(TASK, "held", source="b7"))
        assert {key[: len(PREFIX)] for key in await _list_keys(client)} == {PREFIX}


@pytest.mark.gen_test
async def test_idle_process_asks_redis_a_few_times_a_second(queue: Queue, client: Any) -> None:
    async with run_worker(queue, TASK) as worker:
        await wait_until(worker.is_working)
        before = await _count_commands(client)
        await asyncio.sleep(3)  # what is measured is a span of time
        asked = await _count_commands(client) - before
    assert asked <= 3 * 40, f"{asked} commands in 3 s of idleness, those inside the scripts among them"


@pytest.mark.gen_test
async def test_idle_process_holds_three_connections(queue: Queue, client: Any) -> None:
    async with _settled(queue, 200):
        clients = await client.client_list()
    assert len(clients) <= 6  # commands, blocking, reads, heartbeat; this test's own


def test_nobody_but_redis_tells_the_time() -> None:
    files = [*ROOT.glob("queue/*.py"), *ROOT.glob("queue/scripts/*.lua")]
    assert len(files) > 20
    assert [path.name for path in files if OWN_CLOCK.search(path.read_text("utf-8"))] == []


def test_table_names_tests_that_exist() -> None:
    named = NAMED.findall(TABLE.read_text("utf-8"))
    assert len(named) > 40
    missing = [
        f"{path}::{test}"
        for path, test in named
        if not (ROOT / path).exists() or (test and f"def {test}(" not in (ROOT / path).read_text("utf-8"))
    ]
    assert missing == []
