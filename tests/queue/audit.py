"""The structural audit: all that lies in Redis, read whole, must be what the model says and must hang together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from grimbots.queue.reads import NEVER_MS
from grimbots.queue.wire import decode_packed, decode_text
from grimbots.tests.queue.fuzz_branches import BRANCHES
from grimbots.tests.queue.fuzz_scripts import CLOCK
from grimbots.tests.queue.model import Entry, Model, expect

READERS = {b"string": "GET", b"set": "SMEMBERS", b"hash": "HGETALL", b"list": "LRANGE", b"zset": "ZRANGE"}
RANGE = {b"list": (0, -1), b"zset": (0, -1, "WITHSCORES")}
QUEUES = ("tasks", "webhook", "gateway")
SINGLE_KEYS = {
    *("fence", "counts", "consumers", "due", "dead", "upkeep", "version", "shards", "stops", "closed"),
    *(CLOCK, BRANCHES),
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A shard read whole; lists have their head first, names are text without the prefix."""

    jobs: dict[str, bytes]
    chats: dict[str, list[str]]
    ready: dict[tuple[str, str], list[str]]
    rings: dict[str, list[str]]
    flights: dict[str, dict[str, Any]]
    wakes: dict[str, int]
    parked: dict[str, set[str]]
    single: dict[str, Any]


async def read_snapshot(redis: Redis, prefix: str) -> Snapshot:
    """Read every key of the shard."""
    names = [key async for key in redis.scan_iter(match=f"{prefix}*", count=5000)]
    pipe = redis.pipeline(transaction=False)
    for name in names:
        pipe.type(name)
    kinds = await pipe.execute()
    for name, kind in zip(names, kinds, strict=True):
        pipe.execute_command(READERS[kind], name, *RANGE.get(kind, ()))
    values = dict(zip((decode_text(name)[len(prefix) :] for name in names), await pipe.execute(), strict=True))
    unknown = {name for name in values if ":" not in name} - SINGLE_KEYS
    expect(not unknown, f"unknown keys {unknown}")
    return Snapshot(
        jobs=dict(_of(values, "job:")),
        chats={name: _from_head(ids) for name, ids in _of(values, "group:")},
        ready={_split(name, ":"): _from_head(entries) for name, entries in _of(values, "ready:")},
        rings={queue: _from_head(sources) for queue, sources in _of(values, "ring:")},
        flights={consumer: _read_flights(raw) for consumer, raw in _of(values, "flight:")},
        wakes={queue: len(tokens) for queue, tokens in _of(values, "wake:")},
        parked={reason: {decode_text(name) for name, _ in names} for reason, names in _of(values, "parked:")},
        single={name: value for name, value in values.items() if name in SINGLE_KEYS},
    )


def _of(values: dict[str, Any], kind: str) -> Iterator[tuple[str, Any]]:
    return ((name[len(kind) :], value) for name, value in values.items() if name.startswith(kind))


def _split(name: str, separator: str) -> tuple[str, str]:
    first, _, second = name.partition(separator)
    return first, second


def _from_head(raw: list[bytes]) -> list[str]:
    return [decode_text(member) for member in reversed(raw)]


def _read_flights(raw: dict[bytes, bytes]) -> dict[str, Any]:
    return {decode_text(job_id): json.loads(decode_text(value)) for job_id, value in raw.items() if job_id}


def _scores(snapshot: Snapshot, name: str) -> dict[str, int]:
    return {decode_text(member): int(score) for member, score in snapshot.single.get(name, [])}


async def audit(redis: Redis, prefix: str, model: Model) -> None:
    """Raise Violation when anything in Redis is out of place."""
    snapshot = await read_snapshot(redis, prefix)
    due = _scores(snapshot, "due")
    _check_jobs(snapshot, model)
    _check_places(snapshot, model, due)
    _check_chats(snapshot, model, due)
    _check_rings(snapshot, model, due)
    _check_stops(snapshot, model, due)
    _check_leases(snapshot, model)
    _check_counts(snapshot, model)
    _check_dead(snapshot, model)


def _check_jobs(snapshot: Snapshot, model: Model) -> None:
    """Every known job is stored with what is known of it, and nothing else is."""
    expect(set(snapshot.jobs) == set(model.entries), f"stored and known: {set(snapshot.jobs) ^ set(model.entries)}")
    for job_id, entry in model.entries.items():
        header, job = decode_packed(job_id, snapshot.jobs[job_id])
        expect(_describe(header) == _expected_header(entry), f"{job_id} has {header}, not {entry}")
        expect(job == (None if entry.done else entry.job), f"{job_id} holds {job}, not {entry.job}")


def _describe(header: dict[str, Any]) -> dict[str, Any]:
    if "done" in header:
        return header
    counts = ("attempts", "crashes", "blames", "failing_ms", "failing_since")
    fields = (*counts, "settled", "dead", "reason", "rank", "held_until")
    return {name: header[name] for name in fields if header.get(name)}


def _expected_header(entry: Entry) -> dict[str, Any]:
    if entry.done:
        return {"done": entry.done}
    found = {
        "attempts": entry.attempts,
        "crashes": entry.crashes,
        "blames": entry.blames,
        "failing_ms": entry.failing_ms,
        "failing_since": entry.failing_since,
        "settled": entry.settled,
        "dead": entry.dead_ms,
        "reason": entry.reason,
        "rank": entry.rank,
        "held_until": entry.held_until,
    }
    return {name: value for name, value in found.items() if value}


