"""The queue's read model for the page, the command, /health and /metrics: bounded looks that change nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, TypeVar

from grimbots.queue.connections import RedisAway
from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.job import Job
from grimbots.queue.overviews import Due, Glimpse, Load, Ready, Running, count_running, sort_due
from grimbots.queue.rates import Rate
from grimbots.queue.sightings import Consumer, Counts, DeadJob, Sighting, Stop, Waiting

T = TypeVar("T")
LOOK_LIMIT = 1000  # entries of what waits that are looked at
PEEK_LIMIT = 100
NO_COUNTS = Counts(0, 0)


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """One queue now. `pending` waits for its turn, its chat or its time; the oldest age is 0 when nothing is ready.

    Since the data began: `overtakes` are the jobs that came late by their rank and were put in order, `enqueued` those
    let in, `settled` those done or dead. The rates are this process's, over the last `over_seconds`; None at its first
    look. `draining`: an operator lets nothing new in.
    """

    queue: str
    pending: int
    in_flight: int
    dead: int
    oldest_age_seconds: float
    overtakes: int = 0
    enqueued: int = 0
    settled: int = 0
    enqueued_per_second: float | None = None
    settled_per_second: float | None = None
    over_seconds: float | None = None
    paused: bool = False
    draining: bool = False


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """A process that works: what is left of its lease (negative: expired) and how many jobs it runs."""

    name: str
    lease_seconds: float
    in_flight: int


class Inspector:
    """Looks at a queue; a look raises QueueUnavailable where Redis is away. Payloads come with their texts masked."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._reads = queue.reads

    async def redis(self) -> dict[str, Any]:
        """Describe the server: version, memory used and allowed, and how it keeps data."""
        return await _look(self._reads.describe_server())

    async def queues(self) -> list[QueueDepth]:
        """Return the depth of every queue that this process serves or that ever held a job, by name."""
        counts, consumers = await _look(self._reads.count_jobs()), await _look(self._reads.list_consumers())
        stops = {stop.name: stop for stop in await self.stops() if stop.kind == "queue"}
        in_flight = Counter(flight.queue for consumer in consumers for flight in consumer.flights)
        names = sorted({*counts, *self._queue.queue_slots, *stops})
        counts = {name: counts.get(name, NO_COUNTS) for name in names}
        rates = self._queue.rates.measure(counts, monotonic())
        ages = await _look(asyncio.gather(*map(self._reads.find_oldest_ms, names)))
        return [
            _describe(name, counts[name], in_flight[name], age_ms, rates.get(name), stops.get(name))
            for name, age_ms in zip(names, ages, strict=True)
        ]

    async def stops(self) -> list[Stop]:
        """Return what an operator paused or drains."""
        return await _look(self._reads.list_stops())

    async def running(self) -> list[Load]:
        """Return what runs now by queue, account and source, the most first."""
        return count_running(await _look(self._reads.list_consumers()))

    async def longest(self, limit: int = PEEK_LIMIT) -> list[Running]:
        """Return the jobs that have been running for the longest, each with who runs it."""
        consumers, now_ms = await _look(self._reads.list_consumers()), await _look(self._reads.read_clock_ms())
        flights = [(flight, consumer.name) for consumer in consumers for flight in consumer.flights]
        flights = sorted(flights, key=lambda one: one[0].claimed_ms)[:limit]
        tasks = await _look(self._reads.read_tasks([flight.id for flight, _ in flights]))
        return [
            Running(
                id=flight.id,
                task=tasks.get(flight.id, ""),
                queue=flight.queue,
                account=flight.account,
                source=flight.source,
                consumer=name,
                seconds=max(0, now_ms - flight.claimed_ms) / 1000,
            )
            for flight, name in flights
        ]

    async def ready(self) -> list[Ready]:
        """Return what each source has ready in each queue, the most first; of a queue, the next 100 sources."""
        lists = await _look(asyncio.gather(*map(self._reads.list_ready, sorted(self._queue.queue_slots))))
        return sorted((one for ready in lists for one in ready), key=lambda one: -one.entries)

    async def due(self) -> list[Due]:
        """Return how much waits for a time, by kind, in the next second, 10 s, minute and later; the next 1,000."""
        waiting, total = await self.waiting(LOOK_LIMIT), await self.count_due()
        return sort_due(waiting, total)

    async def due_between(self, in_seconds: Sequence[float]) -> list[int]:
        """Count what comes due between each two neighbours of ascending spans from now: exact, and reads no entry."""
        return await _look(self._reads.count_between([round(span * 1000) for span in in_seconds]))

    async def count_due(self) -> int:
        """Count what waits for a time, holds included."""
        return await _look(self._reads.count_waiting())

    async def head(self, queue: str, limit: int = PEEK_LIMIT) -> list[Glimpse]:
        """Return the jobs that a queue starts next, if nothing comes between; 100 at most."""
        return await _look(self._reads.list_next(queue, min(limit, PEEK_LIMIT)))

    async def chat(self, source: str, chat: str, limit: int = PEEK_LIMIT) -> list[Glimpse]:
        """Return the first jobs of a chat in the order in which they run; 100 at most."""
        return await _look(self._reads.list_chat(source, chat, min(limit, PEEK_LIMIT)))

    async def consumers(self) -> list[ConsumerState]:
        """Return the processes with a lease."""
        return [_summarize(consumer) for consumer in await _look(self._reads.list_consumers())]

    async def waiting(self, limit: int = LOOK_LIMIT) -> list[Waiting]:
        """Return what waits for its time, holds included, the next first."""
        return await _look(self._reads.list_waiting(limit))

    async def dead(self, after: str = "", limit: int = 50, reason: str = "") -> list[DeadJob]:
        """Return dead jobs, the newest first, behind the id `after`; those of a `reason` among the newest 1,000."""
        found = await _look(self._find_dead(after, limit, reason) if reason else self._reads.list_dead(after, limit))
        return [replace(dead, job=_mask_job(dead.job)) for dead in found]

    async def count_reasons(self) -> Counter[str]:
        """Count what the newest 1,000 dead jobs died of."""
        return Counter(death.reason for death in await _look(self._reads.list_deaths(LOOK_LIMIT)))

    async def _find_dead(self, after: str, limit: int, reason: str) -> list[DeadJob]:
        """Find dead jobs of one reason among the newest 1,000, behind the id `after`."""
        ids = [death.id for death in await self._reads.list_deaths(LOOK_LIMIT) if death.reason == reason]
        first = ids.index(after) + 1 if after in ids else 0
        return await self._reads.read_dead(ids[first : first + limit])

    async def job(self, id: str) -> Sighting | None:  # noqa: A002
        """Return what is known of one id; None: nothing, or it was done over a minute ago."""
        seen = await _look(self._reads.find_job(id))
        return replace(seen, job=_mask_job(seen.job)) if seen and seen.job else seen

    def connections(self) -> list[str]:
        """List the connections this process's queue keeps to itself and that are open: "blocking", "commands"."""
        return sorted(name for line in self._queue.lines for name in line.store.list_open())

    def claims(self) -> bool:
        """Tell whether this process works: its last beat was good, and a claim or a wake came back within 5 s."""
        claimers = [line.claimer for line in self._queue.lines]
        return all(claimer is not None and claimer.is_working() for claimer in claimers)


