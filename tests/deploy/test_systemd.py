"""deploy/systemd: units that systemd accepts and calls hardened, and scripts that may run twice."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from grimbots.conf.loops import DEFAULT_PATIENCE
from grimbots.handlers.commands.supervisors import DRAIN_SECONDS

ROOT = Path(__file__).parents[2]
SERVICE, BACKUP = "grimbots@.service", "grimbots-backup.service"
UNITS = (SERVICE, BACKUP, "grimbots-backup.timer", "grimbots.socket", "grimbots.target")
MOST_EXPOSURE = 1.5  # of 10; systemd calls everything below 2.5 "OK"


def run(*command: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environ)


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: make front")
    return run("systemd-analyze", *arguments)


def snapshot(folder: Path) -> dict[str, tuple[int, str]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mode & 0o777, path.read_text()) for path in files}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a scratch root into which the units were installed from this checkout."""
    done = run(ROOT / "deploy/systemd/install.sh", DESTDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    return tmp_path


def verify(folder: Path, *units: str) -> subprocess.CompletedProcess[str]:
    """Let systemd check units, their command taken for there: in this checkout it comes with `make`."""
    for unit in (SERVICE, BACKUP):
        path = folder / unit
        path.write_text(re.sub(r"(?m)^ExecStart=/opt\S+", "ExecStart=/bin/true", path.read_text()))
    return analyze("verify", "--man=no", "--recursive-errors=no", *(folder / unit for unit in units))


def test_systemd_accepts_the_units(root: Path) -> None:
    done = verify(root / "etc/systemd/system", *UNITS)
    complaints = [line for line in done.stderr.splitlines() if "grimbots" in line]
    assert (done.returncode, complaints) == (0, [])


def test_systemd_notices_a_broken_unit(root: Path) -> None:
    service = root / "etc/systemd/system" / SERVICE
    service.write_text(service.read_text().replace("Type=notify", "Type=shout"))
    assert "grimbots@.service" in verify(service.parent, SERVICE).stderr


@pytest.mark.parametrize("unit", [SERVICE, BACKUP])
def test_services_are_hardened(root: Path, unit: str) -> None:
    options = ("security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSURE * 10:.0f}")
    done = analyze(*options, "--json=short", root / "etc/systemd/system" / unit)
    exposed = [(check["name"], check["exposure"]) for check in json.loads(done.stdout) if check["exposure"]]
    assert done.returncode == 0, exposed


def test_stop_waits_longer_than_the_drain() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "deploy/systemd/grimbots@.service")
    assert int(unit["Service"]["TimeoutStopSec"].removesuffix("s")) > DRAIN_SECONDS
    supervisor = configparser.ConfigParser(interpolation=None)
    supervisor.read(ROOT / "deploy/supervisor/grimbots.conf")
    assert int(supervisor["fcgi-program:grimbots"]["stopwaitsecs"]) > DRAIN_SECONDS


def test_watchdog_waits_for_the_processes_own_watch() -> None:
    """systemd's kill leaves no stacks; our own watch does (conf/loops.py)."""
    text = (ROOT / "deploy/systemd" / SERVICE).read_text()
    (seconds,) = re.findall(r"(?m)^WatchdogSec=(\d+)s$", text)
    assert int(seconds) > DEFAULT_PATIENCE.frozen_seconds


def test_install_hides_the_settings_and_adds_the_command(root: Path) -> None:
    installed = snapshot(root)
    units = [f"etc/systemd/system/{unit}" for unit in UNITS]
    assert sorted(installed) == sorted(["etc/grimbots/grimbots.env", *units, "usr/local/bin/grimbots"])
    assert installed["usr/local/bin/grimbots"][0] == 0o755
    mode, settings = installed["etc/grimbots/grimbots.env"]
    assert mode == 0o640
    for line in ("TRUSTED_PROXIES=127.0.0.1", "STATUS_PORT=9100", "GRIMBOTS_DATA=/var/lib/grimbots"):
        assert line in settings.splitlines()


def test_install_twice_keeps_settings_and_renews_units(root: Path) -> None:
    before = snapshot(root)
    settings, service = root / "etc/grimbots/grimbots.env", root / "etc/systemd/system" / SERVICE
    settings.write_text("PORT=8090\n")
    service.write_text("of an older version")
    done = run(ROOT / "deploy/systemd/install.sh", DESTDIR=str(root))
    assert (done.returncode, done.stderr, settings.read_text()) == (0, "", "PORT=8090\n")
    assert service.read_text() == before[f"etc/systemd/system/{SERVICE}"][1]


def test_uninstall_twice_leaves_settings(root: Path) -> None:
    for _ in range(2):
        done = run(ROOT / "deploy/systemd/uninstall.sh", DESTDIR=str(root))
        assert (done.returncode, done.stderr) == (0, "")
        assert list(snapshot(root)) == ["etc/grimbots/grimbots.env"]