def _check_places(snapshot: Snapshot, model: Model, due: dict[str, int]) -> None:
    """Each living job lies in exactly one place; done and dead ones in none."""
    running = [job_id for flights in snapshot.flights.values() for job_id in flights]
    places = Counter(job_id for chat in snapshot.chats.values() for job_id in chat)
    places.update(job_id for job_id in running if not model.entries[job_id].chat)
    places.update(entry[1:] for entries in snapshot.ready.values() for entry in entries if entry[0] == "=")
    places.update(member[1:] for member in due if member[0] == "J")
    alive = {entry.job.id: 1 for entry in model.alive()}
    expect(places == alive, f"not in exactly one place: {dict(places.items() ^ alive.items())}")
    fences = {job_id: flight["fence"] for flights in snapshot.flights.values() for job_id, flight in flights.items()}
    expected = {job_id: fence for flights in model.flights.values() for job_id, fence in flights.items()}
    expect(fences == expected, f"in flight: {fences}, not {expected}")


def _check_chats(snapshot: Snapshot, model: Model, due: dict[str, int]) -> None:
    """Each chat's list is the model's; the chat is ready, waiting or running, one of them, and only its head runs."""
    expect(snapshot.chats == model.chats, f"chats differ: {snapshot.chats} {model.chats}")
    running = model.running()
    places = Counter(member[1:] for member in due if member[0] == "G")
    for (queue, source), entries in snapshot.ready.items():
        for entry in entries:
            if entry[0] == "|":
                places[source + entry] += 1
                head = model.entries[snapshot.chats[source + entry][0]]
                expect(
                    head.job.queue == queue, f"{source + entry} is ready in {queue}, its head is of {head.job.queue}"
                )
    for chat, ids in snapshot.chats.items():
        places[chat] += sum(job_id in running for job_id in ids)
        expect(not any(job_id in running for job_id in ids[1:]), f"not the head of {chat} runs")
    expect(places == dict.fromkeys(snapshot.chats, 1), f"chats in no place or in two: {places}")


def _check_rings(snapshot: Snapshot, model: Model, due: dict[str, int]) -> None:
    """Each source with ready work stands in its ring or is parked, once; a token lies there for who is to wake."""
    places = Counter((queue, source) for queue, sources in snapshot.rings.items() for source in sources)
    places.update(_split(member[1:], "|") for member in due if member[0] == "S")
    expect(
        places == dict.fromkeys(snapshot.ready, 1), f"sources unreachable or doubled: {places} {list(snapshot.ready)}"
    )
    expect(all(tokens == 1 for tokens in snapshot.wakes.values()), f"tokens: {snapshot.wakes}")
    asleep = {queue for queue in snapshot.rings if f"q{queue}" not in model.paused} - set(snapshot.wakes)
    expect(not asleep, f"nobody wakes for {asleep}")


def _check_stops(snapshot: Snapshot, model: Model, due: dict[str, int]) -> None:
    """What is stopped is the model's; all that is parked for ever, and every name kept, has a reason in force."""
    stops, closed = ({decode_text(name) for name in snapshot.single.get(key, ())} for key in ("stops", "closed"))
    expect({stop for stop in stops if stop[0] in "qsa"} == model.paused, f"paused: {stops}, not {model.paused}")
    expect(closed == model.closed, f"closed: {closed}, not {model.closed}")
    in_force = {stop.removeprefix("r") for stop in stops}
    expect(set(snapshot.parked) <= in_force, f"parked for nothing: {set(snapshot.parked) - in_force}")
    named = {name for reason, names in snapshot.parked.items() if reason[0] in "sa" for name in names}
    forgotten = {member[1:] for member, ms in due.items() if member[0] == "S" and ms == NEVER_MS} - named
    expect(not forgotten, f"parked for ever: {forgotten}")


def _check_leases(snapshot: Snapshot, model: Model) -> None:
    """In flight implies a lease, and every lease has the model's deadline."""
    leases = _scores(snapshot, "consumers")
    expect(leases == model.leases, f"leases {leases}, not {model.leases}")
    expect(set(snapshot.flights) <= set(leases), f"flights without a lease: {set(snapshot.flights) - set(leases)}")


def _check_counts(snapshot: Snapshot, model: Model) -> None:
    """The counters' difference is what lives."""
    counts = {decode_text(field): int(number) for field, number in snapshot.single.get("counts", {}).items()}
    alive = Counter(entry.job.queue for entry in model.alive())
    for queue, enqueued in model.enqueued.items():
        pair = (counts.get(f"{queue}:enqueued", 0), counts.get(f"{queue}:settled", 0))
        expect(pair == (enqueued, model.settled.get(queue, 0)), f"counts of {queue}: {pair}")
        expect(pair[0] - pair[1] == alive[queue], f"{alive[queue]} live in {queue}, the counters say {pair}")
        overtakes = counts.get(f"{queue}:overtakes", 0)
        expect(overtakes == model.overtakes.get(queue, 0), f"overtakes of {queue}: {overtakes}")
    dead = Counter(model.entries[job_id].job.queue for job_id in model.dead())
    counted = Counter({queue: counts.get(f"{queue}:dead", 0) for queue in QUEUES})
    expect(dead == counted, f"dead: {dead}, the counters say {counted}")


def _check_dead(snapshot: Snapshot, model: Model) -> None:
    dead = [decode_text(member) for member, _ in snapshot.single.get("dead", [])]
    expect(dead == model.dead(), f"dead: {dead}, not {model.dead()}")
