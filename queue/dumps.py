"""The queue's data as RDB files: taken from each master by redis-cli, put back key by key into empty servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from redis.asyncio import Redis
from redis.exceptions import RedisError

from grimbots.conf.programs import run
from grimbots.queue import keys
from grimbots.queue.addresses import Address, parse_address
from grimbots.queue.connections import RedisAway, make_pool
from grimbots.queue.dispatcher import QueueUnavailable

PACKAGE = "redis-tools"
BATCH_KEYS = 500


async def dump(url: str, folder: Path) -> list[Path]:
    """Write each master's data, as of one instant of its own, and give the files.

    Raises:
        QueueUnavailable: a master cannot be found.
        ProgramError: redis-cli is not there, or failed.
    """
    files = []
    for place, master in enumerate(await _list_masters(url)):
        file = folder / f"redis-{place}.rdb"
        arguments, secret = _describe(master)
        await run(["redis-cli", *arguments, "--rdb", file], package=PACKAGE, environ=secret)
        file.chmod(0o600)
        files.append(file)
    return files


async def count_keys(url: str) -> int:
    """Count the keys that are there, of others too. Raises QueueUnavailable."""
    count = 0
    for master in await _list_masters(url):
        async with _open(master) as client:
            count += await client.dbsize()
    return count


async def copy(source_url: str, url: str) -> int:
    """Copy every key of a plain server to where its shard's are kept, with the time it has left; give how many.

    Raises:
        QueueUnavailable: not all of them are there.
    """
    address, count = parse_address(url), 0
    async with _open(source_url) as source:
        for shard in range(address.shards):
            prefix = keys.prefix(shard)
            async with _open(await _find(address, prefix)) as target:
                async for names in _page(source, prefix):
                    await _copy_keys(source, target, names)
                    count += len(names)
    return count


async def _page(source: Redis, prefix: str) -> AsyncIterator[Sequence[bytes | str]]:
    cursor, names = await source.scan(0, match=f"{prefix}*", count=BATCH_KEYS)
    yield names
    while cursor:
        cursor, names = await source.scan(cursor, match=f"{prefix}*", count=BATCH_KEYS)
        yield names


async def _copy_keys(source: Redis, target: Redis, names: Sequence[bytes | str]) -> None:
    async with source.pipeline(transaction=False) as reading, target.pipeline(transaction=False) as writing:
        for name in names:
            reading.dump(name)
            reading.pttl(name)
        answers = await reading.execute()
        for name, value, left_ms in zip(names, answers[::2], answers[1::2], strict=True):
            if value is not None:  # else its time ended meanwhile
                writing.restore(name, max(0, left_ms), value, replace=True)
        await writing.execute()


async def _list_masters(url: str) -> list[str]:
    address = parse_address(url)
    found = [await _find(address, keys.prefix(shard)) for shard in range(address.shards)]
    return list(dict.fromkeys(found))


async def _find(address: Address, prefix: str) -> str:
    try:
        return await address.find(prefix)
    except RedisAway as error:
        raise QueueUnavailable(str(error)) from error


@asynccontextmanager
async def _open(url: str) -> AsyncIterator[Redis]:
    pool = make_pool(url, connections=2)
    try:
        yield Redis(connection_pool=pool)
    except (RedisError, OSError) as error:
        raise QueueUnavailable(f"{type(error).__name__}: {error}") from error
    finally:
        await pool.disconnect()


def _describe(url: str) -> tuple[list[str], dict[str, str]]:
    """Give redis-cli's arguments for a plain address, and the password, which is not for the command line."""
    parts = urlsplit(url)
    where = ["-s", unquote(parts.path)] if parts.scheme == "unix" else ["-h", parts.hostname or "127.0.0.1"]
    if parts.scheme != "unix":
        where += ["-p", str(parts.port or 6379)]
    where += ["--tls"] if parts.scheme == "rediss" else []
    where += ["--user", unquote(parts.username)] if parts.username else []
    return where, {"REDISCLI_AUTH": unquote(parts.password)} if parts.password else {}
