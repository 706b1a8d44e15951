"""From a provider's event to the delivery's Bot API call: `python -m grimbots.tests.bench.bench_delivery --help`.

Buyers press /start, order and have their codes; then signed events tell of their payments at a steady rate, and the
wait counts from the instant an event was due until the delivery arrives. Pinned as bench_start.py is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice

from grimbots.tests.bench.loads import Client, post
from grimbots.tests.bench.reports import Figures, read_arguments, summarize, tell
from grimbots.tests.bench.rigs import Rig, open_rig, wait_until
from grimbots.tests.bench.shares import measure_shares

Charge = tuple[int, str, int]

ORDERS_PER_SECOND = 50.0
SETTLING_SECONDS = 1.0  # after the last code; a chat may rest for so long
FIND_BUTTONS = """
    SELECT messages.chat_id, body #>> '{reply_markup,inline_keyboard,0,0,callback_data}'
    FROM messages
    JOIN leads ON leads.id = lead_id
    WHERE messages.step = 'offer' AND leads.step = 'offer'
"""
FIND_CHARGES = """
    SELECT chat_id, txid, amount_cents
    FROM payments
    JOIN leads ON leads.id = lead_id
    WHERE payments.state = 'pending'
"""


async def measure(rig: Rig, rates: Sequence[float], runs: int, seconds: float) -> list[Figures]:
    """Measure every rate `runs` times."""
    async with rig.serve() as server:
        await _run(rig, server, ORDERS_PER_SECOND, 0.5)  # a warm-up
        rig.analyze()
        return [await _run(rig, server, rate, seconds) for rate in rates for _ in range(runs)]


async def _run(rig: Rig, server: Client, rate: float, seconds: float) -> Figures:
    charges, shares = await _order(rig, server, int(rate * seconds)), Figures()
    events = [rig.shop.pay(txid, amount_cents) for _, txid, amount_cents in charges]
    with measure_shares(rig.pids, shares):
        posted = await post(server, events, rate)
    arrived = await rig.take_arrivals([chat_id for chat_id, *_ in charges])
    waits = [(arrived[chat_id] - one.due_at) * 1000 for (chat_id, *_), one in zip(charges, posted, strict=True)]
    return {"a second": rate, **summarize(waits), **shares}


async def _order(rig: Rig, server: Client, buyers: int) -> list[Charge]:
    """Let buyers walk to their codes; give their chats, charges and prices."""
    chats = list(islice(rig.shop.chats, buyers))
    await post(server, [rig.shop.start(chat_id) for chat_id in chats], ORDERS_PER_SECOND)
    await rig.take_arrivals(chats)
    buttons = dict(rig.query(FIND_BUTTONS))
    await post(server, [rig.shop.tap(chat_id, buttons[chat_id]) for chat_id in chats], ORDERS_PER_SECOND)

    async def find_charges() -> list[Charge]:
        charges = {chat_id: (chat_id, txid, cents) for chat_id, txid, cents in rig.query(FIND_CHARGES)}
        return [charges[chat_id] for chat_id in chats] if charges.keys() >= set(chats) else []

    charges = await wait_until(find_charges)
    await rig.take_arrivals(chats)
    await asyncio.sleep(SETTLING_SECONDS)
    await rig.take_arrivals([])
    return charges


async def _main() -> None:
    arguments = read_arguments(__doc__ or "", rates=[20, 50], runs=3, seconds=10.0)
    async with open_rig() as rig:
        runs = await measure(rig, arguments.rates, arguments.runs, arguments.seconds)
    tell("event to delivery, waits and shares of a core", runs, "a second", arguments.json)


if __name__ == "__main__":
    asyncio.run(_main())
