"""The environments of this bench's peers."""

from __future__ import annotations

from pathlib import Path

from grimbots.tests.bench.environments import ROOT, Environments

ENVIRONMENTS = Environments(Path(__file__).resolve().parent, ROOT / "var" / "bench-queue")
