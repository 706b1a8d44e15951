"""What campaigns cost those who press /start: `python -m grimbots.tests.bench.bench_campaign --help`.

The road, the wait and the pinning are bench_start.py's, at 50 a second in 20 bots: a good day of ads for one process, a
quarter of its core. Spells without and with campaigns take turns, short ones, so that what else the machine does hits
both; the campaigns' add up to five minutes. Each says its message to 25 leads of a bot a second. The ratio is the p95
with by that of the spell before, without. Told: campaigns' calls a second while /starts came. Own: the /starts in the
campaigns' own bots.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from grimbots.conf.settings import load
from grimbots.server import build_app
from grimbots.services import campaigns
from grimbots.services.app import App
from grimbots.tests.bench.bench_start import WARM_UP_RATE, WARM_UP_SECONDS, Presses, press
from grimbots.tests.bench.loads import Client
from grimbots.tests.bench.reports import Figures, read_arguments, summarize, tell
from grimbots.tests.bench.rigs import Rig, open_rig, wait_until
from grimbots.tests.bench.shops import ACCOUNT, FUNNEL

STARTS_PER_SECOND = 50.0
SPARE_SECONDS = 20  # leads for what a campaign says before and after the measured time
ADD_LEADS = """
    INSERT INTO leads (account_id, bot_id, chat_id, first_name, created_at, updated_at)
    SELECT account_id, id, 1000000 * id + n, 'Ana Paula', now(), now()
    FROM bots, generate_series(1, {leads}) AS n
    ON CONFLICT DO NOTHING
    RETURNING id
"""
LIST_BOTS = "SELECT username FROM bots ORDER BY id LIMIT {bots}"
COUNT_BEGUN = """
    SELECT count(DISTINCT campaigns.id)
    FROM campaigns
    JOIN messages ON messages.campaign_id = campaigns.id
    WHERE campaigns.status = 'running' AND messages.status = 'sent'
"""
COUNT_UNSENT = "SELECT count(*) FROM messages WHERE status IN ('planned', 'sending')"


async def measure(rig: Rig, counts: Sequence[float], runs: int, seconds: float) -> list[Figures]:
    """Measure each number of campaigns `runs` times, each time beside none."""
    rig.query(ADD_LEADS.format(leads=int((seconds + SPARE_SECONDS) * campaigns.MESSAGES_A_SECOND)))
    async with rig.serve() as server, build_app(load(rig.environ), with_queue=False) as app:
        await press(rig, server, WARM_UP_RATE, WARM_UP_SECONDS)
        rig.analyze()
        return [await _compare(rig, app, server, int(count), seconds) for count in counts for _ in range(runs)]


async def _compare(rig: Rig, app: App, server: Client, count: int, seconds: float) -> Figures:
    without = summarize(list((await press(rig, server, STARTS_PER_SECOND, seconds)).waits_ms.values()))
    async with _campaign(rig, app, count):
        presses = await press(rig, server, STARTS_PER_SECOND, seconds)
    waits = presses.waits_ms
    beside = summarize(list(waits.values()))
    own = summarize([wait for chat_id, wait in waits.items() if chat_id % len(rig.shop.webhooks) < count])
    return {
        "campaigns": count,
        **{f"{name[:3]} alone": wait for name, wait in without.items()},
        **beside,
        "ratio": beside["p95 ms"] / without["p95 ms"],
        "own p95": own["p95 ms"],
        "told": _count_told(presses),
        **presses.shares,
    }


@asynccontextmanager
async def _campaign(rig: Rig, app: App, count: int) -> AsyncIterator[None]:
    """Run a campaign in each of the first `count` bots."""
    values = {"funnel": FUNNEL["name"], "audience": "all", "quiet_days": 0, "starts_at": app.clock(), "actor": "bench"}
    bots = [bot for (bot,) in rig.query(LIST_BOTS.format(bots=count))]
    begun = [await campaigns.start(app, account=ACCOUNT, bot=bot, **values) for bot in bots]
    await _wait_count(rig, COUNT_BEGUN, count)
    await rig.take_arrivals([])
    yield
    for campaign in begun:
        await campaigns.stop(app, account=ACCOUNT, campaign_id=campaign.id, actor="bench")
    await _wait_count(rig, COUNT_UNSENT, 0)
    await rig.take_arrivals([])


async def _wait_count(rig: Rig, sql: str, count: int) -> None:
    async def is_reached() -> bool:
        return rig.query(sql) == [(count,)]

    await wait_until(is_reached)


def _count_told(presses: Presses) -> float:
    """Count the calls a second to chats that pressed nothing, while the others did."""
    due = [one.due_at for one in presses.posted.values()]
    told = (at for chat_id, at in presses.arrived.items() if chat_id not in presses.posted)
    return sum(min(due) <= at < max(due) for at in told) / (max(due) - min(due))


async def _main() -> None:
    arguments = read_arguments(__doc__ or "", campaigns=[1], runs=15, seconds=20.0)
    async with open_rig() as rig:
        runs = await measure(rig, arguments.campaigns, arguments.runs, arguments.seconds)
    tell("/start to first call without and with campaigns, shares of a core with", runs, "campaigns", arguments.json)
    for count in arguments.campaigns:
        ratios = [run["ratio"] for run in runs if run["campaigns"] == count]
        print(
            f"p95 with {count:g} / p95 alone: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    asyncio.run(_main())
