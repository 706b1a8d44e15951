"""A slice of the benches through nginx to two processes: every request is answered, everybody is told, order holds."""

from __future__ import annotations

import asyncio
import shutil
from importlib.util import find_spec

import pytest

from grimbots.tests.bench import bench_held, bench_mixed, bench_order
from grimbots.tests.bench.bench_held import Held, add_up
from grimbots.tests.bench.bench_mixed import Run, count_owed
from grimbots.tests.bench.bench_order import Pair, Verdict, judge
from grimbots.tests.bench.couriers import Carried
from grimbots.tests.bench.mixes import Trip
from grimbots.tests.bench.sites import open_site
from grimbots.tests.load.run import run_locust

CONNECTIONS, CHATS = 500, 300


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed: make front")
@pytest.mark.slow
def test_benches_through_nginx_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept connections beside a mixed load, then swaps; and Locust, where it is installed (make load)."""
    monkeypatch.setattr(bench_mixed, "WARM_UP_SECONDS", 1.5)

    async def measure() -> tuple[Held, int, Verdict]:
        async with open_site(2 * CHATS + 1000, bench_order.FUNNEL) as site:
            held = await bench_held.hold(site, CONNECTIONS, rate=40.0, seconds=2.0)
            code = await run_locust(site, users=3, seconds=2.0) if find_spec("locust") else 0
            return held, code, await bench_order.measure(site, CHATS, rate=150.0, rounds=1)

    held, locusts_code, verdict = asyncio.run(measure())
    assert (held.kept, held.trickle.failed, locusts_code) == (CONNECTIONS, 0, 0)
    assert {*held.trickle.kinds} >= {"start", "text", "go", "told"}
    assert all(figures["p50 ms"] <= figures["p99 ms"] for figures in held.trickle.kinds.values())
    assert 0 < add_up(held.idle) < add_up(held.held) < bench_held.MOST_MIB
    assert {*held.trickle.shares} == {"nginx", "servers", "postgres", "redis", "sandbox", "generator"}
    assert (sum(verdict.pairs.values()), verdict.is_good) == (CHATS, True), verdict
    assert verdict.refusals > 0


def test_backlog_is_the_mean_of_what_was_owed_at_each_second() -> None:
    due = {chat: float(chat) for chat in range(10)}
    assert count_owed(due, {chat: at + 0.5 for chat, at in due.items()}) == (1, 1)
    assert count_owed(due, dict.fromkeys(due, 100.0)) == (3, 9)


@pytest.mark.parametrize(
    ("p95_ms", "failed", "owed", "is_good"),
    [(99, 0, (1, 1), True), (101, 0, (1, 1), False), (99, 1, (1, 1), False), (99, 0, (1, 40), False)],
)
def test_run_is_good_where_nothing_is_slow_fails_or_piles_up(
    p95_ms: float, failed: float, owed: tuple[float, float], is_good: bool
) -> None:
    assert Run(300.0, 600.0, {"go": {"failed": failed, "p95 ms": p95_ms}}, owed, {}).is_good is is_good


def test_trip_fails_that_is_not_answered_as_meant() -> None:
    statuses = [("go", 302), ("go", 200), ("start", 200), ("start", 0), ("payment", 503)]
    assert [Trip(kind, 0.0, 1.0, status).failed for kind, status in statuses] == [False, True, False, True, True]


@pytest.mark.parametrize(
    ("older", "newer", "span"),
    [
        ((0.0, 0.01), (0.02, 0.03), "in order"),
        ((0.02, 0.03), (0.0, 0.01), "within"),
        ((0.06, 0.07), (0.0, 0.01), "beyond"),
        ((0.03, 0.05), (0.0, 0.01), "unclear"),
    ],
)
def test_swap_is_told_by_when_updates_left_and_were_answered(
    older: tuple[float, float], newer: tuple[float, float], span: str
) -> None:
    pair = Pair("tap first, soon", "/a", (1, 2), Carried(*older, refusals=0), Carried(*newer, refusals=0))
    assert pair.span == span


def test_verdict_is_bad_where_a_swap_was_acted_on_or_not_counted() -> None:
    swapped = Pair("tap first, soon", "/a", (1, 2), Carried(0.02, 0.03, 1), Carried(0.0, 0.01, 0))
    acted = judge([swapped], {("/a", 1): 8, ("/a", 2): 7}, counted=1)
    assert (acted.inversions, acted.refusals, acted.is_good) == ({"tap first, soon, within": 1}, 1, False)
    assert judge([swapped], {("/a", 1): 7, ("/a", 2): 8}, counted=0).is_good
    late = Pair("tap first, late", "/a", (1, 2), Carried(0.06, 0.07, 0), Carried(0.0, 0.01, 0))
    assert judge([late], {("/a", 1): 8, ("/a", 2): 7}, counted=1).is_good
    assert not judge([late], {("/a", 1): 8, ("/a", 2): 7}, counted=0).is_good
