"""What the doctor says of Redis: each fault by itself, with what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from grimbots.conf.settings import Settings
from grimbots.queue.dispatcher import Queue
from grimbots.services import checkups
from grimbots.services.checkups import Finding
from grimbots.tests.queue.servers import RedisServer, run_server

SOUND = ("--maxmemory", "100mb")


async def _check(server: RedisServer, settings: Settings, query: str = "") -> Finding:
    return await checkups.check_redis(replace(settings, redis_url=server.url + query))


@pytest.mark.gen_test
async def test_finds_a_sound_redis(tmp_path: Path, settings: Settings) -> None:
    async with run_server(tmp_path, *SOUND) as server:
        found = await _check(server, settings)
    assert found.cure == ""
    assert "append-only file with appendfsync always, noeviction" in found.said


@pytest.mark.parametrize(
    ("options", "cure"),
    [
        (("--appendonly", "no"), "a crash loses jobs"),
        (("--appendfsync", "everysec"), "set it to always"),
        (("--maxmemory", "0"), "70 %"),
        (("--maxmemory-policy", "allkeys-lru"), "noeviction"),
    ],
)
@pytest.mark.gen_test
async def test_says_what_to_do(tmp_path: Path, settings: Settings, options: tuple[str, str], cure: str) -> None:
    async with run_server(tmp_path, *SOUND, *options) as server:
        assert cure in (await _check(server, settings)).cure


@pytest.mark.gen_test
async def test_notices_keys_of_others(tmp_path: Path, settings: Settings) -> None:
    async with run_server(tmp_path, *SOUND) as server:
        await server.ask("MSET", *[part for n in range(30) for part in (f"session:{n}", "x")])
        assert "a Redis of its own" in (await _check(server, settings)).cure


@pytest.mark.gen_test
async def test_says_that_the_data_has_another_number_of_shards(
    tmp_path: Path, settings: Settings, expect_errors: list[str]
) -> None:
    async with run_server(tmp_path, *SOUND) as server:
        queue = Queue(server.url, consumer_host="test", slot=0, queue_slots={})
        await queue.start()
        await queue.stop()
        assert "start with the old number" in (await _check(server, settings, "&shards=2")).cure
    assert expect_errors
