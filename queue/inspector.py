"""The queue's read model for the page, the command, /health and /metrics: bounded looks that change nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from grimbots.queue.connections import RedisAway
from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.job import Consumer, DeadJob, Job, Sighting, Waiting

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """One queue now. `pending` waits for its turn, its chat or its time; the oldest age is 0 when nothing is ready.

    `overtakes` counts, since the data began, the jobs that came late by their rank and were put in order.
    """

    queue: str
    pending: int
    in_flight: int
    dead: int
    oldest_age_seconds: float
    overtakes: int = 0


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
        in_flight = Counter(flight.queue for consumer in consumers for flight in consumer.flights)
        names = sorted({*counts, *self._queue.queue_slots})
        ages = await asyncio.gather(*(_look(self._reads.find_oldest_ms(name)) for name in names))
        return [
            QueueDepth(
                queue=name,
                pending=max(0, counts[name].enqueued - counts[name].settled - in_flight[name]) if name in counts else 0,
                in_flight=in_flight[name],
                dead=counts[name].dead if name in counts else 0,
                oldest_age_seconds=(age_ms or 0) / 1000,
                overtakes=counts[name].overtakes if name in counts else 0,
            )
            for name, age_ms in zip(names, ages, strict=True)
        ]

    async def consumers(self) -> list[ConsumerState]:
        """Return the processes with a lease."""
        return [_summarize(consumer) for consumer in await _look(self._reads.list_consumers())]

    async def waiting(self, limit: int = 1000) -> list[Waiting]:
        """Return what waits for its time, holds included, the next first."""
        return await _look(self._reads.list_waiting(limit))

    async def dead(self, after: str = "", limit: int = 50) -> list[DeadJob]:
        """Return dead jobs, the newest first, from the one behind the id `after`."""
        return [replace(dead, job=_mask_job(dead.job)) for dead in await _look(self._reads.list_dead(after, limit))]

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
