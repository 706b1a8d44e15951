"""Kills and freezes real processes under load and judges what became of what was accepted.

    python -m grimbots.tests.chaos --seconds 120 --seed 7

Half of the time two workers run under the parent of `grimbots serve --processes`, half of it with neither parent nor
supervisor; then come freezes and rolling restarts. The seed decides which faults come and where; the moment decides
the rest. A busy machine starts processes late: --slack 3 allows recoveries three times their bounds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from grimbots.tests.chaos.runs import (
    FAMILY_BOUND_SECONDS,
    STRANGERS_BOUND_SECONDS,
    plan_family,
    plan_freezes,
    plan_renewals,
    plan_strangers,
    run,
)

RENEWALS = 20
FREEZES = 2


def main(arguments: Sequence[str]) -> int:
    """Run the plans one after the other. 0: nothing lost, out of order, late, or repeated that may not be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--renewals", type=int, default=RENEWALS, help="rolling restarts at the end")
    parser.add_argument("--slack", type=float, default=1.0, help="times the bounds of recovery")
    options = parser.parse_args(arguments)
    half = options.seconds / 2
    plans = [
        plan_family(half, FAMILY_BOUND_SECONDS * options.slack),
        plan_strangers(half, STRANGERS_BOUND_SECONDS * options.slack),
        plan_freezes(FREEZES),
        plan_renewals(options.renewals),
    ]
    bad = 0
    folder = Path(tempfile.mkdtemp(prefix="grimbots-chaos-"))
    for number, plan in enumerate(plans):
        verdict, storm = asyncio.run(run(plan, options.seed, folder / str(number)))
        load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        print(f"seed {options.seed}, {plan.name}, {load}: {storm.count()}\n{verdict.describe()}", flush=True)
        for fault in verdict.faults:
            print(f"  WRONG {fault}")
        bad += len(verdict.faults)
    print(f"{'WRONG' if bad else 'nothing wrong'}; effects and logs are in {folder}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
