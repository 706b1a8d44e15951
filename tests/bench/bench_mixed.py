"""The mixed load through nginx to two processes: `python -m grimbots.tests.bench.bench_mixed --rate 300 --seconds 600`.

The old plan's mix (start 50, text 30, tap 20, health 10) with clicks (50) and payments (5), open loop: each request
leaves at its instant, and its wait counts from then. Everything shares this machine's cores: nginx with TLS, two
processes, Postgres, Redis, the sandbox as Telegram and provider, the load. `told` is the wait of a /start until its
offer was sent; owed are /starts due and not told yet, looked at every second: the mean of the first third of the run
and of its last. --search raises the rate by a tenth from --rate on, as long as every kind's p95 stays under 100 ms,
nothing fails and the backlog is flat.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from grimbots.tests.bench.loads import Client
from grimbots.tests.bench.mixes import WEIGHTS, Crowd, Trip, send
from grimbots.tests.bench.reports import Figures, read_arguments, summarize
from grimbots.tests.bench.rigs import wait_until
from grimbots.tests.bench.shares import measure_shares
from grimbots.tests.bench.sites import Site, open_site

MOST_P95_MS = 100.0
WARM_UP_SECONDS = 6.0
STEP = 1.1
CHATS = 300_000  # who may press /start in all runs
GROWTH_SECONDS = 0.1  # of arrivals: a backlog that grew by less is flat
FIND_TOLD = """
    SELECT chat_id, extract(epoch FROM min(sent_at))::float8
    FROM messages
    WHERE step = 'offer' AND sent_at IS NOT NULL
    GROUP BY chat_id
"""
COUNT_OPEN = "SELECT count(*) FROM messages WHERE status IN ('planned', 'sending')"
COUNT_UNSENT = "SELECT count(*) FROM messages WHERE status IN ('failed', 'uncertain')"


@dataclass(frozen=True)
class Run:
    """What became of one run: by kind how many were sent, how many failed, and percentiles of their waits."""

    rate: float
    seconds: float
    kinds: dict[str, Figures]
    owed: tuple[float, float]
    shares: Figures

    @property
    def failed(self) -> float:
        """Count what was not answered as meant."""
        return sum(figures["failed"] for figures in self.kinds.values())

    @property
    def is_good(self) -> bool:
        """Tell whether every kind was quick, nothing failed, and the backlog was flat."""
        is_quick = all(figures["p95 ms"] < MOST_P95_MS for figures in self.kinds.values())
        first, last = self.owed
        return is_quick and not self.failed and last - first < GROWTH_SECONDS * self.rate


async def warm_up(site: Site, client: Client, crowd: Crowd, rate: float) -> None:
    """Let buttons be shown and codes be made, and Postgres look at its tables, as its autovacuum does every minute."""
    await send(client, crowd, rate, WARM_UP_SECONDS)
    site.query("ANALYZE")


async def measure(site: Site, client: Client, crowd: Crowd, rate: float, seconds: float) -> Run:
    """Send the mix for so long, and wait until every /start of it was told its offer."""
    crowd.forget()
    shares, clock = Figures(), time.time() - time.monotonic()
    with measure_shares(site.pids, shares):
        trips = await send(client, crowd, rate, seconds)
    told = {chat_id: at - clock for chat_id, at in (await _wait_told(site, crowd)).items()}
    sent = {kind: [trip for trip in trips if trip.kind == kind] for kind in WEIGHTS}
    kinds = {kind: describe(of_kind) for kind, of_kind in sent.items() if len(of_kind) > 1}
    waits = [(told[chat_id] - due_at) * 1000 for chat_id, due_at in crowd.started.items()]
    kinds["told"] = {"sent": float(len(waits)), "failed": 0.0, **summarize(waits)}
    return Run(rate, seconds, kinds, count_owed(crowd.started, told), shares)


async def _wait_told(site: Site, crowd: Crowd) -> dict[int, float]:
    async def find() -> dict[int, float]:
        assert site.query(COUNT_UNSENT) == [(0,)], "messages failed"
        told = dict(await asyncio.to_thread(site.query, FIND_TOLD))
        return told if told.keys() >= crowd.started.keys() and site.query(COUNT_OPEN) == [(0,)] else {}

    return await wait_until(find)


def describe(trips: Sequence[Trip]) -> Figures:
    """Give how many there were, how many failed, and percentiles of the waits."""
    failed = sum(trip.failed for trip in trips)
    return {"sent": float(len(trips)), "failed": float(failed), **summarize([trip.wait_ms for trip in trips])}


def count_owed(due: Mapping[int, float], told: Mapping[int, float]) -> tuple[float, float]:
    """Give the mean backlog, looked at every second, in the first and in the last third of a run."""
    first, last = min(due.values()), max(due.values())
    looks = [first + second for second in range(1, int(last - first) + 1)] or [last]
    asked, answered = sorted(due.values()), sorted(told[chat_id] for chat_id in due)
    owed = [bisect_right(asked, look) - bisect_right(answered, look) for look in looks]
    third = max(1, len(owed) // 3)
    return statistics.mean(owed[:third]), statistics.mean(owed[-third:])


async def search(site: Site, client: Client, crowd: Crowd, rate: float, seconds: float) -> list[Run]:
    """Raise the rate until a run is no longer good, and give all runs; that one is the last."""
    runs = list[Run]()
    for power in itertools.count():
        runs.append(await measure(site, client, crowd, rate * STEP**power, seconds))
        tell(runs[-1])
        if not runs[-1].is_good:
            return runs
    raise AssertionError("counting ends only by returning")


def tell(run: Run) -> None:
    """Print a run: a line per kind, the backlog, and whose the cores were."""
    print(f"\n{run.rate:.0f} a second for {run.seconds:.0f} s: {'good' if run.is_good else 'NOT good'}")
    names = list(next(iter(run.kinds.values())))
    print(f"{'':>8}" + "".join(f"{name:>10}" for name in names))
    for kind, figures in run.kinds.items():
        print(f"{kind:>8}" + "".join(f"{figure:>10.1f}" for figure in figures.values()))
    print("owed, first third and last: {:.1f}, {:.1f}".format(*run.owed))
    print("shares of a core:", ", ".join(f"{name} {share:.2f}" for name, share in run.shares.items()), flush=True)


async def _main() -> None:
    arguments = read_arguments(__doc__ or "", rate=300.0, seconds=60.0, search=False)
    async with open_site(CHATS) as site:
        client, crowd = site.connect(), Crowd(site)
        async with crowd.look_on():
            await warm_up(site, client, crowd, arguments.rate)
            if arguments.search:
                runs = await search(site, client, crowd, arguments.rate, arguments.seconds)
            else:
                runs = [await measure(site, client, crowd, arguments.rate, arguments.seconds)]
                tell(runs[0])
        client.close()
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(run) for run in runs], indent=1), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_main())
