"""Promise I5 on real processes: /go answers in 50 ms whatever is away, and no click it answered is lost or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from grimbots.tests.e2e.installation import open_installation, until
from grimbots.tests.e2e.visitors import Ad


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.gen_test(timeout=170)
async def test_go_needs_no_store_and_no_click_is_lost(servers_folder: Path) -> None:
    folder = servers_folder / "clicks"
    folder.mkdir()
    async with open_installation(folder) as installation:
        ad = Ad(installation)
        await ad.make()
        assert await ad.is_quick(), "all is there"
        await installation.kill("redis")
        assert await ad.is_quick(), "Redis is away"
        await installation.kill("postgres")
        assert await ad.is_quick(), "both are away"
        await installation.start("redis")
        assert await ad.is_quick(), "Postgres is away"
        await installation.kill("server")
        await installation.start("postgres")
        await installation.start("server")
        await until(ad.is_all_stored, 30, "the clicks the killed server had spooled are stored")
        assert await ad.is_quick(), "all is there again"
        await until(ad.is_all_stored, 30, "the clicks are stored")
        sources = [int(source) for (source,) in installation.query("SELECT utm_source FROM clicks ORDER BY id")]
        assert sorted(sources) == list(range(ad.visits))
        assert installation.query("SELECT count(DISTINCT token) FROM clicks") == [(ad.visits,)]
        assert list((folder / "spool").iterdir()) == []


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.gen_test(timeout=120)
async def test_go_does_not_wait_for_a_postgres_that_hangs(servers_folder: Path) -> None:
    folder = servers_folder / "clicks-hanging"
    folder.mkdir()
    async with open_installation(folder) as installation:
        ad = Ad(installation)
        await ad.make()
        await ad.attract(2, 10.0)  # a process that knows the link
        await installation.pause("postgres")
        try:
            assert await ad.is_quick()
        finally:
            await installation.resume("postgres")
        await until(ad.is_all_stored, 40, "the clicks are stored")
