"""Replication lag as it is: a real standby of Postgres, held up and let go on (Redis: tests/queue/test_replicas.py)."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from grimbots.handlers.commands.embedded import postgres
from grimbots.handlers.commands.embedded.children import dress, stop
from grimbots.services import vitals
from grimbots.tests.rows import Query, open_query

WAIT_SECONDS = 30


async def wait_for(look: Callable[[], Awaitable[Any]], is_so: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(WAIT_SECONDS):
        while not is_so(seen := await look()):
            await asyncio.sleep(0.02)
    return seen


@pytest.fixture
def standby(io_loop: Any, servers_folder: Path, postgres_url: str) -> Iterator[Query]:
    """Give a function that runs a statement on a standby of the session's Postgres."""
    folder, binaries = servers_folder / "standby", postgres.find_binaries(None)
    folder.parent.mkdir(exist_ok=True)
    identity = postgres._choose_identity(folder, binaries)
    folder.mkdir(mode=0o700)
    if identity and not identity.mapped:
        folder.chmod(0o777)
    options = ["-d", postgres_url, "-D", folder / "data", "-R", "-X", "stream", "-c", "fast", "--no-sync"]
    subprocess.run(dress([binaries / "pg_basebackup", *options], identity), cwd="/", check=True, capture_output=True)
    start = partial(postgres.start_postgres, folder / "data", servers_folder / "standby.log", durable=False)
    url, child = io_loop.run_sync(start)
    with open_query(url) as run:
        yield run
    io_loop.run_sync(partial(stop, child))


@pytest.mark.gen_test
async def test_a_standby_that_is_held_up_is_seen_behind(app: Any, standby: Query, query: Query) -> None:
    async def look() -> dict[str, Any]:
        told: dict[str, Any] = (await vitals.describe_database(app))["replication"]
        return told

    assert (await wait_for(look, lambda told: told["replicas"] == 1))["replicas"] == 1
    standby("SELECT pg_wal_replay_pause()")
    query("INSERT INTO audit (actor, action, subject, at) SELECT 'test', 'x', repeat('x', 999), now()"
          " FROM generate_series(1, 200)")  # fmt: skip
    behind = await wait_for(look, lambda told: (told["lag_bytes"] or 0) > 100_000)
    assert behind["replicas"] == 1
    standby("SELECT pg_wal_replay_resume()")
    await wait_for(look, lambda told: told["lag_bytes"] == 0)
