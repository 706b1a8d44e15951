"""A run: so many inputs out of one seed, each timed, the first fault told with what made it."""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from grimbots.tests.fuzz.parsers import PARSERS

INPUTS = int(os.environ.get("GRIMBOTS_FUZZ_INPUTS", "5000"))
SEED = int(os.environ.get("GRIMBOTS_FUZZ_SEED", "1"))
LONGEST_SECONDS = 1.0  # of CPU for one input
MOST_GROWTH_BYTES = 256 << 20  # of this process, over a whole run
SHOWN_CHARACTERS = 300

# Of a hundred inputs; those that cost a millisecond or more get fewer.
SHARES = {
    "updates": 22,
    "events": 14,
    "provider answers": 10,
    "bot api answers": 10,
    "pix codes": 15,
    "funnel files": 6,
    "callback data": 5,
    "visits": 10,
    "forwarding": 6,
    "log lines": 2,
}


@dataclass
class Tally:
    """What became of the inputs of a run."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        """How many there were."""
        return sum(self.outcomes.values()) + len(self.faults)

    def __str__(self) -> str:
        shown = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        return f"{self.inputs:,} inputs: {shown}; {len(self.faults)} faults; slowest {self.slowest_seconds:.3f} s"


def run_parser(name: str, inputs: int, seed: int) -> Tally:
    """Give a parser its inputs."""
    parser, rng, tally = PARSERS[name], Random(f"{seed} {name}"), Tally()
    for number in range(inputs):
        given = parser.make(rng)
        begun = time.thread_time()
        try:
            tally.outcomes[parser.run(given)] += 1
        except Exception as fault:
            fault.add_note(f"input {number} of seed {seed}: {given!r}"[:SHOWN_CHARACTERS])
            raise
        seconds = time.thread_time() - begun
        tally.slowest_seconds = max(tally.slowest_seconds, seconds)
        assert seconds < LONGEST_SECONDS, f"input {number} of seed {seed}: {given!r}"[:SHOWN_CHARACTERS]
    return tally


def measure_memory() -> int:
    """Give the most memory this process ever held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
