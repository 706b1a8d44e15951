"""Connections to Redis that are thrown away after any error, never mended: what was sent may have happened or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError, ResponseError

CONNECT_TIMEOUT_SECONDS = 1.5


class RedisAway(Exception):
    """Redis did not answer. What was sent may have happened: `connect`, then repeat the same moves."""


class RedisMoving(RedisAway):
    """Redis answered that it cannot now, or that another server must: a failover, a slot that moves, data being loaded.

    To be repeated like the rest, after a pause.
    """


def make_pool(url: str, connections: int) -> ConnectionPool:
    """Make a bounded pool for a redis://, rediss:// or unix:// address: no retries, no time limit but the caller's."""
    return ConnectionPool.from_url(
        url,
        max_connections=connections,
        protocol=3,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_timeout=None,
    )


def make_connection(pool: ConnectionPool) -> AbstractConnection:
    """Make a connection that is not opened yet and that the pool does not keep."""
    connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]
    return connection


async def open_connection(connection: AbstractConnection) -> None:
    """Open a connection unless it is open."""
    await connection.connect()  # type: ignore[no-untyped-call]


def pack(*command: str | bytes | int) -> bytes:
    """Pack a command as it travels: in C, where redis-py's connections of asyncio do it argument by argument."""
    packed: bytes = pack_command(command)  # type: ignore[arg-type]  # its stub says: a tuple of one
    return packed


async def read_answer(connection: AbstractConnection) -> Any:
    """Read one answer; an error that Redis answered is a value."""
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


@asynccontextmanager
async def guarded(connection: AbstractConnection, seconds: float) -> AsyncIterator[AbstractConnection]:
    """Limit what happens on a connection in time; after any error, or cancelled, it is closed.

    Raises:
        RedisAway: for every error of the socket, the protocol or the time limit.
        RedisMoving: for an error that Redis answered.
    """
    try:
        async with asyncio.timeout(seconds):
            yield connection
    except BaseException as error:
        await connection.disconnect(nowait=True)
        if isinstance(error, ResponseError | BusyLoadingError):
            raise RedisMoving(f"{type(error).__name__}: {error}") from error
        if isinstance(error, RedisError | OSError):  # TimeoutError is an OSError
            raise RedisAway(f"{type(error).__name__}: {error}") from error
        raise


async def ask_once(url: str, seconds: float, *command: str | int) -> Any:
    """Send one command to a plain address over a connection of its own, and give the answer. Raises RedisAway."""
    async with guarded(make_connection(make_pool(url, connections=1)), seconds) as connection:
        await open_connection(connection)
        await connection.send_command(*command)
        answer = await connection.read_response()
    await connection.disconnect(nowait=True)
    return answer
