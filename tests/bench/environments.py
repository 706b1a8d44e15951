"""Environments of a bench's peers: a venv each, or node_modules, under `var/<bench>`, made once per set of pins."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parents[2]


class NotRun(Exception):
    """A system could not be measured here; the message says why."""


class Peer(Protocol):
    """A system under test. `environment`: whose it uses; "" is its own, "ours" is the one that runs the bench."""

    @property
    def name(self) -> str:
        """Of its file in `peers`, and of its environment."""

    @property
    def title(self) -> str:
        """What people call it."""

    @property
    def environment(self) -> str:
        """Whose it uses."""

    @property
    def language(self) -> str:
        """ "Python" or "node"."""


@dataclass(frozen=True, slots=True)
class Environments:
    """Those of one bench: `here` has its `peers` and their `requirements`, `folder` keeps what is installed."""

    here: Path
    folder: Path

    def prepare(self, system: Peer) -> None:
        """Install what a system needs, unless it is there. Raises NotRun."""
        self._link_package()
        if system.environment == "ours":
            return
        pins, home = self._find_pins(system), self._find_home(system)
        stamp = home / "pins"
        if stamp.is_file() and stamp.read_bytes() == pins.read_bytes():
            return
        print(f"  installing {system.title} ...", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        _install_node(home, pins) if system.language == "node" else _install_python(home, pins)
        stamp.write_bytes(pins.read_bytes())

    def make_command(self, system: Peer, verb: str, *words: str | int) -> tuple[list[str], dict[str, str]]:
        """Return the command of a verb of the bench's contract, and what it needs in its environment."""
        rest = [verb, *map(str, words)]
        if system.language == "node":
            script = self.here / "peers" / f"{system.name}.cjs"
            return ["node", str(script), *rest], {"NODE_PATH": str(self._find_home(system) / "node_modules")}
        own = system.environment == "ours"
        python = sys.executable if own else str(self._find_home(system) / "bin" / "python")
        module = f"grimbots.tests.bench.{self.here.name}.peers.{system.name}"
        return [python, "-P", "-W", "ignore", "-m", module, *rest], {"PYTHONPATH": str(self.folder / "path")}

    def read_versions(self, system: Peer) -> dict[str, str]:
        """Return the versions that a system's pins name."""
        if system.environment == "ours":
            return {}
        if system.language == "node":
            pins: Mapping[str, str] = json.loads(self._find_pins(system).read_text())["dependencies"]
            return {"node": _read_node_version(), **pins}
        lines = self._find_pins(system).read_text().split()
        return {name.partition("[")[0]: version for name, version in (line.split("==") for line in lines)}

    def list_files(self) -> list[Path]:
        """List what the peers' figures hang on."""
        return [*(self.here / "peers").glob("*.*"), *(self.here / "requirements").glob("*")]

    def _find_pins(self, system: Peer) -> Path:
        name = "package.json" if system.language == "node" else f"{system.environment or system.name}.txt"
        return self.here / "requirements" / name

    def _find_home(self, system: Peer) -> Path:
        return self.folder / (system.environment or system.name)

    def _link_package(self) -> None:
        """Let any environment import this checkout as `grimbots`."""
        link = self.folder / "path" / "grimbots"
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink() or link.readlink() != ROOT:
            link.unlink(missing_ok=True)
            link.symlink_to(ROOT)


def _install_python(home: Path, pins: Path) -> None:
    _run([sys.executable, "-m", "venv", str(home)], home)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    _run([*pip, "-r", str(pins)], home)


def _install_node(home: Path, pins: Path) -> None:
    if not (shutil.which("node") and shutil.which("npm")):
        raise NotRun("there is no node or npm: apt-get install nodejs npm")
    shutil.copy(pins, home / "package.json")
    _run(["npm", "install", "--silent", "--no-audit", "--no-fund"], home)


def _read_node_version() -> str:
    if not shutil.which("node"):
        return "not here"
    return subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()


def _run(command: list[str], home: Path) -> None:
    done = subprocess.run(command, cwd=home, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise NotRun(f"{Path(command[0]).name} failed: {last[:200]}")
