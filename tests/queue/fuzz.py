"""The model fuzzer: a seeded walk over every move, compared with the model each time and audited every 40 steps.

    python tests/queue/fuzz.py --seed 7 --seconds 60
    python tests/queue/fuzz.py --seeds 1,2,3 --seconds 60 --server /path/to/redis-server

Processes die, freeze and come back as zombies, replies get lost and batches are repeated, late batches arrive over
connections given up, Redis is away for longer than a lease (its clock jumps); an operator pauses and resumes, drains,
requeues and buries. `--deploying` lets half of the processes run the scripts of the version before. Same seed, same
walk. A run fails on the first violation, and when a branch of either script was never taken.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any

from redis.asyncio import Redis

from grimbots.queue.store import PREFIX, ScriptFailed, Store
from grimbots.tests.queue.desks import connect
from grimbots.tests.queue.fuzz_branches import BRANCHES
from grimbots.tests.queue.fuzz_scripts import (
    Mutation,
    load_fuzzed,
    load_previous,
)
from grimbots.tests.queue.fuzz_servers import private_server
from grimbots.tests.queue.fuzz_walk import Fuzzer
from grimbots.tests.queue.model import Violation


@dataclass(frozen=True, slots=True)
class Walk:
    """What one walk did, and which branches of the scripts it never took."""

    seed: int
    steps: int
    tally: dict[str, int]
    untaken: set[str]


async def walk(
    url: str,
    seed: int,
    seconds: float | None,
    steps: int | None = None,
    mutation: Mutation | None = None,
    deploying: bool = False,
) -> Walk:
    """Walk from an empty Redis until time or steps are up (None: no limit); `deploying`: half of the processes run the
    scripts of the version before.

    Raises:
        Violation: with the step at which Redis and the model first disagreed.
    """
    scripts, branches = load_fuzzed(mutation)
    redis, store = Redis.from_url(url, protocol=3), Store(url, PREFIX, scripts)
    previous = Store(url, PREFIX, load_previous()) if deploying else None
    try:
        await redis.flushall()
        await connect(store)
        if previous:
            await connect(previous)
        fuzzer, until, step = Fuzzer(seed, redis, store, previous), monotonic() + (seconds or inf), 0
        try:
            while step < (steps or inf) and monotonic() < until:
                step += 1
                await fuzzer.step(step)
            await fuzzer.finish()
        except (Violation, ScriptFailed, KeyError, IndexError) as error:
            deploy = " --deploying" if deploying else ""
            replay = f"replay: python {__file__}{deploy} --seed {seed} --steps {step} --seconds 3600"
            raise Violation(f"seed {seed}, step {step}: {type(error).__name__}: {error}\n{replay}") from error
        counted: Any = await redis.hkeys(PREFIX + BRANCHES)
        taken = {name.decode() for name in counted}
        return Walk(seed, step, fuzzer.tally, branches - taken)
    finally:
        for opened in filter(None, (store, previous)):
            await opened.close()
        await redis.aclose()


def main(arguments: Sequence[str]) -> int:
    """Run the seeds one after the other. 0: no violation, and every branch taken in one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", "--seeds", dest="seeds", default="1", help="one seed, or several: 1,2,3")
    parser.add_argument("--seconds", type=float, default=60, help="per seed")
    parser.add_argument("--steps", type=int, help="stop a seed here (to replay a violation)")
    parser.add_argument("--server", default="redis-server", help="the redis-server to start")
    parser.add_argument(
        "--deploying", action="store_true", help="beside processes with the scripts of the version before"
    )
    options = parser.parse_args(arguments)
    untaken: set[str] | None = None
    with private_server(options.server) as url:
        for seed in map(int, options.seeds.split(",")):
            try:
                done = asyncio.run(walk(url, seed, options.seconds, options.steps, deploying=options.deploying))
            except Violation as error:
                print(f"VIOLATION {error}")
                return 1
            untaken = done.untaken if untaken is None else untaken & done.untaken
            found = f"{done.steps} steps, 0 violations, {len(done.untaken)} branches not taken"
            print(f"seed {seed}: {found}, {done.tally}", flush=True)
    if options.deploying:  # then nobody stops anything: the version before would not heed it
        return 0
    for name in sorted(untaken or ()):
        print(f"NEVER TAKEN {name}")
    return 1 if untaken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
