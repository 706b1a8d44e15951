"""The private stores: started, killed, found again, in every corner a data folder can lie in."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis.asyncio

from grimbots.handlers.commands.embedded import folders, postgres
from grimbots.handlers.commands.embedded.children import CannotStart, find_holders, stop
from grimbots.handlers.commands.embedded.postgres import find_binaries, start_postgres
from grimbots.handlers.commands.embedded.redis import start_redis
from grimbots.tests.rows import query

DEADLINE_SECONDS = 30.0


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give an empty data folder, the temp folder too, open to users other than root (pytest's own is not)."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


@asynccontextmanager
async def running_postgres(data: Path) -> AsyncIterator[str]:
    url, child = await start_postgres(data / "postgres", data / "postgres.log")
    try:
        yield url
    finally:
        await stop(child)


@asynccontextmanager
async def running_redis(data: Path) -> AsyncIterator[str]:
    url, child = await start_redis(data / "redis", data / "redis.log")
    try:
        yield url
    finally:
        await stop(child)


async def wait_gone(folder: Path, program: str) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while find_holders(folder, program):
            await asyncio.sleep(0.01)


def run_parent(data: Path) -> subprocess.Popen[str]:
    """Start a process that starts both stores, says so, and waits to be killed."""
    code = """
        import asyncio, sys
        from pathlib import Path
        from grimbots.handlers.commands.embedded.postgres import start_postgres
        from grimbots.handlers.commands.embedded.redis import start_redis

        async def main(data):
            await start_postgres(data / "postgres", data / "postgres.log")
            await start_redis(data / "redis", data / "redis.log")
            print("up", flush=True)
            await asyncio.Event().wait()

        asyncio.run(main(Path(sys.argv[1])))
    """
    command = [sys.executable, "-P", "-c", textwrap.dedent(code), str(data)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    return parent


def kill(parent: subprocess.Popen[str]) -> None:
    parent.kill()
    parent.communicate()


@pytest.mark.gen_test
async def test_start_postgres_keeps_data(data: Path) -> None:
    async with running_postgres(data) as url:
        query(url, "CREATE TABLE kept AS SELECT 7 AS number")
    async with running_postgres(data) as url:
        assert query(url, "SELECT number FROM kept") == [(7,)]


@pytest.mark.gen_test
async def test_start_postgres_speaks_utf8_on_a_private_socket_only(data: Path) -> None:
    async with running_postgres(data) as url:
        shown = query(url, "SELECT current_setting('server_encoding'), current_setting('listen_addresses')")
        assert shown == [("UTF8", "")]
        assert (data / "postgres").stat().st_mode & 0o777 == 0o700


@pytest.mark.gen_test
async def test_start_redis_keeps_data_and_evicts_nothing(data: Path) -> None:
    async with running_redis(data) as url, redis.asyncio.from_url(url, protocol=3) as client:
        await client.set("kept", "7")
        names = ("appendonly", "appendfsync", "maxmemory-policy", "port")
        settings = {name: (await client.config_get(name))[name] for name in names}
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "port": "0",
    }
    async with running_redis(data) as url, redis.asyncio.from_url(url, protocol=3) as client:
        assert await client.get("kept") == b"7"


@pytest.mark.gen_test
async def test_stores_end_when_their_parent_is_killed(data: Path) -> None:
    kill(run_parent(data))
    await wait_gone(data / "postgres", "postgres")
    await wait_gone(data / "redis", "redis")


@pytest.mark.gen_test
async def test_start_right_after_a_kill_loses_nothing(data: Path) -> None:
    parent = run_parent(data)
    query(f"postgresql://grimbots@/postgres?host={data / 'postgres'}", "CREATE TABLE kept AS SELECT 7 AS number")
    kill(parent)
    async with running_postgres(data) as url, running_redis(data):
        assert query(url, "SELECT number FROM kept") == [(7,)]


@pytest.mark.gen_test
async def test_start_postgres_takes_over_from_an_orphan(data: Path) -> None:
    url, orphan = await start_postgres(data / "postgres", data / "postgres.log")
    query(url, "CREATE TABLE kept AS SELECT 7 AS number")
    async with running_postgres(data) as url:
        assert orphan.process.poll() is not None
        assert query(url, "SELECT number FROM kept") == [(7,)]


@pytest.mark.gen_test
async def test_start_postgres_recovers_from_a_killed_postmaster(data: Path) -> None:
    url, child = await start_postgres(data / "postgres", data / "postgres.log")
    query(url, "CREATE TABLE kept AS SELECT 7 AS number")
    child.process.kill()
    async with running_postgres(data) as url:
        assert query(url, "SELECT number FROM kept") == [(7,)]
    child.process.wait()


@pytest.mark.gen_test
async def test_start_postgres_ignores_a_pid_file_that_names_somebody_else(data: Path) -> None:
    async with running_postgres(data):
        pass
    (data / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{data / 'postgres'}\n1\n5432\n\n\n\nready\n")
    async with running_postgres(data) as url:
        assert query(url, "SELECT 1") == [(1,)]


@pytest.mark.gen_test
async def test_start_postgres_throws_half_made_data_away(data: Path) -> None:
    (data / "postgres.new").mkdir()
    (data / "postgres.new" / "PG_VERSION").write_text("15\n")
    async with running_postgres(data) as url:
        assert query(url, "SELECT 1") == [(1,)]


@pytest.mark.gen_test
async def test_start_recovers_from_stale_sockets(data: Path) -> None:
    async with running_redis(data):
        pass
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(data / "redis" / "redis.sock"))
    async with running_redis(data) as url, redis.asyncio.from_url(url, protocol=3) as client:
        assert await client.ping()


@pytest.mark.gen_test
async def test_start_in_a_folder_too_long_for_sockets(data: Path) -> None:
    deep = data / ("x" * 100)
    async with running_postgres(deep) as postgres_url, running_redis(deep) as redis_url:
        assert query(postgres_url, "SELECT 1") == [(1,)]
        async with redis.asyncio.from_url(redis_url, protocol=3) as client:
            assert await client.ping()


@pytest.mark.gen_test
async def test_start_in_a_folder_with_signs(data: Path) -> None:
    odd = data / "a b,c%20é"
    async with running_postgres(odd) as postgres_url, running_redis(odd) as redis_url:
        assert query(postgres_url, "SELECT 1") == [(1,)]
        async with redis.asyncio.from_url(redis_url, protocol=3) as client:
            assert await client.ping()


@pytest.fixture
def closed(data: Path) -> Path:
    """Give a folder that only root may enter."""
    if os.geteuid():
        pytest.skip("only root wears other users")
    folder = data / "closed"
    folder.mkdir(mode=0o700)
    return folder


@pytest.mark.gen_test
async def test_start_postgres_as_root_where_no_namespace_can_be_made(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container: unshare failed: Operation not permitted."""
    monkeypatch.setattr(postgres, "_can_be", lambda identity: False)
    with pytest.raises(CannotStart, match="as an ordinary user, or put the checkout"):
        await start_postgres(closed / "postgres", closed / "postgres.log")
    assert list(closed.iterdir()) == []


