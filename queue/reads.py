"""What the Inspector reads of a shard: bounded commands that change nothing, no KEYS and no SCAN."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from grimbots.queue import keys
from grimbots.queue.connections import RedisAway, make_pool
from grimbots.queue.job import Consumer, Counts, DeadJob, Flight, Sighting, State, Stop, StopKind, Waiting, Waits
from grimbots.queue.store import COMMAND_TIMEOUT_SECONDS, PREFIX
from grimbots.queue.wire import decode_packed, decode_text

RING_LIMIT = 100  # sources looked at for the oldest age
CONNECTIONS = 4
NEVER_MS = 8_640_000_000_000_000  # the time of what is parked until an operator says otherwise (waiting.lua)
STOP_KINDS: Mapping[str, StopKind] = {"q": "queue", "s": "source", "a": "account"}
HEADER_BYTES = 4096  # no header is longer: names are short and errors are cut

Command = tuple[str | bytes | int, ...]


class Reads:
    """Bounded looks into one shard, over connections of its own. All raise RedisAway when Redis does not answer."""

    def __init__(self, url: str, prefix: str = PREFIX) -> None:
        """Keep the address; the first look opens a connection."""
        self._prefix = prefix
        self._redis = Redis(connection_pool=make_pool(url, connections=CONNECTIONS))
        self._free = asyncio.Semaphore(CONNECTIONS)  # the pool refuses who comes when all are taken; here he waits

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose(close_connection_pool=True)

    async def describe_server(self) -> dict[str, Any]:
        """Describe the server: version, memory used and allowed (0: no limit), policy, how it keeps data."""
        (info,) = await self._ask([("INFO",)])
        names = ("redis_version", "used_memory", "maxmemory", "maxmemory_policy", "aof_enabled")
        return {name: info[name] for name in names}

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
        (members,) = await self._ask([("ZREVRANGE", key, first, first + limit - 1)])
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

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one pipeline."""
        if not commands:
            return []
        try:
            async with (
                asyncio.timeout(COMMAND_TIMEOUT_SECONDS),
                self._free,
                self._redis.pipeline(transaction=False) as pipe,
            ):
                for command in commands:
                    pipe.execute_command(*command)
                return list(await pipe.execute())
        except (RedisError, OSError) as error:
            raise RedisAway(f"{type(error).__name__}: {error}") from error


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
