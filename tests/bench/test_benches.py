"""A slice of each bench of the server: its road is walked, every request answered, every call arrives."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from grimbots.tests.bench import bench_campaign, bench_charge, bench_delivery, bench_http, bench_start, bench_webhook
from grimbots.tests.bench.reports import Figures, read_arguments, summarize, tell
from grimbots.tests.bench.rigs import open_rig
from grimbots.tests.bench.shares import measure_shares

RATES, CAMPAIGNS, SECONDS = [20.0], [2.0], 0.5


@pytest.mark.slow
def test_every_bench_of_the_server_measures() -> None:
    async def measure_all() -> tuple[list[list[Figures]], list[Figures]]:
        async with open_rig() as rig:
            benches = (bench_start, bench_webhook, bench_charge, bench_delivery)
            rated = [await bench.measure(rig, RATES, runs=1, seconds=SECONDS) for bench in benches]
            return rated, await bench_campaign.measure(rig, CAMPAIGNS, runs=1, seconds=SECONDS)

    rated, beside = asyncio.run(measure_all())
    assert [run["campaigns"] for run in beside] == CAMPAIGNS
    assert all(run["ratio"] == run["p95 ms"] / run["p95 alone"] for run in beside)
    for runs in rated:
        assert [run["a second"] for run in runs] == RATES
    for runs in [*rated, beside]:
        assert all(0 < run["p50 ms"] <= run["p95 ms"] <= run["p99 ms"] for run in runs)
        assert all(0 < run["server"] < 1.5 for run in runs)


def test_bench_http_compares() -> None:
    runs = asyncio.run(bench_http.measure(calls=100, runs=1))
    assert [run["at once"] for run in runs] == [1, 50]
    assert all(run["call/bare"] > 1 for run in runs)


def test_tell_prints_medians_and_writes_every_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    runs: Sequence[Figures] = [{"a second": 50, "p50 ms": wait} for wait in (1.0, 9.0, 2.0)]
    tell("waits", runs, "a second", tmp_path / "runs.json")
    assert capsys.readouterr().out.splitlines() == [
        "waits; medians of 3",
        "  a second     p50 ms",
        "     50.00       2.00",
    ]
    assert (tmp_path / "runs.json").read_text().count("p50 ms") == 3


def test_summarize_tells_the_slow_ones() -> None:
    assert summarize([*range(1, 101)]) == pytest.approx({"p50 ms": 50.5, "p95 ms": 95.05, "p99 ms": 99.01})


def test_arguments_are_read_by_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--rates", "5,7.5", "--runs", "2"])
    arguments = read_arguments("", rates=[50], runs=5, seconds=30.0)
    assert (arguments.rates, arguments.runs, arguments.seconds, arguments.json) == ([5, 7.5], 2, 30.0, None)


def test_shares_tell_who_used_the_processor() -> None:
    shares: dict[str, float] = {}
    began_at = time.monotonic()
    with measure_shares({"own": os.getpid(), "idle": os.getppid()}, shares):
        until = time.process_time() + 0.2
        while time.process_time() < until:
            pass
    assert shares["own"] == pytest.approx(0.2 / (time.monotonic() - began_at), rel=0.3, abs=0.05)
