"""The only file that moves jobs in Redis: batches of moves, the wait for a token, the beat. `reads.py` only looks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import uniform
from typing import Any

import redis
from redis.asyncio.connection import AbstractConnection
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    ClusterError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.retry import Retry

from grimbots.queue import keys
from grimbots.queue.connections import (
    CONNECT_TIMEOUT_SECONDS,
    RedisAway,
    guarded,
    make_connection,
    make_pool,
    open_connection,
)
from grimbots.queue.job import Accepted, Beat, Drain, DrainReply, Intake, Verdict
from grimbots.queue.wire import decode_drain, decode_intake, encode_moves

PREFIX = "{q0}:"
PROTOCOL = 1
BATCH_MOVES = 64  # of one script in one call, so that no call holds Redis for long
COMMAND_TIMEOUT_SECONDS = 1.5  # a call unanswered for so long is taken for lost
BLOCKING_SLACK_SECONDS = 1.0  # a blocked call late by so much hangs on a dead connection
LEAST_WAIT_SECONDS = 0.01  # 0 would be for ever, and 6.2 rounds one millisecond down to it
LEAST_PAUSE_SECONDS, MOST_PAUSE_SECONDS = 0.05, 2.0

# How the drain script may write with memory full: from Redis 7 on by a flag; before, by a first write that needs none.
MAY_EXCEED_MEMORY = "#!lua flags=allow-oom\n"
MAY_EXCEED_MEMORY_BEFORE_7 = "redis.call('DEL', KEYS[1] .. 'unused')\n"

# Errors of the moment that Redis 6.2 hides inside the text of a script's error.
PASSING_ERROR = re.compile(r"(^|-)(READONLY|MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|LOADING|BUSY) ")
MEMORY_FULL = re.compile(r"(^|-)OOM ")

DRAIN_PARTS = ("prelude", "waiting", "parking", "flights", "claim", "settle", "operators", "drain")
INTAKE_PARTS = ("prelude", "intake")


class NewerProtocol(Exception):
    """The data in Redis was written by a newer version of this program, which this one must not touch."""


class ScriptFailed(Exception):
    """A script stopped in the middle of a batch: a fault of the program, not of the moment."""


@dataclass(frozen=True, slots=True)
class Replies:
    """One reply per move, in order. `intake` is None when Redis's memory is full: nothing of the intake happened."""

    drain: Sequence[DrainReply]
    intake: Sequence[Accepted] | None


@dataclass(frozen=True, slots=True)
class Scripts:
    """The texts of both scripts, prelude included."""

    drain: str
    intake: str


def read_script_part(name: str) -> str:
    """Read one of the files that lie in `scripts`."""
    return (Path(__file__).parent / "scripts" / f"{name}.lua").read_text("utf-8")


def read_scripts() -> Scripts:
    """Read both scripts and put their parts together."""
    drain, intake = ("".join(map(read_script_part, parts)) for parts in (DRAIN_PARTS, INTAKE_PARTS))
    return Scripts(drain, intake)


