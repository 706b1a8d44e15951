"""The bench of the front door runs and reports: ours and the floor, an instant each, no figures to trust."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from grimbots.tests.bench.front.ratios import judge


async def _bench(folder: Path) -> None:
    files = ("--results", str(folder / "results.json"), "--docs", str(folder))
    choice = ("--rounds", "1", "--scale", "0.3", "--only", "bare,ours", "--kinds", "speed")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "grimbots.tests.bench.front.run", *choice, *files
    )
    assert await process.wait() == 0


@pytest.mark.slow
def test_bench_measures_and_reports(tmp_path: Path) -> None:
    asyncio.run(_bench(tmp_path))
    report = json.loads((tmp_path / "front.json").read_text())
    bare, ours = report["rows"]
    assert (bare["system"], ours["system"]) == ("bare", "ours")
    assert ours["figures"]["refused_40"]["high"] == ours["figures"]["refused_500"]["high"] == 0
    assert report["ratios"]["accepts_vs_bare_tornado"] > 0
    assert "| **GrimBots** | secret, read, queued" in (tmp_path / "front.md").read_text()
    ElementTree.parse(tmp_path / "front.svg")


@pytest.mark.parametrize(("pairs", "rank"), [(5, 0), (8, 0), (9, 1), (15, 3), (20, 5)])
def test_interval_leaves_out_as_many_as_chance_allows(pairs: int, rank: int) -> None:
    finding = judge([float(n) for n in range(pairs)])
    assert (finding.low, finding.high, finding.pairs) == (rank, pairs - 1 - rank, pairs)
