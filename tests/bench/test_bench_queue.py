"""The bench of the queue runs and reports: ours only, a few jobs, no figures to trust."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from xml.etree import ElementTree


async def _bench(folder: Path, only: str) -> None:
    files = ("--results", str(folder / "results.json"), "--docs", str(folder))
    choice = ("--rounds", "1", "--scale", "0.01", "--only", only)
    module = "grimbots.tests.bench.queue.run"
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, *choice, *files)
    assert await process.wait() == 0


def test_bench_measures_and_reports(tmp_path: Path) -> None:
    """Twice: the second run goes on where the first stopped."""
    asyncio.run(_bench(tmp_path, "ours"))
    first = json.loads((tmp_path / "queue.json").read_text())["rows"]
    asyncio.run(_bench(tmp_path, "ours,handoff,pickup"))
    report = json.loads((tmp_path / "queue.json").read_text())
    assert [row["system"] for row in report["rows"]] == ["ours", "same_process", "handoff"]
    assert report["rows"][0]["figures"]["jobs_per_second"] == first[0]["figures"]["jobs_per_second"]
    assert "pickup_p999_ms" in report["rows"][0]["figures"]
    assert report["ratios"]["writes_per_job"] < 12
    assert report["ratios"]["pickup_p99_vs_handoff"] > 0
    assert "| **GrimBots** | yes |" in (tmp_path / "queue.md").read_text()
    ElementTree.parse(tmp_path / "queue.svg")
