"""The systems under test: how many jobs a measurement of each takes, and what each says of a killed worker."""

from __future__ import annotations

from dataclasses import dataclass

ALL = frozenset({"load", "slow", "pickup", "always"})
PICKED_UP_IN_TURNS = ALL - {"pickup"}  # in the part `pickup`, beside what it is compared with


@dataclass(frozen=True, slots=True)
class System:
    """One row. `jobs` keep a measurement at two or three seconds; a system is slow or quick, not its sample small."""

    name: str  # of its file in `peers`, and of its environment
    title: str
    jobs: int
    slow_jobs: int  # of 5 ms
    at_least_once: bool
    note: str
    environment: str = ""  # whose it uses; "" is its own, "ours" is the one that runs this
    language: str = "Python"
    measures: frozenset[str] = ALL


OURS = System(
    "ours",
    "GrimBots",
    20_000,
    10_000,
    True,
    "ordered per chat; at once in the same slot, else 10 s",
    "ours",
    measures=PICKED_UP_IN_TURNS,
)
PEERS = (
    System("bullmq", "BullMQ", 10_000, 10_000, True, "locks of 30 s, looked at every 30 s", language="node"),
    System("dramatiq", "dramatiq", 6_000, 5_000, True, "60 s without heartbeat, then by chance (1 call in 1,000)"),
    System("taskiq", "taskiq-redis, stream", 4_000, 4_000, True, "after 600 s idle"),
    System("arq", "arq", 2_000, 2_000, True, "after the longest job's time limit and 10 s: 310 s"),
    System("saq", "SAQ", 2_000, 2_000, True, "after the job's time limit of 10 s, looked at every 60 s"),
    System("streaq", "streaQ", 2_000, 2_000, True, "after 60 s idle"),
    System("celery", "Celery, acks_late", 1_500, 1_500, False, "takes and marks in two steps; what is marked: 3,600 s"),
    System("rq", "RQ, SimpleWorker", 800, 400, False, "one job at a time; taken and not begun: marked failed"),
    System("rq_fork", "RQ, Worker", 200, 200, False, "as above, a fork for each job", "rq"),
)

# What they are measured against.
CEILING = System(
    "ceiling",
    "our scripts, bare client",
    20_000,
    0,
    True,
    "runs nothing",
    "ours",
    measures=frozenset({"load", "always"}),
)
HANDOFF = System(
    "handoff",
    "bare LPUSH, BRPOP",
    10_000,
    0,
    False,
    "what is taken is lost",
    "ours",
    measures=frozenset({"load"}),
)
SAME = System("same_process", "GrimBots, enqueued where it runs", 0, 0, True, "", "ours", measures=frozenset())
SYSTEMS = {system.name: system for system in (OURS, CEILING, SAME, HANDOFF, *PEERS)}
