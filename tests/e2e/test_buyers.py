"""A crowd of buyers, faults of Telegram and of the provider, kill -9 of the server: every payment delivered or listed.

CI runs a slice; `make proof` runs it whole (GRIMBOTS_PROOF=1): 500 buyers under way for 5 minutes, a kill every 20 s.
GRIMBOTS_SEED=<number> draws the same people and the same faults again.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from grimbots.tests.e2e import evidence, verdicts
from grimbots.tests.e2e.buyers import Manners, Shops, Tally, filled_seats
from grimbots.tests.e2e.installation import Installation, open_installation, until
from grimbots.tests.e2e.storms import FAULTS, TIMEOUTS, Weather, kill_again_and_again, storm

WAYS = {
    "once": 40,
    "thrice": 12,
    "over": 5,
    "under": 5,
    "untold": 10,
    "blocks": 4,
    "returns": 6,
    "forged": 5,
    "never": 6,
    "late": 7,
}


@dataclass(frozen=True)
class Plan:
    """How many people, of how many bots, for how long and until how many went their way to the end; how they are, how
    hard it blows; and how long it may take until all is at rest.
    """

    seats: int
    bots: int
    seconds: float
    least_ended: int
    manners: Manners
    weather: Weather
    rest_seconds: float


WHOLE = Plan(
    seats=500,
    bots=5,
    seconds=300,
    least_ended=500,
    manners=Manners(think_seconds=(4, 16), patience_seconds=40, ways=WAYS),
    weather=Weather(faults_per_second=5, faults=FAULTS + TIMEOUTS, kills=14, kill_every_seconds=20),
    rest_seconds=240,
)
SLICE = Plan(
    seats=40,
    bots=2,
    seconds=6,
    least_ended=12,
    manners=Manners(think_seconds=(0.05, 0.5), patience_seconds=10, ways=WAYS | {"late": 0}),
    weather=Weather(faults_per_second=10, faults=FAULTS, kills=2, kill_every_seconds=2.5),
    rest_seconds=180,
)
PLAN = WHOLE if os.environ.get("GRIMBOTS_PROOF") == "1" else SLICE


async def _live(installation: Installation, shops: Shops, dice: random.Random) -> tuple[Tally, list[float]]:
    """Let buyers, faults and kills have their time."""
    dice_of_people, dice_of_faults = random.Random(dice.random()), random.Random(dice.random())
    async with (
        shops.heard(),
        filled_seats(shops, PLAN.seats, PLAN.manners, dice_of_people) as tally,
        storm(installation, PLAN.weather, dice_of_faults),
    ):
        _, kills = await asyncio.gather(asyncio.sleep(PLAN.seconds), kill_again_and_again(installation, PLAN.weather))

        async def is_enough() -> bool:
            return tally.ended.total() >= PLAN.least_ended

        await until(is_enough, PLAN.rest_seconds, "hardly a buyer comes to his end")
    return tally, kills


async def _run(folder: Path, seed: int) -> verdicts.Verdict:
    async with open_installation(folder) as installation:
        shops = Shops(installation, PLAN.bots)
        await shops.open()
        began = time.monotonic()
        tally, kills = await _live(installation, shops, random.Random(seed))
        calmed = time.monotonic()
        await evidence.wait_for_rest(installation, PLAN.rest_seconds)
        print(f"\n{calmed - began:.0f} s of storm, at rest {time.monotonic() - calmed:.0f} s later")
        found = await evidence.collect(installation, shops.names)
        verdict = verdicts.judge(found)
        _report(verdict, tally, _list_recoveries(found, kills))
        return verdict


def _list_recoveries(found: evidence.Evidence, kills: list[float]) -> list[float]:
    """Give the seconds from each kill to the first update that was answered 200 after it."""
    taken = sorted(update.done_at.timestamp() for update in found.updates if update.done_at)
    return [next((at - kill for at in taken if at > kill), float("inf")) for kill in kills]


def _report(verdict: verdicts.Verdict, tally: Tally, recoveries: list[float]) -> None:
    print(f"buyers: {tally.begun.total()} came {dict(tally.begun)}, {tally.ended.total()} went their way to the end")
    print(f"left unanswered: {len(tally.lost)} {tally.lost}")
    print(f"kills: {len(recoveries)}, recovery p50 {statistics.median(recoveries):.1f} s, max {max(recoveries):.1f} s")
    for title, counts in (("found", verdict.figures), ("listed", verdict.listed)):
        print(f"{title}:")
        for name, number in sorted(counts.items()):
            print(f"  {number:6} {name}")
    print(f"faults: {len(verdict.faults)}")
    for fault in verdict.faults[:50]:
        print(f"  {fault}")


@pytest.mark.slow
def test_every_payment_is_delivered_once_or_listed(servers_folder: Path) -> None:
    seed = int(os.environ.get("GRIMBOTS_SEED", secrets.randbelow(1_000_000)))
    print(f"seed {seed}")
    verdict = asyncio.run(_run(servers_folder / "buyers", seed))
    assert verdict.faults == []
    assert verdict.figures["delivered"] > 0
