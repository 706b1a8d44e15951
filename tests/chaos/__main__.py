"""Kills and freezes real processes under load and judges what became of what was accepted.

    python -m grimbots.tests.chaos --seconds 120 --seed 7

Half of the time two workers run under the parent of `grimbots serve --processes`, half of it with neither parent nor
supervisor; then come rolling restarts. The seed decides which faults come and where; the moment decides the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from grimbots.tests.chaos.runs import plan_family, plan_renewals, plan_strangers, run

RENEWALS = 20


def main(arguments: Sequence[str]) -> int:
    """Run the plans one after the other. 0: nothing lost, out of order, or repeated that may not be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--renewals", type=int, default=RENEWALS, help="rolling restarts at the end")
    options = parser.parse_args(arguments)
    half = options.seconds / 2
    bad = 0
    folder = Path(tempfile.mkdtemp(prefix="grimbots-chaos-"))
    for number, plan in enumerate((plan_family(half), plan_strangers(half), plan_renewals(options.renewals))):
        verdict, storm = asyncio.run(run(plan, options.seed, folder / str(number)))
        print(f"seed {options.seed}, {plan.name}: {storm.count()}\n{verdict.describe()}", flush=True)
        for fault in verdict.faults:
            print(f"  WRONG {fault}")
        bad += len(verdict.faults)
    print(f"{'WRONG' if bad else 'nothing wrong'}; effects and logs are in {folder}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
