"""Environments for the peers: a venv each, or node_modules, under `var/bench-queue`, made once per set of pins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from grimbots.tests.bench.queue.systems import System

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
FOLDER = ROOT / "var" / "bench-queue"
PINS = HERE / "requirements"


class NotRun(Exception):
    """A system could not be measured here; the message says why."""


def prepare(system: System) -> None:
    """Install what a system needs, unless it is there. Raises NotRun."""
    _link_package()
    if system.environment == "ours":
        return
    pins = PINS / ("package.json" if system.language == "node" else f"{_environment(system)}.txt")
    stamp = _home(system) / "pins"
    if stamp.is_file() and stamp.read_bytes() == pins.read_bytes():
        return
    print(f"  installing {system.title} ...", flush=True)
    shutil.rmtree(_home(system), ignore_errors=True)
    _home(system).mkdir(parents=True)
    _install_node(_home(system), pins) if system.language == "node" else _install_python(_home(system), pins)
    stamp.write_bytes(pins.read_bytes())


def make_command(system: System, verb: str, *words: str | int) -> tuple[list[str], dict[str, str]]:
    """Return the command of a verb of the contract, and what it needs in its environment."""
    rest = [verb, *map(str, words)]
    if system.language == "node":
        script = HERE / "peers" / f"{system.name}.cjs"
        return ["node", str(script), *rest], {"NODE_PATH": str(_home(system) / "node_modules")}
    module = f"grimbots.tests.bench.queue.peers.{system.name}"
    return [_python(system), "-P", "-W", "ignore", "-m", module, *rest], {"PYTHONPATH": str(FOLDER / "path")}


def read_versions(system: System) -> dict[str, str]:
    """Return the versions that a system's pins name."""
    if system.environment == "ours":
        return {}
    if system.language == "node":
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        return {"node": node, **_read_node_pins()}
    lines = (PINS / f"{_environment(system)}.txt").read_text().split()
    return {name.partition("[")[0]: version for name, version in (line.split("==") for line in lines)}


def _read_node_pins() -> dict[str, str]:
    import json

    pins: dict[str, str] = json.loads((PINS / "package.json").read_text())["dependencies"]
    return pins


def _environment(system: System) -> str:
    return system.environment or system.name


def _home(system: System) -> Path:
    return FOLDER / _environment(system)


def _python(system: System) -> str:
    return sys.executable if system.environment == "ours" else str(_home(system) / "bin" / "python")


def _link_package() -> None:
    """Let any environment import this checkout as `grimbots`."""
    link = FOLDER / "path" / "grimbots"
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


def _run(command: list[str], home: Path) -> None:
    done = subprocess.run(command, cwd=home, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise NotRun(f"{Path(command[0]).name} failed: {last[:200]}")
