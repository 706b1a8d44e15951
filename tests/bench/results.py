"""What a bench measured so far: kept in a file, so that a bench that was stopped goes on."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from grimbots.tests.bench.environments import NotRun

Figures = dict[str, float]
Measure = Callable[[], Awaitable[Figures]]


class Kept:
    """What was measured so far, in a file: of one state of the code only."""

    def __init__(self, path: Path, code: str, *, fresh: bool = False) -> None:
        """Read the file, unless its figures are of other code."""
        self.results: list[dict[str, Any]] = []
        self._path = path
        self._code = code
        if fresh or not path.is_file():
            return
        kept = json.loads(path.read_text())
        if kept["code"] == self._code:
            self.results = kept["results"]
        else:
            print("the code or a peer has changed since the last figures: starting over")

    def has(self, part: str, number: int) -> bool:
        """Tell whether a part of a round is there."""
        return self.find(part, number) is not None

    def find(self, part: str, number: int) -> dict[str, Any] | None:
        """Give what is kept of a part of a round."""
        found = (entry for entry in self.results if entry["part"] == part and entry["round"] == number)
        return next(found, None)

    async def measure(self, part: str, number: int, measure: Measure) -> None:
        """Measure a part of a round and keep it."""
        began = time.monotonic()
        entry: dict[str, Any] = {"part": part, "round": number}
        try:
            entry["figures"] = await measure()
        except (NotRun, OSError) as reason:
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


def take_fingerprint(files: Iterable[Path]) -> str:
    """Name the state of the code that figures are of."""
    texts = (file.read_bytes() for file in sorted(files) if file.suffix in {".py", ".lua", ".cjs", ".txt", ".json"})
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:16]
