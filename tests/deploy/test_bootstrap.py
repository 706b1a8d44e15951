"""deploy/bootstrap.sh: what a fresh machine lacks is one sentence with the command that helps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def bootstrap(environment: Path, python: Path | str) -> subprocess.CompletedProcess[str]:
    command = [ROOT / "deploy" / "bootstrap.sh", environment, "embedded", python]
    return subprocess.run(command, capture_output=True, text=True)


def write_python(folder: Path, answers: str) -> Path:
    """Write a program that takes a Python's place: `answers` is a shell script that looks at $2."""
    python = folder / "python3"
    python.write_text(f"#!/bin/sh\n{answers}\n")
    python.chmod(0o755)
    return python


def test_bootstrap_without_python_names_the_package(tmp_path: Path) -> None:
    done = bootstrap(tmp_path / "venv", "python3.99")
    assert done.returncode == 1
    assert done.stderr == ("grimbots: There is no python3.99 here: sudo apt-get install python3 python3-venv\n")


def test_bootstrap_refuses_an_old_python(tmp_path: Path) -> None:
    old = write_python(tmp_path, "exit 1")
    assert "sudo apt-get install python3" in bootstrap(tmp_path / "venv", old).stderr


def test_bootstrap_without_venv_names_the_package(tmp_path: Path) -> None:
    script = f'case "$2" in *ensurepip*) exit 1;; *) exec {sys.executable} "$@";; esac'
    done = bootstrap(tmp_path / "venv", write_python(tmp_path, script))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert done.returncode == 1
    assert done.stderr.endswith(f"sudo apt-get install python{version}-venv\n")
    assert len(done.stderr.splitlines()) == 1


def test_bootstrap_shows_pips_reason_and_what_may_help(tmp_path: Path) -> None:
    script = (
        'case "$*" in *"-m venv"*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python";;'
        ' *"pip install"*) echo "no network" >&2; exit 1;;'
        f' *) exec {sys.executable} "$@";; esac'
    )
    done = bootstrap(tmp_path / "venv", write_python(tmp_path, script))
    assert done.returncode == 1
    assert done.stderr.startswith("no network\n")
    assert "build-essential" in done.stderr


def test_bootstrap_is_quick_when_nothing_changed(tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    environment.mkdir()
    checksum = subprocess.run("cksum < pyproject.toml", shell=True, cwd=ROOT, capture_output=True, text=True).stdout
    (environment / ".grimbots-embedded").write_text(f"{ROOT} {checksum.strip()} nothing")
    done = bootstrap(environment, "nothing")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
