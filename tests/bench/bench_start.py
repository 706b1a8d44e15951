"""From an update's POST to the arrival of the first Bot API call: `python -m grimbots.tests.bench.bench_start --help`.

New chats press /start in 20 bots at a steady rate; the wait counts from the instant an update was due, answered or not
those before it, until its offer (a text with a button) arrives. Real webhooks with their secrets, real stores, durable
as shipped. The server has a core of its own; Postgres, Redis, the Bot API and the load share the other. That Bot API is
a bare socket server: the sandbox would eat the core the stores need. Owed: updates due whose call has not arrived, at
half of the run and at its end: equal when the server keeps up. Refused: answered 503, then posted again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from grimbots.tests.bench.loads import Client, Posted, post
from grimbots.tests.bench.reports import Figures, read_arguments, summarize, tell
from grimbots.tests.bench.rigs import Rig, open_rig
from grimbots.tests.bench.shares import measure_shares

WARM_UP_SECONDS, WARM_UP_RATE = 2.0, 50.0
OWED_AT = {"mid": 0.5, "end": 1.0}


@dataclass(frozen=True)
class Presses:
    """What became of /starts, by chat: when they were posted, and when a first call arrived, to other chats too."""

    posted: Mapping[int, Posted]
    arrived: Mapping[int, float]
    shares: Figures

    @property
    def waits_ms(self) -> dict[int, float]:
        """From the instant a /start was due to its first call, by chat."""
        return {chat_id: (self.arrived[chat_id] - one.due_at) * 1000 for chat_id, one in self.posted.items()}


async def measure(rig: Rig, rates: Sequence[float], runs: int, seconds: float) -> list[Figures]:
    """Measure every rate `runs` times."""
    async with rig.serve() as server:
        await press(rig, server, WARM_UP_RATE, WARM_UP_SECONDS)
        rig.analyze()
        return [await _run(rig, server, rate, seconds) for rate in rates for _ in range(runs)]


async def press(rig: Rig, server: Client, rate: float, seconds: float) -> Presses:
    """Let new chats press /start at a steady rate, and wait for their calls."""
    chats, shares = list(islice(rig.shop.chats, int(rate * seconds))), Figures()
    requests = [rig.shop.start(chat_id) for chat_id in chats]
    with measure_shares(rig.pids, shares):
        posted = await post(server, requests, rate)
    return Presses(dict(zip(chats, posted, strict=True)), await rig.take_arrivals(chats), shares)


async def _run(rig: Rig, server: Client, rate: float, seconds: float) -> Figures:
    presses = await press(rig, server, rate, seconds)
    owed = {f"owed {name}": _count_owed(presses, part) for name, part in OWED_AT.items()}
    refused = sum(one.refusals for one in presses.posted.values())
    waits = summarize(list(presses.waits_ms.values()))
    return {"a second": rate, **waits, **owed, "refused": refused, **presses.shares}


def _count_owed(presses: Presses, part: float) -> int:
    """Count updates that were due in the first `part` of a run and whose call had not arrived by then."""
    due = sorted(one.due_at for one in presses.posted.values())
    at = due[0] + part * (due[-1] - due[0])
    return sum(due_at <= at for due_at in due) - sum(presses.arrived[chat_id] <= at for chat_id in presses.posted)


async def _main() -> None:
    arguments = read_arguments(__doc__ or "", rates=[50, 100, 200], runs=5, seconds=30.0)
    async with open_rig() as rig:
        runs = await measure(rig, arguments.rates, arguments.runs, arguments.seconds)
    tell("/start to first call, waits and shares of a core", runs, "a second", arguments.json)


if __name__ == "__main__":
    asyncio.run(_main())
