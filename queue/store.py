"""The only file that moves jobs in Redis: batches of moves, the wait for a token, the beat. `reads.py` only looks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import redis
from redis.asyncio.connection import AbstractConnection
from redis.backoff import NoBackoff
from redis.commands.core import Script
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
from grimbots.queue.addresses import parse_address
from grimbots.queue.connections import (
    CONNECT_TIMEOUT_SECONDS,
    RedisAway,
    RedisMoving,
    guarded,
    make_connection,
    make_pool,
    open_connection,
    pack,
    read_answer,
)
from grimbots.queue.job import Accepted, Beat, Claim, ClaimReply, Drain, DrainReply, Intake, Verdict
from grimbots.queue.wire import decode_drain, decode_intake, encode_moves

PREFIX = keys.prefix(0)
PROTOCOL = 1
WAIT_MS = 50  # how long new work waits for the replicas that are asked for
BATCH_MOVES = 64  # of one script in one call, so that no call holds Redis for long
COMMAND_TIMEOUT_SECONDS = 1.5  # a call unanswered for so long is taken for lost
BLOCKING_SLACK_SECONDS = 1.0  # a blocked call late by so much hangs on a dead connection
LEAST_WAIT_SECONDS = 0.01  # 0 would be for ever, and 6.2 rounds one millisecond down to it

# How the drain script may write with memory full: from Redis 7 on by a flag; before, by a first write that needs none.
MAY_EXCEED_MEMORY = "#!lua flags=allow-oom\n"
MAY_EXCEED_MEMORY_BEFORE_7 = "redis.call('DEL', KEYS[1] .. 'unused')\n"

# Errors of the moment that Redis 6.2 hides inside the text of a script's error.
PASSING_ERROR = re.compile(r"(^|-)(READONLY|MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|LOADING|BUSY) ")
MEMORY_FULL = re.compile(r"(^|-)OOM ")

DRAIN_PARTS = ("prelude", "waiting", "parking", "flights", "claim", "settle", "operators", "drain")
INTAKE_PARTS = ("prelude", "intake")

Calls = Mapping[str, Sequence[bytes | int]]  # the arguments of each script


class NewerProtocol(Exception):
    """The data in Redis was written by a newer version of this program, which this one must not touch."""


class OtherShards(Exception):
    """The data in Redis is spread over another number of shards: this process would look in the wrong places."""


class ScriptFailed(Exception):
    """A script stopped in the middle of a batch: a fault of the program, not of the moment."""


@dataclass(frozen=True, slots=True)
class Replies:
    """One reply per move, in order. `intake` is None when Redis's memory is full: nothing of the intake happened.

    `copied`: as many replicas have the intake as are asked for.
    """

    drain: Sequence[DrainReply]
    intake: Sequence[Accepted] | None
    copied: bool = True


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


def _do_nothing() -> None:
    """Have nothing else to do meanwhile."""


class Store:
    """One shard of the queue. One `run` and one `wait` may be under way at a time."""

    def __init__(self, url: str, prefix: str = PREFIX, scripts: Scripts | None = None, replicas: int = 0) -> None:
        """Keep the address (any form of REDIS_URL); nothing is opened before `connect`.

        `replicas`: how many must have new work before it counts as stored.
        """
        self.url = url
        self.prefix = prefix
        self._address = parse_address(url)
        self._replicas = replicas
        self._scripts = scripts or read_scripts()
        self._commands: AbstractConnection | None = None
        self._blocking: AbstractConnection | None = None
        self._pinned: dict[str, AbstractConnection] = {}  # the same two, also while a call is out on them
        self._shas: dict[str, bytes] = {}
        self._run: bytes | None = None

    async def connect(self) -> bool:
        """Try once to open the command connection anew and to load the scripts. Closes the blocking one.

        Within 1.5 s, and one more where it has to be asked who is the master.

        Returns True when it is another server than last time, or the same one started anew: it may have forgotten the
        last moves.

        Raises:
            RedisAway: it did not work; nothing is open.
            NewerProtocol, OtherShards: this process must not touch the data.
        """
        await self.close()
        async with guarded(await self._make_connection(), CONNECT_TIMEOUT_SECONDS) as connection:
            self._pinned["commands"] = connection
            await open_connection(connection)
            info = await _ask(connection, "INFO")
            _check_role(info)
            await self._check_data(connection)
            await self._load_scripts(connection, info)
        self._commands = connection
        last, self._run = self._run, _read_run(info)
        return last not in (None, self._run)

    async def run(
        self, drain: Sequence[Drain], intake: Sequence[Intake] = (), on_sent: Callable[[], None] = _do_nothing
    ) -> Replies:
        """Run moves in one round trip: intake first, then drain, each side one atomic script of at most 64 moves.

        `on_sent` is called when they have left, for what can be done while Redis works.

        Raises:
            RedisAway: within 1.5 s; at once when not connected. The moves may have happened: `connect`, repeat them.
            ScriptFailed: a script has a fault.
            TypeError, ValueError: a payload holds what JSON cannot; nothing was sent.
        """
        calls = {"intake": encode_moves(intake), "drain": encode_moves(drain)}
        answers = await self._call({name: fields for name, fields in calls.items() if fields}, on_sent)
        refused = isinstance(answers.get("intake"), ResponseError)
        return Replies(
            drain=decode_drain(drain, answers.get("drain", ())),
            intake=None if refused else decode_intake(answers.get("intake", ())),
            copied=answers.get("wait", self._replicas) >= self._replicas,
        )

    async def wait(self, queues: Sequence[str], timeout_seconds: float) -> bool:
        """Wait for a wake token of one of the queues, on a connection of its own. False: none came in time.

        Cancelling it throws the connection away, and perhaps a token with it (missed for a second at most).

        Raises:
            RedisAway: the next call opens a new connection.
        """
        token, _ = await self._wait(queues, timeout_seconds)
        return token is not None

    async def wait_and_claim(self, claim: Claim, timeout_seconds: float) -> ClaimReply | None:
        """Wait as `wait` does, and claim the moment a token comes or the time is up: one round trip, token and jobs.

        Redis runs what follows a blocking command as soon as it unblocks. None: it refused the claim (`run` tells why).
        When this raises, or is cancelled, the claim may have happened, or still may: repeat it under its number.

        Raises:
            RedisAway: the next call opens a new connection.
        """
        script = pack("EVALSHA", self._shas["drain"], 1, self.prefix, *encode_moves([claim]))
        _, answer = await self._wait(list(claim.free), timeout_seconds, script)
        if isinstance(answer, ResponseError):
            return None
        (reply,) = decode_drain([claim], answer)
        return cast("ClaimReply", reply)

    async def _wait(self, queues: Sequence[str], timeout_seconds: float, *then: bytes) -> tuple[Any, Any]:
        """Wait for a token, then do one more thing, if any. Returns both answers."""
        wake_keys = [keys.wake(self.prefix, queue) for queue in queues]
        pop = pack("BRPOP", *wake_keys, f"{max(timeout_seconds, LEAST_WAIT_SECONDS):.3f}")
        blocking, self._blocking = self._blocking or await self._make_connection(), None
        beside = self._pinned.get("commands")
        async with guarded(blocking, timeout_seconds + BLOCKING_SLACK_SECONDS) as connection:
            self._pinned["blocking"] = connection
            await open_connection(connection)
            await connection.send_packed_command([pop, *then])
            token = await connection.read_response()
            answer = await read_answer(connection) if then else None
        if self._pinned.get("commands") is beside:
            self._blocking = blocking
        else:  # `connect` came between, perhaps to another server
            await blocking.disconnect(nowait=True)
        return token, answer

    def list_open(self) -> list[str]:
        """List which of its two connections are open: "blocking" (the wait for work), "commands"."""
        return sorted(name for name, connection in self._pinned.items() if connection.is_connected)

    async def close(self) -> None:
        """Close both connections."""
        for connection in (self._commands, self._blocking):
            if connection:
                await connection.disconnect(nowait=True)
        self._commands = self._blocking = None

    async def _make_connection(self) -> AbstractConnection:
        """Make a connection, not opened yet, to where the shard is now."""
        return make_connection(make_pool(await self._address.find(self.prefix), connections=1))

    async def _call(self, calls: Calls, on_sent: Callable[[], None]) -> dict[str, Any]:
        """Call the named scripts in one pipeline. A refused intake has its error as its answer."""
        if self._commands is None:
            raise RedisAway("not connected")
        commands, self._commands = self._commands, None
        async with guarded(commands, COMMAND_TIMEOUT_SECONDS) as connection:
            answers = await self._exchange(connection, calls, on_sent)
            unknown = [name for name, answer in answers.items() if isinstance(answer, NoScriptError)]
            if unknown:
                await self._load_scripts(connection, await _ask(connection, "INFO"))
                answers |= await self._exchange(connection, {name: calls[name] for name in unknown}, _do_nothing)
            for name, answer in answers.items():
                _check_answer(name, answer)
        self._commands = commands
        return answers

    async def _exchange(
        self, connection: AbstractConnection, calls: Calls, on_sent: Callable[[], None]
    ) -> dict[str, Any]:
        """Send every call, then read every answer; an error answer is a value. New work waits for its replicas."""
        commands = {name: pack("EVALSHA", self._shas[name], 1, self.prefix, *fields) for name, fields in calls.items()}
        if self._replicas and "intake" in calls:
            commands["wait"] = pack("WAIT", self._replicas, WAIT_MS)
        await connection.send_packed_command(commands.values())
        on_sent()
        return {name: await read_answer(connection) for name in commands}

    async def _check_data(self, connection: AbstractConnection) -> None:
        """Refuse data that is not ours to touch; mark new data. Reads first: a full memory refuses the write."""
        version_key, shards_key, shards = keys.version(self.prefix), keys.shards(self.prefix), self._address.shards
        version, found = await _ask(connection, "MGET", version_key, shards_key)
        if version is None:
            await _ask(connection, "MSET", version_key, PROTOCOL, shards_key, shards)
        elif int(version) > PROTOCOL:
            raise NewerProtocol(
                f"{version_key} is {int(version)}; this program knows {PROTOCOL}: run the newer version"
            )
        elif int(found or 1) != shards:
            raise OtherShards(
                f"the queue's data has shards={int(found or 1)} and REDIS_URL says {shards}: start with the old number "
                "until `grimbots queue stats` shows no job left, stop every process, FLUSHALL, then start with the new"
            )

    async def _load_scripts(self, connection: AbstractConnection, info: bytes) -> None:
        version = re.search(rb"redis_version:(\d+)", info)
        modern = version is not None and int(version[1]) >= 7
        texts = {
            "drain": (MAY_EXCEED_MEMORY if modern else MAY_EXCEED_MEMORY_BEFORE_7) + self._scripts.drain,
            "intake": self._scripts.intake,
        }
        for name, text in texts.items():
            self._shas[name] = await _ask(connection, "SCRIPT", "LOAD", text)


async def _ask(connection: AbstractConnection, *command: str | int) -> Any:
    await connection.send_command(*command)
    return await connection.read_response()


def _check_role(info: bytes) -> None:
    """Raise RedisMoving on a replica: a failover that its sentinels or nodes do not know of yet, or just undone."""
    if b"role:master" not in info:
        raise RedisMoving("this server is a replica")


def _read_run(info: bytes) -> bytes:
    """Tell one life of one server's data from every other."""
    return b" ".join(re.findall(rb"(?:run_id|master_replid):\w+", info))


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
        self._address = parse_address(url)
        self._text = MAY_EXCEED_MEMORY_BEFORE_7 + read_scripts().drain  # 7 takes it too
        self._script: Script | None = None

    def beat(self, consumer: str) -> Verdict:
        """Renew the lease: OK or LOST.

        Raises:
            RedisAway: it is not known whether the lease was renewed; the next beat looks for Redis anew.
        """
        try:
            script = self._script = self._script or self._open()
            return Verdict(script(keys=[self._prefix], args=encode_moves([Beat(consumer)]))[0].decode())
        except (redis.RedisError, OSError) as error:
            self.close()
            raise RedisAway(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        if self._script:
            self._script.registered_client.close()
            self._script = None

    def _open(self) -> Script:
        client = redis.Redis.from_url(  # noqa: TID251
            asyncio.run(self._address.find(self._prefix)),  # on a loop of this thread: the process's own may be stuck
            protocol=3,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=COMMAND_TIMEOUT_SECONDS,
            socket_timeout=COMMAND_TIMEOUT_SECONDS,
        )
        return client.register_script(self._text)