async def _look(read: Awaitable[T]) -> T:
    try:
        return await read
    except RedisAway as error:
        raise QueueUnavailable(str(error)) from error


def _describe(
    name: str, counts: Counts, in_flight: int, age_ms: int | None, rate: Rate | None, stop: Stop | None
) -> QueueDepth:
    return QueueDepth(
        queue=name,
        pending=max(0, counts.enqueued - counts.settled - in_flight),
        in_flight=in_flight,
        dead=counts.dead,
        oldest_age_seconds=(age_ms or 0) / 1000,
        overtakes=counts.overtakes,
        enqueued=counts.enqueued,
        settled=counts.settled,
        enqueued_per_second=rate.enqueued if rate else None,
        settled_per_second=rate.settled if rate else None,
        over_seconds=rate.over_seconds if rate else None,
        paused=stop is not None and stop.paused,
        draining=stop is not None and stop.closed,
    )


def _summarize(consumer: Consumer) -> ConsumerState:
    return ConsumerState(consumer.name, consumer.lease_ms / 1000, len(consumer.flights))


def _mask_job(job: Job) -> Job:
    return replace(job, payload={name: _mask(value) for name, value in job.payload.items()})


def _mask(value: Any) -> Any:
    """Keep the shape of a payload and its numbers; of each text only its length."""
    if isinstance(value, str):
        return f"<{len(value)} characters>"
    if isinstance(value, Mapping):
        return {name: _mask(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_mask(inner) for inner in value]
    return value