class Store:
    """One shard of the queue. One `run` and one `wait` may be under way at a time."""

    def __init__(self, url: str, prefix: str = PREFIX, scripts: Scripts | None = None) -> None:
        """Keep the address (redis://, rediss:// or unix://); nothing is opened before `connect`."""
        self._prefix = prefix
        self._scripts = scripts or read_scripts()
        self._pool = make_pool(url, connections=3)
        self._commands: AbstractConnection | None = None
        self._blocking: AbstractConnection | None = None
        self._pinned: dict[str, AbstractConnection] = {}  # the same two, also while a call is out on them
        self._shas: dict[str, bytes] = {}

    async def connect(self) -> None:
        """Open the command connection anew and load the scripts; try until it succeeds, 50 ms to 2 s apart, jittered.

        Raises:
            NewerProtocol: this process must not touch the data.
        """
        pause = LEAST_PAUSE_SECONDS
        while True:
            try:
                return await self.try_connect()
            except RedisAway:
                await asyncio.sleep(uniform(LEAST_PAUSE_SECONDS, pause))  # noqa: S311 (jitter)
                pause = min(MOST_PAUSE_SECONDS, pause * 2)

    async def try_connect(self) -> None:
        """Try once, within 1.5 s, to open the command connection anew and to load the scripts. Closes the blocking one.

        Raises:
            RedisAway: it did not work; nothing is open.
            NewerProtocol: this process must not touch the data.
        """
        await self.close()
        async with guarded(make_connection(self._pool), CONNECT_TIMEOUT_SECONDS) as connection:
            self._pinned["commands"] = connection
            await open_connection(connection)
            await self._check_version(connection)
            await self._load_scripts(connection)
        self._commands = connection

    async def run(self, drain: Sequence[Drain], intake: Sequence[Intake] = ()) -> Replies:
        """Run moves in one round trip: intake first, then drain, each side one atomic script of at most 64 moves.

        Raises:
            RedisAway: within 1.5 s; at once when not connected. The moves may have happened: `connect`, repeat them.
            ScriptFailed: a script has a fault.
            TypeError, ValueError: a payload holds what JSON cannot; nothing was sent.
        """
        calls = {"intake": encode_moves(intake), "drain": encode_moves(drain)}
        answers = await self._call({name: fields for name, fields in calls.items() if fields})
        refused = isinstance(answers.get("intake"), ResponseError)
        return Replies(
            drain=decode_drain(drain, answers.get("drain", ())),
            intake=None if refused else decode_intake(answers.get("intake", ())),
        )

    async def wait(self, queues: Sequence[str], timeout_seconds: float) -> bool:
        """Wait for a wake token of one of the queues, on a connection of its own. False: none came in time.

        Cancelling it throws the connection away, and perhaps a token with it (missed for a second at most).

        Raises:
            RedisAway: the next call opens a new connection.
        """
        wake_keys = [keys.wake(self._prefix, queue) for queue in queues]
        blocking, self._blocking = self._blocking or make_connection(self._pool), None
        async with guarded(blocking, timeout_seconds + BLOCKING_SLACK_SECONDS) as connection:
            self._pinned["blocking"] = connection
            await open_connection(connection)
            await connection.send_command("BRPOP", *wake_keys, f"{max(timeout_seconds, LEAST_WAIT_SECONDS):.3f}")
            token = await connection.read_response()
        self._blocking = blocking
        return token is not None

    def list_open(self) -> list[str]:
        """List which of its two connections are open: "blocking" (the wait for work), "commands"."""
        return sorted(name for name, connection in self._pinned.items() if connection.is_connected)

    async def close(self) -> None:
        """Close both connections."""
        for connection in (self._commands, self._blocking):
            if connection:
                await connection.disconnect(nowait=True)
        self._commands = self._blocking = None

    async def _call(self, calls: Mapping[str, list[bytes]]) -> dict[str, Any]:
        """Call the named scripts in one pipeline. A refused intake has its error as its answer."""
        if self._commands is None:
            raise RedisAway("not connected")
        commands, self._commands = self._commands, None
        async with guarded(commands, COMMAND_TIMEOUT_SECONDS) as connection:
            answers = await self._exchange(connection, calls)
            unknown = [name for name, answer in answers.items() if isinstance(answer, NoScriptError)]
            if unknown:
                await self._load_scripts(connection)
                answers |= await self._exchange(connection, {name: calls[name] for name in unknown})
            for name, answer in answers.items():
                _check_answer(name, answer)
        self._commands = commands
        return answers

    async def _exchange(self, connection: AbstractConnection, calls: Mapping[str, list[bytes]]) -> dict[str, Any]:
        """Send every call, then read every answer; an error answer is a value."""
        packed = connection.pack_commands(
            ("EVALSHA", self._shas[name], 1, self._prefix, *fields) for name, fields in calls.items()
        )
        await connection.send_packed_command(packed)
        return {name: await _read_answer(connection) for name in calls}

    async def _check_version(self, connection: AbstractConnection) -> None:
        """Refuse data of a newer protocol; mark new data with ours. Reads first: a full memory refuses the write."""
        key = keys.version(self._prefix)
        await connection.send_command("GET", key)
        found = await connection.read_response()
        if found is None:
            await connection.send_command("SET", key, PROTOCOL)
            await connection.read_response()
        elif int(found) > PROTOCOL:
            raise NewerProtocol(f"{key} is {int(found)}; this program knows {PROTOCOL}: run the newer version")

    async def _load_scripts(self, connection: AbstractConnection) -> None:
        await connection.send_command("INFO", "server")
        info = await connection.read_response()
        version = re.search(rb"redis_version:(\d+)", info)
        modern = version is not None and int(version[1]) >= 7
        texts = {
            "drain": (MAY_EXCEED_MEMORY if modern else MAY_EXCEED_MEMORY_BEFORE_7) + self._scripts.drain,
            "intake": self._scripts.intake,
        }
        for name, text in texts.items():
            await connection.send_command("SCRIPT", "LOAD", text)
            self._shas[name] = await connection.read_response()


async def _read_answer(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


def _check_answer(name: str, answer: Any) -> None:
    """Let an answer pass, and a memory that is full for new work.

    Raises:
        ResponseError: an error of the moment (a replica, a cluster that moves, a disk that is full).
        ScriptFailed: any other.
    """
    if not isinstance(answer, ResponseError):
        return
    text = str(answer)
    if isinstance(answer, ReadOnlyError | ClusterError | TryAgainError | AskError) or PASSING_ERROR.search(text):
        raise answer
    if name == "intake" and (isinstance(answer, OutOfMemoryError) or MEMORY_FULL.search(text)):
        return
    raise ScriptFailed(f"{name}: {text}") from answer


class BlockingBeat:
    """Renews a lease from a thread, over a blocking connection of its own: the one blocking client of this program."""

    def __init__(self, url: str, prefix: str = PREFIX) -> None:
        """Keep the address; the first beat opens the connection."""
        self._prefix = prefix
        self._client = redis.Redis.from_url(  # noqa: TID251
            url,
            protocol=3,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=COMMAND_TIMEOUT_SECONDS,
            socket_timeout=COMMAND_TIMEOUT_SECONDS,
        )
        self._script = self._client.register_script(MAY_EXCEED_MEMORY_BEFORE_7 + read_scripts().drain)  # 7 takes it too

    def beat(self, consumer: str) -> Verdict:
        """Renew the lease: OK or LOST.

        Raises:
            RedisAway: it is not known whether the lease was renewed; the next beat opens a new connection.
        """
        try:
            return Verdict(self._script(keys=[self._prefix], args=encode_moves([Beat(consumer)]))[0].decode())
        except (redis.RedisError, OSError) as error:
            self._client.connection_pool.disconnect()
            raise RedisAway(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
