"""Listening: every payload, and an empty one whenever something may have been missed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from grimbots.tests.sql.deadlines import become_true, expect_soon
from grimbots.tests.sql.proxies import open_proxy

LISTENERS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'"
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'"


@pytest.mark.gen_test
async def test_listen_gives_an_empty_payload_first_and_then_what_is_notified(open_database, observe):
    async with open_database() as database:
        payloads = database.listen("bots")
        assert await expect_soon(anext(payloads)) == ""
        observe("NOTIFY bots, '17'")
        observe("NOTIFY others, '18'")
        observe("NOTIFY bots, '19'")
        assert [await expect_soon(anext(payloads)), await expect_soon(anext(payloads))] == ["17", "19"]
        await payloads.aclose()


@pytest.mark.gen_test
async def test_listen_connects_again_and_says_so(open_database, observe, caplog):
    async with open_database() as database:
        payloads = database.listen("bots")
        await expect_soon(anext(payloads))
        observe(TERMINATE)
        assert await expect_soon(anext(payloads)) == ""
        observe("NOTIFY bots, 'again'")
        assert await expect_soon(anext(payloads)) == "again"
        await payloads.aclose()
    assert "not listening to bots" in caplog.text


@pytest.mark.gen_test
async def test_listen_waits_for_a_server_that_is_away(open_database, postgres_url, caplog):
    async with open_proxy(postgres_url) as proxy, open_database(proxy.url) as database:
        proxy.cut()
        first = asyncio.create_task(anext(database.listen("bots")))
        await become_true(lambda: "not listening to bots" in caplog.text)
        proxy.restore()
        assert await expect_soon(first) == ""


@pytest.mark.gen_test
async def test_close_ends_a_listener(open_database):
    received: asyncio.Queue[str] = asyncio.Queue()
    async with open_database() as database:
        reader = asyncio.create_task(collect(database, received))
        assert await expect_soon(received.get()) == ""
        await database.close()
        await expect_soon(reader)


@pytest.mark.gen_test
async def test_cancel_ends_the_session_of_a_listener(open_database, observe):
    received: asyncio.Queue[str] = asyncio.Queue()
    async with open_database() as database:
        reader = asyncio.create_task(collect(database, received))
        assert await expect_soon(received.get()) == ""
        await become_true(lambda: observe(LISTENERS) == [(1,)])  # those of the test before end by themselves
        reader.cancel()
        await become_true(lambda: observe(LISTENERS) == [(0,)])


async def collect(database: Any, received: asyncio.Queue[str]) -> None:
    async for payload in database.listen("bots"):
        received.put_nowait(payload)
