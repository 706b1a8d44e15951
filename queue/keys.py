"""The keys of the queue, one function each. `prefix` is "{q<shard>}:": one hash tag, so a shard's keys lie in one slot.

    job:<id>                STRING  one packed value: JSON header, newline, payload; done: only its fence, for 60 s
    group:<source>|<chat>   LIST    ids of one chat; the running one stays at the head, so an empty list is an idle chat
    ready:<queue>:<source>  LIST    `|<chat>` whose head job is of this queue, `=<id>` for unordered jobs
    ring:<queue>            LIST    sources whose ready list is not empty, once each, unless parked in `due`
    flight:<consumer>       HASH    id -> fence, time, queue, source, account, group; "" -> last claim and fences
    consumers               ZSET    consumer -> lease deadline, ms
    due                     ZSET    places J<id>, G<source>|<chat>, S<queue>|<source>; holds g<source>|<chat>, s<source>
    stops                   SET     paused: q<queue>, s<source>, a<account>; crowded: f<queue>|<account>; r<reason>: its
                                    parked sources are coming back
    parked:<reason>         ZSET    <queue>|<source> -> since when, ms: what is to come back when the reason ends
    closed                  SET     q<queue>, s<source>, a<account>: nothing new comes in
    dead                    ZSET    id -> when, ms
    fence                   STRING  counter; a consumer takes 1,000 at once, so each claim of a job has its own
    counts                  HASH    <queue>:enqueued, <queue>:settled (done or dead), <queue>:dead (those kept),
                                    <queue>:overtakes (jobs that passed others of their chat)
    wake:<queue>            LIST    at most one token
    upkeep                  STRING  when upkeep last ran, ms
    version                 STRING  protocol number
    shards                  STRING  how many shards the whole data has

A list's head is its right end. Implied, so never written: a job's state (where its id lies), a chat's state (its list,
then ready, due or flight), whether a source is in its ring (if its ready list was not empty), the owner of what is not
in flight. The scripts build the same names (`scripts/prelude.lua`).
"""

from __future__ import annotations


def prefix(shard: int) -> str:
    """Name the beginning of every key of a shard."""
    return f"{{q{shard}}}:"


def job(prefix: str, id: str) -> str:  # noqa: A002
    """Name the packed value of a job."""
    return f"{prefix}job:{id}"


def group(prefix: str, source: str, chat: str) -> str:
    """Name the list of a chat's jobs."""
    return f"{prefix}group:{source}|{chat}"


def ready(prefix: str, queue: str, source: str) -> str:
    """Name the list of what a source has ready in a queue."""
    return f"{prefix}ready:{queue}:{source}"


def ring(prefix: str, queue: str) -> str:
    """Name the list of sources that take turns in a queue."""
    return f"{prefix}ring:{queue}"


def wake(prefix: str, queue: str) -> str:
    """Name the list that blocked processes wait on."""
    return f"{prefix}wake:{queue}"


def flight(prefix: str, consumer: str) -> str:
    """Name the hash of what a consumer runs."""
    return f"{prefix}flight:{consumer}"


def consumers(prefix: str) -> str:
    """Name the leases."""
    return f"{prefix}consumers"


def due(prefix: str) -> str:
    """Name the set of what waits for a time."""
    return f"{prefix}due"


def stops(prefix: str) -> str:
    """Name the set of what is paused or crowded."""
    return f"{prefix}stops"


def closed(prefix: str) -> str:
    """Name the set of what lets nothing new in."""
    return f"{prefix}closed"


def dead(prefix: str) -> str:
    """Name the set of dead jobs."""
    return f"{prefix}dead"


def counts(prefix: str) -> str:
    """Name the counters of each queue."""
    return f"{prefix}counts"


def version(prefix: str) -> str:
    """Name the protocol number of the data."""
    return f"{prefix}version"


def shards(prefix: str) -> str:
    """Name the number of shards that the whole data has."""
    return f"{prefix}shards"
