"""`grimbots funnel` and `grimbots chat`: what they say, and what needs no database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from grimbots.services.errors import Invalid
from grimbots.services.funnels.bundles import read_bundle, write_bundle

DEMO = Path(__file__).parents[3] / "handlers" / "commands" / "demo"


def run(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run the command with no store named and none to be found."""
    environ = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    return subprocess.run(
        [sys.executable, "-m", "grimbots.server", *argv],
        cwd=folder,
        env={**environ, "GRIMBOTS_DATA": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_simulate_needs_no_database_and_repeats_itself(tmp_path: Path) -> None:
    first, again = (
        run(tmp_path, "funnel", "simulate", "demo", "--leads", "40", "--days", "7", "--seed", "1", "--json")
        for _ in range(2)
    )
    assert first.returncode == 0, first.stderr
    assert first.stdout == again.stdout
    report = json.loads(first.stdout)
    assert {"steps", "revenue_cents", "sends_per_day", "longest_wait"} <= report.keys()


def test_simulate_says_what_is_wrong_with_the_funnel(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"name": "x", "steps": [{"id": "a", "kind": "jump", "to": "a"}]}))
    answer = run(tmp_path, "funnel", "simulate", "x.json")
    assert answer.returncode == 1 and "a.next" in answer.stderr


def test_a_bundle_holds_a_funnel_and_its_files(tmp_path: Path) -> None:
    definition = json.loads((DEMO / "demo.json").read_text(encoding="utf-8"))
    picture = (DEMO / "welcome.png").read_bytes()
    write_bundle(tmp_path / "a.zip", definition, {"welcome.png": [picture[:10], picture[10:]]})
    folder = tmp_path / "unpacked"
    folder.mkdir()
    found, files = read_bundle(tmp_path / "a.zip", folder)
    assert found == definition
    assert {name: path.read_bytes() for name, path in files.items()} == {"welcome.png": picture}
    with pytest.raises(Invalid, match="is there already"):
        write_bundle(tmp_path / "a.zip", definition, {})
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_a_bundle_writes_nothing_outside_its_folder(tmp_path: Path) -> None:
    definition = {"name": "x", "steps": [{"id": "a", "kind": "message", "photo": "../evil.png", "text": "x"}]}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        bundle.writestr("funnel.json", json.dumps(definition))
        bundle.writestr("../evil.png", b"x")
        bundle.writestr("other.txt", b"x")
    folder = tmp_path / "unpacked"
    folder.mkdir()
    read_bundle(tmp_path / "a.zip", folder)
    assert [path.name for path in folder.iterdir()] == ["funnel.json"]
    assert not (tmp_path / "evil.png").exists()


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK no")
    with pytest.raises(Invalid, match="no bundle"):
        read_bundle(tmp_path / "a.zip", tmp_path)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as bundle:
        bundle.writestr("other.json", "{}")
    with pytest.raises(Invalid, match="no bundle"):
        read_bundle(tmp_path / "b.zip", tmp_path)
