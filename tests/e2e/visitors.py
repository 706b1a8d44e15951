"""Visitors of a tracked link: they come at a steady rate, whether or not those before have been answered."""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import dataclass
from time import perf_counter

import aiohttp

from grimbots.conf.settings import load
from grimbots.server import build_app
from grimbots.services import pools
from grimbots.tests.e2e.installation import ACCOUNT, HOST, Installation

FUNNEL = {"name": "oi", "start": "oi", "steps": [{"id": "oi", "kind": "message", "text": "Oi"}]}
LONGEST_MS, ROUNDS, VISITS, PER_SECOND = 50, 3, 100, 100.0
START_SECONDS = 0.5  # thousands of visitors are not made in the moment in which the first is due


@dataclass(frozen=True)
class Waits:
    """How long visitors waited, from the instant they were due."""

    p50_ms: float
    p99_ms: float
    longest_ms: float


async def visit(url: str, numbers: range, per_second: float) -> Waits:
    """Open `url` with utm_source=<number> for each number; every answer must be a redirect."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        began = perf_counter() + START_SECONDS
        waits = await asyncio.gather(
            *(_visit_once(session, url, number, began + place / per_second) for place, number in enumerate(numbers))
        )
    cuts = statistics.quantiles(waits, n=100, method="inclusive")
    return Waits(cuts[49], cuts[98], max(waits))


async def _visit_once(session: aiohttp.ClientSession, url: str, number: int, due: float) -> float:
    await asyncio.sleep(max(0.0, due - perf_counter()))
    async with session.get(url, params={"utm_source": str(number)}, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
    return (perf_counter() - due) * 1000


class Ad:
    """A tracked link in an installation, and how often it was followed."""

    def __init__(self, installation: Installation) -> None:
        self.installation, self.visits = installation, 0

    async def make(self) -> None:
        """Seed a bot and its pool."""
        await self.installation.seed(FUNNEL, "ad_bot")
        async with build_app(load(self.installation.environ), with_queue=False) as app:
            await pools.save(app, account=ACCOUNT, slug="ad", usernames=["ad_bot"], actor="test")

    async def attract(self, visits: int, per_second: float) -> Waits:
        """Let visitors follow it at a steady rate."""
        numbers = range(self.visits, self.visits + visits)
        self.visits = numbers.stop
        return await visit(f"http://{HOST}:{self.installation.port}/go/ad", numbers, per_second)

    async def is_quick(self) -> bool:
        """Tell whether it answers in time; others use the machine too, so a round may be lost."""
        for _ in range(ROUNDS):
            if (await self.attract(VISITS, PER_SECOND)).p99_ms < LONGEST_MS:
                return True
        return False

    async def count_stored(self) -> int:
        """Count the clicks in Postgres."""
        ((count,),) = self.installation.query("SELECT count(*) FROM clicks WHERE clicked_at IS NOT NULL")
        return int(count)

    async def is_all_stored(self) -> bool:
        """Tell whether every visit is in Postgres."""
        return await self.count_stored() >= self.visits
