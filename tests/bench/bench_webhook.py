"""How fast updates are taken in: `python -m grimbots.tests.bench.bench_webhook --help`.

From the instant an update is due to its 200, with no worker: checked, read, durably queued. The server has a core of
its own. CPU us: what the server spends on one update.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice

from grimbots.tests.bench.loads import Client, post
from grimbots.tests.bench.reports import Figures, read_arguments, summarize, tell
from grimbots.tests.bench.rigs import FRONT_DOOR, Rig, open_rig
from grimbots.tests.bench.shares import measure_shares

WARM_UP_SECONDS, WARM_UP_RATE = 1.0, 50.0


async def measure(rig: Rig, rates: Sequence[float], runs: int, seconds: float) -> list[Figures]:
    """Measure every rate `runs` times."""
    async with rig.serve(FRONT_DOOR) as server:
        await _run(rig, server, WARM_UP_RATE, WARM_UP_SECONDS)
        return [await _run(rig, server, rate, seconds) for rate in rates for _ in range(runs)]


async def _run(rig: Rig, server: Client, rate: float, seconds: float) -> Figures:
    shares = Figures()
    requests = [rig.shop.start(chat_id) for chat_id in islice(rig.shop.chats, int(rate * seconds))]
    with measure_shares(rig.pids, shares):
        posted = await post(server, requests, rate)
    waits = [(one.answered_at - one.due_at) * 1000 for one in posted]
    refused = sum(one.refusals for one in posted)
    return {"a second": rate, **summarize(waits), "refused": refused, "CPU us": shares["server"] / rate * 1e6, **shares}


async def _main() -> None:
    arguments = read_arguments(__doc__ or "", rates=[200, 500, 1000], runs=3, seconds=10.0)
    async with open_rig() as rig:
        runs = await measure(rig, arguments.rates, arguments.runs, arguments.seconds)
    tell("update to 200, no worker, waits and shares of a core", runs, "a second", arguments.json)


if __name__ == "__main__":
    asyncio.run(_main())
