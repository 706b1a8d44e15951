"""From an update's POST to the arrival of the first Bot API call: `python -m grimbots.tests.bench.bench_start --help`.

New chats press /start in 20 bots at a steady rate; the wait counts from the instant an update was due, answered or not
those before it, until its offer (a text with a button) arrives. Real webhooks with their secrets, real stores, durable
as shipped. The server has a core of its own; Postgres, Redis, the Bot API and the load share the other. That Bot API is
a bare socket server: the sandbox would eat the core the stores need. Owed: updates due whose call has not arrived, at
half of the run and at its end: equal when the server keeps up. Refused: answered 503, then posted again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice

from grimbots.tests.bench.loads import Client, Posted, post
from grimbots.tests.bench.reports import Figures, read_arguments, summarize, tell
from grimbots.tests.bench.rigs import Rig, open_rig
from grimbots.tests.bench.shares import measure_shares

WARM_UP_SECONDS, WARM_UP_RATE = 2.0, 50.0
OWED_AT = {"mid": 0.5, "end": 1.0}


async def measure(rig: Rig, rates: Sequence[float], runs: int, seconds: float) -> list[Figures]:
    """Measure every rate `runs` times."""
    async with rig.serve() as server:
        await _run(rig, server, WARM_UP_RATE, WARM_UP_SECONDS)
        return [await _run(rig, server, rate, seconds) for rate in rates for _ in range(runs)]


async def _run(rig: Rig, server: Client, rate: float, seconds: float) -> Figures:
    chats, shares = list(islice(rig.shop.chats, int(rate * seconds))), Figures()
    requests = [rig.shop.start(chat_id) for chat_id in chats]
    with measure_shares(rig.pids, shares):
        posted = await post(server, requests, rate)
    arrived = await rig.take_arrivals(chats)
    arrived_at = [arrived[chat_id] for chat_id in chats]
    waits = [(at - one.due_at) * 1000 for at, one in zip(arrived_at, posted, strict=True)]
    owed = {f"owed {name}": _count_owed(posted, arrived_at, part) for name, part in OWED_AT.items()}
    refused = sum(one.refusals for one in posted)
    return {"a second": rate, **summarize(waits), **owed, "refused": refused, **shares}


def _count_owed(posted: Sequence[Posted], arrived_at: Sequence[float], part: float) -> int:
    """Count updates that were due in the first `part` of a run and whose call had not arrived by then."""
    at = posted[0].due_at + part * (posted[-1].due_at - posted[0].due_at)
    return sum(one.due_at <= at for one in posted) - sum(arrival <= at for arrival in arrived_at)


async def _main() -> None:
    arguments = read_arguments(__doc__ or "", rates=[50, 100, 200], runs=5, seconds=30.0)
    async with open_rig() as rig:
        runs = await measure(rig, arguments.rates, arguments.runs, arguments.seconds)
    tell("/start to first call, waits and shares of a core", runs, "a second", arguments.json)


if __name__ == "__main__":
    asyncio.run(_main())