@pytest.mark.gen_test
async def test_start_postgres_as_root_in_a_closed_folder(closed: Path) -> None:
    if subprocess.run(["unshare", "--map-root-user", "true"], capture_output=True).returncode:
        pytest.skip("no user namespace can be made here")
    async with running_postgres(closed) as url:
        assert query(url, "SELECT 1") == [(1,)]
    async with running_postgres(closed) as url:
        assert query(url, "SELECT 1") == [(1,)]


@pytest.mark.gen_test
async def test_choose_socket_folder_refuses_a_folder_others_can_open(data: Path) -> None:
    deep = data / ("x" * 100)
    deep.mkdir()
    folders.choose_socket_folder(deep, "redis.sock").chmod(0o777)
    with pytest.raises(CannotStart, match="not a private folder"):
        folders.choose_socket_folder(deep, "redis.sock")


@pytest.mark.gen_test
async def test_lock_folder_refuses_a_second_run(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "LOCK_TRIES", 2)
    with await folders.lock_folder(data), pytest.raises(CannotStart, match="Another `make run`"):
        await folders.lock_folder(data)
    (await folders.lock_folder(data)).close()


def test_find_binaries_names_the_package_of_a_version_that_is_gone() -> None:
    with pytest.raises(CannotStart, match="apt-get install postgresql-9"):
        find_binaries(made_by=9)


@pytest.mark.gen_test
async def test_start_redis_says_why_it_did_not_start(data: Path) -> None:
    (data / "redis").mkdir()
    for name in ("appendonlydir", "appendonly.aof"):  # of Redis 7, and before
        (data / "redis" / name).write_text("neither a folder nor a log")
    with pytest.raises(CannotStart, match=r"Redis did not start: .*redis\.log"):
        await start_redis(data / "redis", data / "redis.log")


@pytest.mark.gen_test
async def test_stop_kills_what_does_not_end(data: Path) -> None:
    _, child = await start_redis(data / "redis", data / "redis.log")
    child.process.send_signal(signal.SIGSTOP)
    await stop(child, seconds=0.1)
    assert child.process.returncode == -signal.SIGKILL
