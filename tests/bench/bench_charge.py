"""From the tap that orders to the call that shows the PIX code: `python -m grimbots.tests.bench.bench_charge --help`.

Buyers press /start; then they accept the offer at a steady rate. The wait counts from the instant a tap was due until
the QR code's message arrives, less the 40 ms for which the queue holds every tap back (services/intake.py). The
provider answers at once, from the bench's own process: its milliseconds are in the figures. Pinned as the others are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice

from grimbots.services.intake import HOLD_BACK_MS
from grimbots.tests.bench.bench_delivery import FIND_BUTTONS, ORDERS_PER_SECOND, SETTLING_SECONDS
from grimbots.tests.bench.loads import Client, post
from grimbots.tests.bench.reports import Figures, read_arguments, summarize, tell
from grimbots.tests.bench.rigs import Rig, open_rig
from grimbots.tests.bench.shares import measure_shares


async def measure(rig: Rig, rates: Sequence[float], runs: int, seconds: float) -> list[Figures]:
    """Measure every rate `runs` times."""
    async with rig.serve() as server:
        await _run(rig, server, ORDERS_PER_SECOND, 0.5)  # a warm-up
        rig.analyze()
        return [await _run(rig, server, rate, seconds) for rate in rates for _ in range(runs)]


async def _run(rig: Rig, server: Client, rate: float, seconds: float) -> Figures:
    chats, shares = await _greet(rig, server, int(rate * seconds)), Figures()
    buttons = dict(rig.query(FIND_BUTTONS))
    taps = [rig.shop.tap(chat_id, buttons[chat_id]) for chat_id in chats]
    with measure_shares(rig.pids, shares):
        posted = await post(server, taps, rate)
        arrived = await rig.take_arrivals(chats)
    waits = [(arrived[chat_id] - one.due_at) * 1000 - HOLD_BACK_MS for chat_id, one in zip(chats, posted, strict=True)]
    return {"a second": rate, **summarize(waits), **shares}


async def _greet(rig: Rig, server: Client, buyers: int) -> list[int]:
    """Let buyers see the offer; give their chats."""
    chats = list(islice(rig.shop.chats, buyers))
    await post(server, [rig.shop.start(chat_id) for chat_id in chats], ORDERS_PER_SECOND)
    await rig.take_arrivals(chats)
    await asyncio.sleep(SETTLING_SECONDS)
    await rig.take_arrivals([])
    return chats


async def _main() -> None:
    arguments = read_arguments(__doc__ or "", rates=[20, 50, 100], runs=3, seconds=10.0)
    async with open_rig() as rig:
        runs = await measure(rig, arguments.rates, arguments.runs, arguments.seconds)
    tell("tap to PIX code, waits and shares of a core", runs, "a second", arguments.json)


if __name__ == "__main__":
    asyncio.run(_main())
