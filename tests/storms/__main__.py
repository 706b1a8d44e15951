"""Lets a crowd buy while Telegram, the provider, the ad network, Postgres, Redis and our processes fail, and judges it.

    python -m grimbots.tests.storms --buyers 1000 --seconds 600 --seed 7

What is judged is held against records outside of the product: the sandbox's, of codes shown, money taken and messages
that came; the ad network's; `grimbots ledger check`. The seed draws people and faults; the moment decides the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from grimbots.tests.storms.runs import Outcome, Plan, run

MOST_FAULTS = 50  # that are shown


def main(arguments: Sequence[str]) -> int:
    """Run one storm. 0: every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--buyers", type=int, default=1000, help="so many at once")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args(arguments)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    folder = Path(tempfile.mkdtemp(prefix="grimbots-storm-"))
    folder.chmod(0o755)  # Postgres runs as somebody else when we are root
    print(f"seed {options.seed}, {options.buyers} buyers, {options.seconds:.0f} s; logs and data: {folder}", flush=True)
    outcome = asyncio.run(run(Plan(options.buyers, options.seconds), options.seed, folder / "storm"))
    report(outcome)
    return 1 if outcome.verdict.faults else 0


def report(outcome: Outcome) -> None:
    """Print what was found."""
    tally, verdict = outcome.tally, outcome.verdict
    print(", ".join(f"{name} {seconds:.0f} s" for name, seconds in outcome.seconds.items()))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"buyers: {tally.begun.total()} came {dict(tally.begun)}; {tally.ended.total()} went their way to the end")
    print(f"left unanswered: {len(tally.lost)}")
    print(f"blows: {dict(outcome.dealt)}")
    print(f"pages and replies: {sum(outcome.statuses.values())} {dict(sorted(outcome.statuses.items()))}")
    print(f"searched: {outcome.searched_bytes / 1e6:.1f} MB for {outcome.needles} values")
    for title, counts in (("found", verdict.figures), ("listed", verdict.listed)):
        print(f"{title}:")
        for name, number in sorted(counts.items()):
            print(f"  {number:8} {name}")
    print(f"faults: {len(verdict.faults)}")
    for fault in verdict.faults[:MOST_FAULTS]:
        print(f"  WRONG {fault}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
