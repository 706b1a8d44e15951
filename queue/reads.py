"""What the Inspector reads of a shard: bounded commands that change nothing, no KEYS and no SCAN."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise, zip_longest
from typing import Any

from redis.asyncio.connection import AbstractConnection

from grimbots.queue import keys
from grimbots.queue.addresses import parse_address
from grimbots.queue.connections import RedisAway, guarded, make_connection, make_pool, open_connection, read_answer
from grimbots.queue.job import Job, StopKind
from grimbots.queue.overviews import Glimpse, Ready
from grimbots.queue.sightings import Consumer, Counts, DeadJob, Death, Flight, Sighting, State, Stop, Waiting, Waits
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
        return [Waiting(Waits(text[0]), text[1:], _count_ms(due_ms, now_ms)) for text, due_ms in texts]

    async def count_between(self, in_ms: Sequence[int]) -> list[int]:
        """Count what comes due between each two neighbours of ascending spans from now, the later one not included."""
        now_ms = await self.read_clock_ms()
        key = keys.due(self._prefix)
        spans = [(now_ms + first, now_ms + last) for first, last in pairwise(in_ms)]
        return [int(count) for count in await self._ask([("ZCOUNT", key, first, f"({last}") for first, last in spans])]

    async def read_clock_ms(self) -> int:
        """Read the clock by which the times of jobs are written."""
        seconds, micros = (await self._ask([("TIME",)]))[0]
        return int(seconds) * 1000 + int(micros) // 1000

    async def read_tasks(self, ids: Sequence[str]) -> dict[str, str]:
        """Read the names of jobs' tasks, without those that were settled meanwhile."""
        return {id: header["task"] for id, header in await self._read_headers(ids)}  # noqa: A001

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

    async def list_deaths(self, limit: int) -> list[Death]:
        """List how the newest of the dead came to be so, by their headers."""
        (members,) = await self._ask([("ZREVRANGE", keys.dead(self._prefix), 0, limit - 1)])
        heads = await self._read_headers([decode_text(member) for member in members])
        return [Death(id, head["dead"], head["reason"]) for id, head in heads if "dead" in head]  # noqa: A001

    async def read_dead(self, ids: Sequence[str]) -> list[DeadJob]:
        """Read dead jobs, in this order, without those that were put back or discarded meanwhile."""
        packed = await self._ask([("GET", keys.job(self._prefix, id)) for id in ids])  # noqa: A001
        found = [decode_packed(id, raw) for id, raw in zip(ids, packed, strict=True) if raw]  # noqa: A001
        return [_make_dead(job, header) for header, job in found if job and "dead" in header]

    async def _read_dead(self, command: Command) -> list[DeadJob]:
        (members,) = await self._ask([command])
        return await self.read_dead([decode_text(member) for member in members])

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
        for consumer in await self.list_consumers():
            for flight in consumer.flights:
                if flight.id == id:
                    return Sighting(id, State.RUNNING, job, header, consumer.name, flight)
        waits = await self._list_waits(job)
        placed = any(one.kind in (Waits.JOB, Waits.GROUP) for one in waits)
        state = State.WAITING if placed else State.PENDING
        return Sighting(id, state, job, header, ahead=await self._count_ahead(job), waits=waits)

    async def list_ready(self, queue: str) -> list[Ready]:
        """Count what the next of up to 100 sources of a queue's ring have ready, in the order of their turns."""
        names = await self._list_ring(queue)
        sizes = await self._ask([("LLEN", keys.ready(self._prefix, queue, name)) for name in names])
        return [Ready(queue, name, int(size)) for name, size in zip(names, sizes, strict=True)]

    async def list_next(self, queue: str, limit: int) -> list[Glimpse]:
        """List the jobs that are claimed next in a queue, if nothing comes between: source after source, in turns."""
        names = (await self._list_ring(queue))[:limit]
        depth = -(-limit // max(1, len(names)))
        lists = await self._ask([("LRANGE", keys.ready(self._prefix, queue, name), -depth, -1) for name in names])
        turns = zip_longest(
            *(
                [(name, decode_text(entry)) for entry in reversed(entries)]
                for name, entries in zip(names, lists, strict=True)
            )
        )
        ids = await self._resolve([entry for turn in turns for entry in turn if entry][:limit])
        return [Glimpse(id, State.PENDING, header) for id, header in await self._read_headers(ids)]  # noqa: A001

    async def list_chat(self, source: str, chat: str, limit: int) -> list[Glimpse]:
        """List the first jobs of a chat, in the order in which they run."""
        members, (due_ms,) = await self._ask(
            [
                ("LRANGE", keys.group(self._prefix, source, chat), -limit, -1),
                ("ZMSCORE", keys.due(self._prefix), _encode(f"{Waits.GROUP}{source}|{chat}")),
            ]
        )
        running = {flight.id for consumer in await self.list_consumers() for flight in consumer.flights}
        ids = [decode_text(member) for member in reversed(members)]
        head = State.PENDING if due_ms is None else State.WAITING
        states = {id: State.RUNNING if id in running else head for id in ids[:1]}  # noqa: A001
        return [
            Glimpse(id, states.get(id, State.PENDING), header)
            for id, header in await self._read_headers(ids)  # noqa: A001
        ]

    async def _list_ring(self, queue: str) -> list[str]:
        """List the sources whose turns come next, up to 100."""
        (sources,) = await self._ask([("LRANGE", keys.ring(self._prefix, queue), -RING_LIMIT, -1)])
        return [decode_text(source) for source in reversed(sources)]

    async def _read_headers(self, ids: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
        """Read the headers of jobs, without those that were settled meanwhile."""
        heads = await self._ask([("GETRANGE", keys.job(self._prefix, id), 0, HEADER_BYTES) for id in ids])  # noqa: A001
        read = [(id, _decode_header(head)) for id, head in zip(ids, heads, strict=True)]  # noqa: A001
        return [(id, header) for id, header in read if "task" in header]  # noqa: A001

    async def _list_waits(self, job: Job) -> list[Waiting]:
        """List what a job that does not run waits for: its own time, its chat's or its source's, and holds of these."""
        chat = f"{job.source}|{job.group}"
        own = [(Waits.GROUP, chat), (Waits.GROUP_HOLD, chat)] if job.group else [(Waits.JOB, job.id)]
        places = [*own, (Waits.SOURCE, f"{job.queue}|{job.source}"), (Waits.SOURCE_HOLD, job.source)]
        members = [_encode(f"{kind}{name}") for kind, name in places]
        now_ms, times = await self._ask_now(("ZMSCORE", keys.due(self._prefix), *members))
        return [
            Waiting(kind, name, _count_ms(int(float(due_ms)), now_ms))
            for (kind, name), due_ms in zip(places, times, strict=True)
            if due_ms is not None
        ]

    async def _count_ahead(self, job: Job) -> int:
        """Count the jobs of its chat before a job."""
        if not job.group:
            return 0
        key = keys.group(self._prefix, job.source, job.group)
        size, place = await self._ask([("LLEN", key), ("LPOS", key, _encode(job.id))])
        return 0 if place is None else max(0, int(size) - 1 - int(place))

    async def _resolve(self, entries: Sequence[tuple[str, str]]) -> list[str]:
        """Turn ready entries, each with its source, into the ids they stand for, in order."""
        chats = [(source, entry[1:]) for source, entry in entries if entry.startswith("|")]
        heads = iter(
            await self._ask([("LINDEX", keys.group(self._prefix, source, chat), -1) for source, chat in chats])
        )
        ids = [next(heads) if entry.startswith("|") else entry[1:] for _, entry in entries]
        return [decode_text(id) if isinstance(id, bytes) else id for id in ids if id]  # noqa: A001

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


def _encode(member: str) -> bytes:
    return member.encode("utf-8", "surrogatepass")


def _count_ms(due_ms: int, now_ms: int) -> int | None:
    return None if due_ms >= NEVER_MS else due_ms - now_ms


def _decode_header(head: bytes) -> dict[str, Any]:
    line, newline, _ = head.partition(b"\n")
    return dict(json.loads(decode_text(line))) if newline else {}


def _make_dead(job: Job, header: Mapping[str, Any]) -> DeadJob:
    return DeadJob(job, header["dead"], header["reason"], header.get("error", ""), header.get("attempts", 0))
