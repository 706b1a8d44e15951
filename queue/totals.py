"""What the Inspector reads of all shards together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import astuple
from itertools import chain, zip_longest
from typing import Any, TypeVar

from grimbots.queue.overviews import Glimpse, Ready
from grimbots.queue.reads import Reads
from grimbots.queue.sightings import Consumer, Counts, DeadJob, Death, Sighting, Stop, Waiting

T = TypeVar("T")


class Totals:
    """Bounded looks into every shard at once. All raise RedisAway when one does not answer."""

    def __init__(self, shards: Sequence[Reads]) -> None:
        self.shards = shards

    async def close(self) -> None:
        """Close the connections."""
        await self._ask(Reads.close)

    async def describe_server(self) -> dict[str, Any]:
        """Describe the server whose memory is fullest."""
        return max(await self._ask(Reads.describe_server), key=_read_part)

    async def read_memory_part(self) -> float:
        """Return the part of its allowed memory that the fullest server uses; 0 where none has a limit."""
        return max(map(_read_part, await self._ask(Reads.read_memory)))

    async def count_jobs(self) -> dict[str, Counts]:
        """Count each queue's jobs."""
        shards = await self._ask(Reads.count_jobs)
        queues = dict.fromkeys(chain(*shards))
        return {queue: _add_up([shard[queue] for shard in shards if queue in shard]) for queue in queues}

    async def list_consumers(self) -> list[Consumer]:
        """List the processes with a lease and what each runs; of its leases, the one with the least left."""
        leases: dict[str, Consumer] = {}
        for one in chain(*await self._ask(Reads.list_consumers)):
            known = leases.get(one.name, one)
            flights = [] if known is one else known.flights
            leases[one.name] = Consumer(one.name, min(one.lease_ms, known.lease_ms), [*flights, *one.flights])
        return list(leases.values())

    async def count_waiting(self) -> int:
        """Count what waits for a time, holds included."""
        return sum(await self._ask(Reads.count_waiting))

    async def list_waiting(self, limit: int = 1000) -> list[Waiting]:
        """List what waits for a time, the next first."""
        shards = await self._ask(lambda shard: shard.list_waiting(limit))
        return sorted(chain(*shards), key=lambda waiting: (waiting.in_ms is None, waiting.in_ms or 0))[:limit]

    async def count_between(self, in_ms: Sequence[int]) -> list[int]:
        """Count what comes due between each two neighbours of ascending spans from now, the later one not included."""
        return list(map(sum, zip(*await self._ask(lambda shard: shard.count_between(in_ms)), strict=True)))

    async def read_clock_ms(self) -> int:
        """Read the clock by which the times of jobs are written: the first shard's."""
        return await self.shards[0].read_clock_ms()

    async def read_tasks(self, ids: Sequence[str]) -> dict[str, str]:
        """Read the names of jobs' tasks, wherever they lie, without those that were settled meanwhile."""
        found = await self._ask(lambda shard: shard.read_tasks(ids))
        return {id: task for tasks in found for id, task in tasks.items()}  # noqa: A001

    async def list_stops(self) -> list[Stop]:
        """List what an operator paused or closed."""
        stops: dict[tuple[str, str], Stop] = {}
        for one in chain(*await self._ask(Reads.list_stops)):
            known = stops.get((one.kind, one.name), one)
            stops[one.kind, one.name] = Stop(one.kind, one.name, one.paused or known.paused, one.closed or known.closed)
        return list(stops.values())

    async def count_dead(self) -> int:
        """Count dead jobs."""
        return sum(await self._ask(Reads.count_dead))

    async def list_dead(self, after: str = "", limit: int = 50) -> list[DeadJob]:
        """List dead jobs, the newest first, behind the id `after` (from the start when that one is gone)."""
        times = await self._ask(lambda shard: shard.find_dead_ms(after))
        place = next((place for place, at_ms in enumerate(times) if at_ms is not None), -1)
        died_ms = times[place]
        shards = await asyncio.gather(
            *(
                shard.list_dead(after, limit)
                if died_ms is None or n == place
                else shard.list_dead_from(died_ms - (n < place), limit)  # of one millisecond: shard by shard
                for n, shard in enumerate(self.shards)
            )
        )
        return sorted(chain(*shards), key=lambda dead: dead.at_ms, reverse=True)[:limit]

    async def list_deaths(self, limit: int) -> list[Death]:
        """List how the newest of the dead came to be so, by their headers."""
        shards = await self._ask(lambda shard: shard.list_deaths(limit))
        return sorted(chain(*shards), key=lambda death: death.at_ms, reverse=True)[:limit]

    async def read_dead(self, ids: Sequence[str]) -> list[DeadJob]:
        """Read dead jobs, in this order, without those that were put back or discarded meanwhile."""
        places = {id: place for place, id in enumerate(ids)}  # noqa: A001
        shards = await self._ask(lambda shard: shard.read_dead(ids))
        return sorted(chain(*shards), key=lambda dead: places[dead.job.id])

    async def find_oldest_ms(self, queue: str) -> int | None:
        """Find how long the oldest ready job waits. None: none is ready."""
        ages = await self._ask(lambda shard: shard.find_oldest_ms(queue))
        return max((age for age in ages if age is not None), default=None)

    async def list_ready(self, queue: str) -> list[Ready]:
        """Count what the next sources of a queue's rings have ready: up to 100 of each shard."""
        return list(chain(*await self._ask(lambda shard: shard.list_ready(queue))))

    async def list_next(self, queue: str, limit: int) -> list[Glimpse]:
        """List the jobs that are claimed next in a queue; the shards take turns."""
        shards = await self._ask(lambda shard: shard.list_next(queue, limit))
        return [glimpse for turn in zip_longest(*shards) for glimpse in turn if glimpse][:limit]

    async def list_chat(self, source: str, chat: str, limit: int) -> list[Glimpse]:
        """List the first jobs of a chat, in the order in which they run. It lies in one shard."""
        shards = await self._ask(lambda shard: shard.list_chat(source, chat, limit))
        return next((glimpses for glimpses in shards if glimpses), [])

    async def find_job(self, id: str) -> Sighting | None:  # noqa: A002
        """Find what is known of an id. None: nothing, or it was done over a minute ago."""
        return next((seen for seen in await self._ask(lambda shard: shard.find_job(id)) if seen), None)

    async def _ask(self, look: Callable[[Reads], Awaitable[T]]) -> list[T]:
        return list(await asyncio.gather(*(look(shard) for shard in self.shards)))


def _read_part(server: Mapping[str, Any]) -> float:
    return float(server["used_memory"] / server["maxmemory"]) if server["maxmemory"] else 0.0


def _add_up(counts: Sequence[Counts]) -> Counts:
    return Counts(*map(sum, zip(*map(astuple, counts), strict=True)))
