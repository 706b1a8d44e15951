"""What was measured so far: kept in a file, so that a bench that was stopped goes on."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from grimbots.tests.bench.queue.environments import ROOT, NotRun, prepare
from grimbots.tests.bench.queue.measures import Figures
from grimbots.tests.bench.queue.systems import SYSTEMS

Measure = Callable[[], Awaitable[Figures]]


class Kept:
    """What was measured so far, in a file: of one state of the code only."""

    def __init__(self, path: Path, fresh: bool) -> None:
        """Read the file, unless its figures are of other code."""
        self.results: list[dict[str, Any]] = []
        self._path = path
        self._code = _fingerprint()
        if fresh or not path.is_file():
            return
        kept = json.loads(path.read_text())
        if kept["code"] == self._code:
            self.results = kept["results"]
        else:
            print("the queue or a peer has changed since the last figures: starting over")

    def has(self, part: str, number: int) -> bool:
        """Tell whether a part of a round is there."""
        return any(entry["part"] == part and entry["round"] == number for entry in self.results)

    async def measure(self, part: str, number: int, measure: Measure) -> None:
        """Measure a part of a round and keep it."""
        began = time.monotonic()
        entry: dict[str, Any] = {"part": part, "round": number}
        try:
            if system := SYSTEMS.get(part.removeprefix("recovery_")):
                prepare(system)
            entry["figures"] = await measure()
        except NotRun as reason:
            entry["not_run"] = str(reason)
        self.results.append(entry)
        self._save()
        print(f"round {number}: {part} in {time.monotonic() - began:.0f} s: {_tell(entry)}", flush=True)

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps({"code": self._code, "results": self.results}, indent=1))
        fresh.replace(self._path)


def _tell(entry: dict[str, Any]) -> str:
    if "not_run" in entry:
        return f"not run here: {entry['not_run']}"
    return ", ".join(f"{name} {figure:,.2f}" for name, figure in entry["figures"].items())


def _fingerprint() -> str:
    here = Path(__file__).parent
    files = sorted([*(ROOT / "queue").rglob("*.*"), *(here / "peers").glob("*.*"), *(here / "requirements").glob("*")])
    texts = (file.read_bytes() for file in files if file.suffix in {".py", ".lua", ".cjs", ".txt", ".json"})
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:16]
