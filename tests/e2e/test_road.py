"""The road with its stores away: /go answers at once, nothing is lost, and each sale ends once, with its click.

One outage strikes seven buyers at once, each before another step of the road: every step under every kind of outage.
CI leaves one kind out, which `make proof` has (GRIMBOTS_PROOF=1).
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from grimbots.tests.e2e.installation import HOST, Installation, open_installation, until
from grimbots.tests.e2e.travellers import SLUG, STEPS, Traveller, each, make_link
from grimbots.tests.e2e.visitors import Waits, visit

WHOLE = os.environ.get("GRIMBOTS_PROOF") == "1"
REDIS, POSTGRES, BOTH = ("redis",), ("postgres",), ("redis", "postgres")
KILLED, HANGING = [REDIS, POSTGRES, BOTH], [REDIS, POSTGRES, *([BOTH] if WHOLE else [])]
FIRST_CHAT = 9001
LONGEST_MS, ROUNDS, VISITS, PER_SECOND = 50, 3, 40, 25.0

pytestmark = pytest.mark.slow
chat_ids = itertools.count(FIRST_CHAT)
visits: list[int] = []  # of each round


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def installation(servers_folder: Path, runner: asyncio.Runner) -> Iterator[Installation]:
    """Give an installation with a tracked link, for all outages."""
    opened = open_installation(servers_folder / "road")
    running = runner.run(opened.__aenter__())
    runner.run(make_link(running))
    yield running
    runner.run(opened.__aexit__(None, None, None))


@pytest.mark.parametrize("names", KILLED, ids="-".join)
def test_sale_survives_stores_that_die_before_any_step(
    installation: Installation, runner: asyncio.Runner, names: tuple[str, ...]
) -> None:
    assert runner.run(_run(installation, names, installation.kill, installation.start)) == []


@pytest.mark.parametrize("names", HANGING, ids="-".join)
def test_sale_survives_stores_that_hang_before_any_step(
    installation: Installation, runner: asyncio.Runner, names: tuple[str, ...]
) -> None:
    assert runner.run(_run(installation, names, installation.pause, installation.resume)) == []


Act = Callable[[str], Awaitable[None]]


async def _run(installation: Installation, names: tuple[str, ...], stop: Act, resume: Act) -> list[str]:
    """Let the stores be away while everybody takes his step; list what went wrong."""
    travellers = [Traveller(installation, next(chat_ids), step) for step in STEPS]
    await each(travellers, Traveller.approach)
    await each(travellers, Traveller.set_going)
    for name in names:
        await stop(name)
    try:
        await each(travellers, Traveller.step)
        waits = await _visit_at_best(installation)
    finally:
        for name in names:
            await resume(name)
    await each(travellers, Traveller.finish)
    faults = [fault for traveller in travellers for fault in await traveller.judge()]
    print(f"{'-'.join(names)}: {waits}")
    return faults if waits.p50_ms < LONGEST_MS else [*faults, f"/go took {waits}"]


async def _visit_at_best(installation: Installation) -> Waits:
    """Let visitors come, again where others needed the machine: a link that waits for a store is always slow."""
    for _ in range(ROUNDS):
        waits = await visit(f"http://{HOST}:{installation.port}/go/{SLUG}", range(VISITS), PER_SECOND)
        visits.append(VISITS)
        if waits.p50_ms < LONGEST_MS:
            break
    return waits


def test_no_click_that_was_answered_is_lost(installation: Installation, runner: asyncio.Runner) -> None:
    outages = (next(chat_ids) - FIRST_CHAT) // len(STEPS)

    async def is_all_stored() -> bool:
        ((stored,),) = installation.query("SELECT count(*) FROM clicks WHERE clicked_at IS NOT NULL")
        return bool(stored == outages * len(STEPS) + sum(visits))

    runner.run(until(is_all_stored, 30, "clicks are missing"))
    assert installation.read_errors() == []
