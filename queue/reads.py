"""What the Inspector reads of a shard: bounded commands that change nothing, no KEYS and no SCAN."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio.connection import AbstractConnection

from grimbots.queue import keys
from grimbots.queue.addresses import parse_address
from grimbots.queue.connections import RedisAway, guarded, make_connection, make_pool, open_connection, read_answer
from grimbots.queue.job import Consumer, Counts, DeadJob, Flight, Sighting, State, Stop, StopKind, Waiting, Waits
from grimbots.queue.store import COMMAND_TIMEOUT_SECONDS, PREFIX
from grimbots.queue.wire import decode_packed, decode_text

RING_LIMIT = 100  # sources looked at for the oldest age
CONNECTIONS = 4
SAMPLE_KEYS = 20  # looked at to see whether others keep keys here
NEVER_MS = 8_640_000_000_000_000  # the time of what is parked until an operator says otherwise (waiting.lua)
STOP_KINDS: Mapping[str, StopKind] = {"q": "queue", "s": "source", "a": "account"}
HEADER_BYTES = 4096  # no header is longer: names are short and errors are cut

Command = tuple[str | bytes | int, ...]


class Reads:
    """Bounded looks into one shard, over connections of its own. All raise RedisAway when Redis does not answer."""

    def __init__(self, url: str, prefix: str = PREFIX) -> None:
        """Keep the address (any form of REDIS_URL); the first look opens a connection."""
        self._prefix = prefix
        self._address = parse_address(url)
        self._idle: list[AbstractConnection] = []
        self._free = asyncio.Semaphore(CONNECTIONS)

    async def close(self) -> None:
        """Close the connections that nobody uses now; the others close with the error of whoever uses them."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.disconnect(nowait=True)

    async def describe_server(self) -> dict[str, Any]:
        """Describe the server: version, memory used and allowed (0: no limit), policy, how it keeps data, its keys.

        `fsync` is None where the server does not tell (CONFIG is forbidden); `foreign`: keys of others among some.
        """
        info, fsync, *sample = await self._ask(
            [("INFO",), ("CONFIG", "GET", "appendfsync"), *[("RANDOMKEY",)] * SAMPLE_KEYS], tolerant=True
        )
        names = ("redis_version", "used_memory", "maxmemory", "maxmemory_policy", "aof_enabled")
        ours = re.compile(rb"\{q\d+\}:")
        foreign = any(isinstance(key, bytes) and not ours.match(key) for key in sample)
        told = fsync[b"appendfsync"].decode() if isinstance(fsync, dict) else None
        info = _decode_info(info)
        return {**{name: info[name] for name in names}, "fsync": told, "foreign": foreign}

    async def read_memory(self) -> dict[str, Any]:
        """Read the memory used and allowed (0: no limit)."""
        (info,) = await self._ask([("INFO", "memory")])
        return _decode_info(info)

    async def count_jobs(self) -> dict[str, Counts]:
        """Count each queue's jobs."""
        (raw,) = await self._ask([("HGETALL", keys.counts(self._prefix))])
        fields = {decode_text(field): int(number) for field, number in raw.items()}
        queues = {field.rpartition(":")[0] for field in fields}
        return {
            queue: Counts(*(fields.get(f"{queue}:{what}", 0) for what in ("enqueued", "settled", "dead", "overtakes")))
            for queue in queues
        }

    async def list_consumers(self) -> list[Consumer]:
        """List the processes with a lease and what each runs."""
        now_ms, leases = await self._ask_now(("ZRANGE", keys.consumers(self._prefix), 0, -1, "WITHSCORES"))
        names = [decode_text(name) for name, _ in leases]
        hashes = await self._ask([("HGETALL", keys.flight(self._prefix, name)) for name in names])
        return [
            Consumer(name, int(deadline) - now_ms, _decode_flights(raw))
            for name, (_, deadline), raw in zip(names, leases, hashes, strict=True)
        ]

    async def count_waiting(self) -> int:
        """Count what waits for a time, holds included."""
        (count,) = await self._ask([("ZCARD", keys.due(self._prefix))])
        return int(count)

    async def list_waiting(self, limit: int = 1000) -> list[Waiting]:
        """List what waits for a time, the next first."""
        now_ms, entries = await self._ask_now(("ZRANGE", keys.due(self._prefix), 0, limit - 1, "WITHSCORES"))
        texts = [(decode_text(member), int(due_ms)) for member, due_ms in entries]
        return [
            Waiting(Waits(text[0]), text[1:], None if due_ms >= NEVER_MS else due_ms - now_ms) for text, due_ms in texts
        ]

    async def list_stops(self) -> list[Stop]:
        """List what an operator paused or closed."""
        members = await self._ask([("SMEMBERS", key(self._prefix)) for key in (keys.stops, keys.closed)])
        paused, closed = ({decode_text(member) for member in some} for some in members)
        stops = sorted(stop for stop in paused | closed if stop[0] in STOP_KINDS)
        return [Stop(STOP_KINDS[stop[0]], stop[1:], stop in paused, stop in closed) for stop in stops]

    async def count_dead(self) -> int:
        """Count dead jobs."""
        (count,) = await self._ask([("ZCARD", keys.dead(self._prefix))])
        return int(count)

    async def list_dead(self, after: str = "", limit: int = 50) -> list[DeadJob]:
        """List dead jobs, the newest first, behind the id `after` (from the start when that one is gone)."""
        key = keys.dead(self._prefix)
        (rank,) = await self._ask([("ZREVRANK", key, after)])
        first = 0 if rank is None else rank + 1
        return await self._read_dead(("ZREVRANGE", key, first, first + limit - 1))

    async def list_dead_from(self, at_ms: int, limit: int) -> list[DeadJob]:
        """List dead jobs, the newest first, from those that died at a time on."""
        return await self._read_dead(("ZREVRANGEBYSCORE", keys.dead(self._prefix), at_ms, "-inf", "LIMIT", 0, limit))

    async def find_dead_ms(self, id: str) -> int | None:  # noqa: A002
        """Find when a dead job died; None: it is not dead here."""
        (at_ms,) = await self._ask([("ZSCORE", keys.dead(self._prefix), id.encode("utf-8", "surrogatepass"))])
        return None if at_ms is None else int(at_ms)

    async def _read_dead(self, command: Command) -> list[DeadJob]:
        (members,) = await self._ask([command])
        ids = [decode_text(member) for member in members]
        packed = await self._ask([("GET", keys.job(self._prefix, id)) for id in ids])  # noqa: A001
        return [_decode_dead(id, raw) for id, raw in zip(ids, packed, strict=True) if raw]  # noqa: A001

    async def find_oldest_ms(self, queue: str) -> int | None:
        """Find how long the oldest ready job waits, among the next of up to 100 sources. None: none is ready."""
        now_ms, sources = await self._ask_now(("LRANGE", keys.ring(self._prefix, queue), -RING_LIMIT, -1))
        names = [decode_text(source) for source in sources]
        entries = await self._ask([("LINDEX", keys.ready(self._prefix, queue, name), -1) for name in names])
        ids = await self._resolve(
            [(name, decode_text(entry)) for name, entry in zip(names, entries, strict=True) if entry]
        )
        heads = await self._ask([("GETRANGE", keys.job(self._prefix, id), 0, HEADER_BYTES) for id in ids])  # noqa: A001
        return max((now_ms - _decode_header(head).get("at", now_ms) for head in heads if head), default=None)

    async def find_job(self, id: str) -> Sighting | None:  # noqa: A002
        """Find what is known of an id. None: nothing, or it was done over a minute ago."""
        (packed,) = await self._ask([("GET", keys.job(self._prefix, id))])
        if packed is None:
            return None
        header, job = decode_packed(id, packed)
        if job is None:
            return Sighting(id, State.DONE, None, header)
        if "dead" in header:
            return Sighting(id, State.DEAD, job, header)
        if any(flight.id == id for consumer in await self.list_consumers() for flight in consumer.flights):
            return Sighting(id, State.RUNNING, job, header)
        place = f"G{job.source}|{job.group}" if job.group else f"J{id}"
        (waits,) = await self._ask([("ZSCORE", keys.due(self._prefix), place.encode("utf-8", "surrogatepass"))])
        return Sighting(id, State.PENDING if waits is None else State.WAITING, job, header)

    async def _resolve(self, entries: Sequence[tuple[str, str]]) -> list[str]:
        """Turn ready entries, each with its source, into the ids they stand for."""
        chats = [(source, entry[1:]) for source, entry in entries if entry.startswith("|")]
        heads = await self._ask([("LINDEX", keys.group(self._prefix, source, chat), -1) for source, chat in chats])
        return [entry[1:] for _, entry in entries if entry.startswith("=")] + [
            decode_text(head) for head in heads if head
        ]

    async def _ask_now(self, command: Command) -> tuple[int, Any]:
        """Send one command and read the clock with it, in ms."""
        (seconds, micros), answer = await self._ask([("TIME",), command])
        return int(seconds) * 1000 + int(micros) // 1000, answer

    async def _ask(self, commands: Sequence[Command], *, tolerant: bool = False) -> list[Any]:
        """Send commands in one pipeline. `tolerant`: an error answer is a value."""
        if not commands:
            return []
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT_SECONDS), self._free:
                return await self._exchange(commands, tolerant)
        except TimeoutError as error:
            raise RedisAway("no answer in time") from error

    async def _exchange(self, commands: Sequence[Command], tolerant: bool) -> list[Any]:
        """Try over a connection that may have died unnoticed, if there is one, and over a new one."""
        if self._idle:
            try:
                return await self._try(self._idle.pop(), commands, tolerant)
            except RedisAway:
                await self.close()
        url = await self._address.find(self._prefix)
        return await self._try(make_connection(make_pool(url, connections=1)), commands, tolerant)

    async def _try(self, connection: AbstractConnection, commands: Sequence[Command], tolerant: bool) -> list[Any]:
        read = read_answer if tolerant else AbstractConnection.read_response
        async with guarded(connection, COMMAND_TIMEOUT_SECONDS):
            await open_connection(connection)
            await connection.send_packed_command(connection.pack_commands(commands))
            answers = [await read(connection) for _ in commands]
        self._idle.append(connection)
        return answers


def _decode_info(raw: bytes) -> dict[str, Any]:
    """Read INFO; whole numbers become such."""
    fields = (line.split(":", 1) for line in raw.decode().splitlines() if ":" in line)
    return {name: int(value) if value.isdigit() else value for name, value in fields}


def _decode_flights(raw: dict[bytes, bytes]) -> list[Flight]:
    flights = []
    for field, value in raw.items():
        if field:  # the empty field holds the last claim
            flight = json.loads(decode_text(value))
            flights.append(Flight(decode_text(field), claimed_ms=flight.pop("at"), **flight))
    return flights


def _decode_header(head: bytes) -> dict[str, Any]:
    line, newline, _ = head.partition(b"\n")
    return dict(json.loads(decode_text(line))) if newline else {}


def _decode_dead(id: str, packed: bytes) -> DeadJob:  # noqa: A002
    header, job = decode_packed(id, packed)
    if job is None:
        raise ValueError(f"job {id!r} is dead and done at once")
    return DeadJob(job, header["dead"], header["reason"], header.get("error", ""), header.get("attempts", 0))
