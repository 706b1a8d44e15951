"""The faults of aiopg 1.4.0 (A to H, and one more), each with the test that fails without its cure; then the pool."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import socket
from typing import Any

import pytest

from grimbots.conf.precedence import comes_first
from grimbots.sql.connections import Connection
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout
from grimbots.sql.diallers import Dialler
from grimbots.sql.pools import Pool
from grimbots.tests.sql.deadlines import become_true, expect_soon
from grimbots.tests.sql.proxies import open_proxy

CANCEL_SLEEPERS = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
BACKENDS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"


def name_sessions(url: str, name: str) -> str:
    return f"{url}&application_name={name}"


def list_watched() -> set[int]:
    """Give the descriptors the running loop watches."""
    return set(asyncio.get_running_loop()._selector.get_map())  # type: ignore[attr-defined]


# A: a statement the server cancels was an asyncio.CancelledError.


@pytest.mark.gen_test
async def test_run_over_the_statement_timeout_raises_statement_timeout(open_database):
    async with open_database(statement_timeout_seconds=0.05) as database:
        with pytest.raises(StatementTimeout):
            await database.probe.sleep(seconds=30)


@pytest.mark.gen_test
async def test_run_cancelled_by_an_administrator_raises_statement_timeout(open_database, observe):
    async with open_database() as database:
        sleep = asyncio.create_task(database.probe.sleep(seconds=60))
        await become_true(lambda: bool(observe(CANCEL_SLEEPERS)))
        with pytest.raises(StatementTimeout):
            await expect_soon(sleep)


# B: a session that came back closed woke nobody.


@pytest.mark.gen_test
async def test_release_of_a_lost_session_wakes_the_next_waiter(open_database):
    async with open_database(size=1, timeout_seconds=60) as database:
        await database.probe.pid()
        holder = asyncio.create_task(database.probe.sleep(seconds=60))
        await asyncio.sleep(0)
        waiter = asyncio.create_task(database.probe.echo(text="served"))
        await asyncio.sleep(0)
        holder.cancel()
        assert await expect_soon(waiter) == "served"


# C: a hanging dial stopped acquirers and releasers.


@pytest.mark.alone
@pytest.mark.gen_test
async def test_release_serves_the_waiter_while_a_dial_hangs(open_database, postgres_url):
    async with open_proxy(postgres_url) as proxy, open_database(proxy.url, size=2, timeout_seconds=60) as database:
        async with database.transaction() as tx:
            await tx.probe.pid()
            proxy.silence()
            waiter = asyncio.create_task(database.probe.echo(text="served"))
            await become_true(lambda: proxy.accepted == 2)
        assert await expect_soon(waiter, 1) == "served"
        proxy.restore()


# D: a refused or hanging dial left its descriptor registered with the loop (uvloop then broke other sockets).


@pytest.mark.gen_test
async def test_dial_registers_nothing_with_the_loop(open_database, postgres_url):
    async with open_proxy(postgres_url) as proxy, open_database(proxy.url) as database:
        proxy.silence()
        watched = list_watched()
        waiter = asyncio.create_task(database.probe.pid())
        await become_true(lambda: proxy.accepted == 1)
        added = {os.readlink(f"/proc/self/fd/{fd}") for fd in list_watched() - watched}
        assert len(added) == 1, "the proxy's end of the connection, and not the dialler's"
        proxy.restore()
        await expect_soon(waiter)


@pytest.mark.gen_test
async def test_lose_session_leaks_no_descriptor(open_database, observe):
    async with open_database(size=1) as database:
        await database.probe.pid()
        before = set(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable):
                await expect_soon(sleep_until_terminated(database, observe))
            await database.probe.pid()
        assert set(os.listdir("/proc/self/fd")) == before


# E: a DSN with several hosts hung when the first refused.


@pytest.mark.gen_test
async def test_dial_reaches_the_second_host_when_the_first_refuses(open_database, postgres_url):
    async with open_proxy(postgres_url) as proxy:
        refusing = socket.create_server(("127.0.0.1", 0))
        port = refusing.getsockname()[1]
        refusing.close()
        hosts = f"host=127.0.0.1,127.0.0.1 port={port},{proxy.port} user=grimbots dbname=postgres"
        async with open_database(hosts) as database:
            assert await expect_soon(database.probe.echo(text="second")) == "second"


@pytest.mark.gen_test
async def test_dial_reaches_the_second_host_when_the_first_is_silent(postgres_url):
    async with open_proxy(postgres_url) as silent, open_proxy(postgres_url) as proxy:
        silent.silence()
        hosts = f"host=127.0.0.1,127.0.0.1 port={silent.port},{proxy.port} user=grimbots dbname=postgres"
        pool = Pool(Dialler(hosts, 10, connect_timeout_seconds=1.0), 1, 5, 10)
        async with pool.session() as connection:
            assert connection.raw.info.port == proxy.port
        await pool.close()


# F: the statement of a caller who was cancelled ran on in the server.


@pytest.mark.gen_test
async def test_cancel_ends_the_statement_in_the_server(open_database, observe):
    sleeping = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    async with open_database() as database:
        sleep = asyncio.create_task(database.probe.sleep(seconds=60))
        await become_true(lambda: bool(observe(sleeping)))
        sleep.cancel()
        await become_true(lambda: not observe(sleeping))


# G: what one user set in the session, the next one had.


@pytest.mark.gen_test
async def test_release_gives_nobody_a_session_with_settings_of_another(open_database):
    async with open_database(size=1) as database:
        before = await database.probe.show_work_mem()
        async with database.transaction() as tx:
            await tx.probe.set_work_mem()
        assert await database.probe.show_work_mem() == before != "77MB"


# H: every connect ran a query for hstore; names were looked up on the loop.


@pytest.mark.gen_test
async def test_dial_runs_no_statement(postgres_url, observe):
    pool = Pool(Dialler(postgres_url, 10), 1, 5, 10)
    async with pool.session() as connection:
        pid = connection.raw.get_backend_pid()
        assert observe("SELECT query FROM pg_stat_activity WHERE pid = %s", pid) == [("",)]
    await pool.close()


# Found here: aiopg asks select(), which knows no descriptor over 1023, and then its waiters sleep for ever.


@pytest.mark.gen_test
async def test_lose_session_with_a_high_descriptor_wakes_the_caller(open_database, observe):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    fillers = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        async with open_database() as database:
            with pytest.raises(DatabaseUnavailable):
                await expect_soon(sleep_until_terminated(database, observe))
            assert await expect_soon(database.probe.echo(text="again")) == "again"
    finally:
        for filler in fillers:
            os.close(filler)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def sleep_until_terminated(database: Any, observe: Any) -> None:
    async with database.transaction() as tx:
        pid = await tx.probe.pid()
        sleep = asyncio.create_task(tx.probe.sleep(seconds=60))
        await asyncio.sleep(0)
        observe("SELECT pg_terminate_backend(%s)", pid)
        await sleep


# The pool as a whole.


@pytest.mark.gen_test
async def test_cancel_during_a_dial_leaves_its_session_to_the_next(open_database, postgres_url):
    async with open_proxy(postgres_url) as proxy, open_database(proxy.url) as database:
        proxy.silence()
        given_up = asyncio.create_task(database.probe.pid())
        await become_true(lambda: proxy.accepted == 1)
        given_up.cancel()
        await asyncio.wait([given_up])
        served = asyncio.create_task(database.probe.echo(text="served"))
        await asyncio.sleep(0)
        proxy.restore()
        assert await expect_soon(served) == "served"
        assert proxy.accepted == 1


@pytest.mark.gen_test
async def test_cancel_of_a_waiter_just_served_gives_its_session_to_the_next(open_database):
    async with open_database(size=1, timeout_seconds=60) as database:
        async with database.transaction():
            waiter = asyncio.create_task(database.probe.pid())
            await asyncio.sleep(0)
        waiter.cancel()  # it has its session, and has not run since
        assert await expect_soon(database.probe.echo(text="served")) == "served"


@pytest.mark.gen_test
async def test_run_without_an_answer_gives_the_session_up(postgres_url):
    async with open_proxy(postgres_url) as proxy:
        pool = Pool(Dialler(proxy.url, 10), 1, 5, answer_timeout_seconds=0.1)
        async with pool.session() as connection:
            proxy.freeze()
            with pytest.raises(DatabaseUnavailable, match=r"no answer from Postgres in 0.1 s"):
                await connection.run("SELECT 1")
            assert connection.closed
        await pool.close()


@pytest.mark.gen_test
async def test_acquire_from_a_full_pool_says_so_in_time(open_database):
    async with open_database(size=1, timeout_seconds=0.05) as database, database.transaction():
        with pytest.raises(DatabaseUnavailable, match="1 of 1 in use"):
            await database.probe.pid()


@pytest.mark.gen_test
async def test_a_request_is_served_before_the_jobs_that_wait(open_database):
    served: list[str] = []

    async def ask(database: Any, name: str, is_request: bool) -> None:
        comes_first.set(is_request)
        async with database.transaction():
            served.append(name)

    async with open_database(size=1) as database:
        async with database.transaction():
            those = (("job", False), ("request", True), ("another request", True))
            waiters = [asyncio.create_task(ask(database, *one)) for one in those]
            await asyncio.sleep(0)
            assert database.usage().pool_waiting == 3
        await asyncio.gather(*waiters)
    assert served == ["request", "another request", "job"]


@pytest.mark.gen_test
async def test_waiters_are_served_in_order(open_database):
    served: list[int] = []

    async def ask(database: Any, place: int) -> None:
        async with database.transaction():
            served.append(place)

    async with open_database(size=1) as database:
        async with database.transaction():
            waiters = [asyncio.create_task(ask(database, place)) for place in range(8)]
            await asyncio.sleep(0)
        await asyncio.gather(*waiters)
    assert served == list(range(8))


@pytest.mark.gen_test
async def test_run_during_an_outage_is_unavailable_and_works_again_after(open_database, postgres_url):
    async with open_proxy(postgres_url) as proxy, open_database(proxy.url) as database:
        assert await count_answers(database) == 20
        proxy.cut()
        assert await count_answers(database) == 0
        proxy.restore()
        assert await count_answers(database) == 20


async def count_answers(database: Any) -> int:
    """Give how many of twenty callers at once got their answer; the others must get DatabaseUnavailable."""
    tries = [expect_soon(database.probe.echo(text="x")) for _ in range(20)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    refused = [result for result in results if isinstance(result, DatabaseUnavailable)]
    answers = results.count("x")
    assert answers + len(refused) == 20, results
    return answers


@pytest.mark.gen_test
async def test_random_cancellations_leave_no_place_taken(postgres_url, observe):
    pool = Pool(Dialler(name_sessions(postgres_url, "chaos"), 10), 4, 60, 10)
    chance = random.Random(2026)

    async def ask_impatiently() -> None:
        for _ in range(20):
            try:
                async with asyncio.timeout(chance.uniform(0.001, 0.05)), pool.session() as connection:
                    await connection.run("SELECT pg_sleep(%(seconds)s)", {"seconds": chance.uniform(0, 0.02)})
            except TimeoutError:
                continue

    await asyncio.gather(*[ask_impatiently() for _ in range(16)])
    await expect_soon(fill(pool, 4))
    await become_true(lambda: observe(BACKENDS, "chaos") == [(4,)])
    await pool.close()
    await become_true(lambda: observe(BACKENDS, "chaos") == [(0,)])


async def fill(pool: Pool, size: int) -> None:
    """Take every place of the pool at once."""
    everybody_in = asyncio.Barrier(size)

    async def take() -> None:
        async with pool.session() as connection:
            assert isinstance(connection, Connection)
            await everybody_in.wait()

    await asyncio.gather(*[take() for _ in range(size)])
