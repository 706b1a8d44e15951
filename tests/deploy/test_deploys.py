"""deploy/deploy.sh under supervisord, with versions that start at once: guides.py deploys real ones under systemd."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from grimbots.tests.deploy.fronts import DEPLOY
from grimbots.tests.deploy.supervisords import run_supervisord
from grimbots.tests.ports import pick_port

# What of a version the script meets. `flaw` is the verb that fails.
PROGRAM = """\
#!/bin/sh
echo "$1" >> {log}
case "$1" in
    "{flaw}") echo "the {flaw} of {name} fails" >&2; exit 1;;
    backup) touch "$2/grimbots-saved.tar";;
    serve) exec {python} {folder}/serve.py;;
esac
"""
SERVE = """\
import http.server, os, signal

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
http.server.HTTPServer(("127.0.0.1", {status_port} + int(os.environ["GRIMBOTS_SLOT"])), Handler).serve_forever()
"""


@dataclass
class Site:
    """Versions side by side, one of them in service, and what a deploy said."""

    home: Path
    environ: dict[str, str]
    status_port: int

    def build(self, name: str, flaw: str = "") -> None:
        """Put a version there as `build.sh` leaves it."""
        folder, log = self.home / "versions" / name, self.home / f"{name}.log"
        (folder / ".venv" / "bin").mkdir(parents=True)
        (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
        (folder / "deploy").symlink_to(DEPLOY)
        (folder / "serve.py").write_text(SERVE.format(status_port=self.status_port))
        program = folder / ".venv" / "bin" / "grimbots"
        program.write_text(PROGRAM.format(flaw=flaw, name=name, python=sys.executable, folder=folder, log=log))
        program.chmod(0o755)
        self.git("commit", "--quiet", "--allow-empty", "--message", name)
        self.git("tag", name)
        (folder / ".built").write_text(self.git("rev-parse", name))

    def git(self, *arguments: str) -> str:
        """Run git in the clone that versions come from."""
        who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        line = ["git", *who, "-C", str(self.home / "source"), *arguments]
        return subprocess.run(line, check=True, capture_output=True, text=True).stdout

    def deploy(self, wanted: str) -> tuple[int, str]:
        """Run the script as an operator does; its exit code, and the last it said."""
        done = subprocess.run([DEPLOY / "deploy.sh", wanted], env=self.environ, capture_output=True, text=True)
        return done.returncode, (done.stdout + done.stderr).strip()

    def list_running(self) -> list[str]:
        """List the version that is to run, and that of each process."""
        lines = [self._read(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
        served = [line.split(b"/versions/")[1].split(b"/")[0] for line in lines if str(self.home).encode() in line]
        return [(self.home / "current").readlink().name, *sorted(name.decode() for name in served)]

    def list_verbs(self, name: str) -> list[str]:
        """List which of a version's commands were run, in their order; `serve` once."""
        verbs = (self.home / f"{name}.log").read_text().split()
        return list(dict.fromkeys(verbs))

    def _read(self, path: Path) -> bytes:
        try:
            line = path.read_bytes()
        except OSError:  # it ended meanwhile
            return b""
        return line if b"serve.py" in line else b""


@pytest.fixture
def start_seconds() -> int:
    """Give how long supervisord waits before it calls a process started."""
    return 0


@pytest.fixture
def site(tmp_path: Path, start_seconds: int) -> Iterator[Site]:
    """Give a site on which version `one` runs."""
    if shutil.which("supervisord") is None:
        pytest.skip("supervisord is not installed: make front")
    home, backups, port = tmp_path / "home", tmp_path / "backups", pick_port(3)
    for folder in (home / "source", home / "versions", backups):
        folder.mkdir(parents=True)
    places = {
        "GRIMBOTS_HOME": str(home),
        "GRIMBOTS_ENV": str(tmp_path / "grimbots.env"),
        "GRIMBOTS_USER": subprocess.check_output(["id", "-un"], text=True).strip(),
        "BACKUPS": str(backups),
        "SUPERVISORCTL": f"supervisorctl -c {tmp_path}/supervisord.conf",
    }
    made = Site(home, {"PATH": os.environ["PATH"], **places}, port + 1)
    made.git("init", "--quiet")
    made.build("one")
    (home / "current").symlink_to(home / "versions" / "one")
    settings = {"STATUS_PORT": str(made.status_port)}
    with run_supervisord(tmp_path, port, settings, f"{home}/current/.venv/bin/grimbots", start_seconds):
        yield made


def test_deploy_puts_a_version_into_service_and_goes_back(site: Site) -> None:
    site.build("two")
    code, said = site.deploy("two")
    assert (code, site.list_running()) == (0, ["two"] * 3), said
    assert site.list_verbs("one") == ["serve", "doctor", "backup"]
    assert site.list_verbs("two") == ["migrate", "doctor", "serve"]
    assert (Path(site.environ["BACKUPS"]) / "grimbots-saved.tar").exists()
    code, said = site.deploy("--back")
    assert (code, site.list_running()) == (0, ["one"] * 3), said


@pytest.mark.parametrize("start_seconds", [1])
def test_version_that_is_not_well_does_not_stay(site: Site) -> None:
    site.build("bad", flaw="serve")
    code, said = site.deploy("bad")
    assert code == 1
    assert "6 back" in said
    assert said.endswith("the old version works with it")
    assert site.list_running() == ["one"] * 3


@pytest.mark.parametrize(
    ("flaw", "told"),
    [
        ("migrate", "the migrate of next fails\ndeploy: the old version runs on"),
        (
            "doctor",
            "the doctor of next fails\ndeploy: the new version finds something WRONG (above)",
        ),
    ],
)
def test_nothing_is_renewed_before_all_is_well(site: Site, flaw: str, told: str) -> None:
    site.build("next", flaw=flaw)
    code, said = site.deploy("next")
    assert (code, site.list_running()) == (1, ["one"] * 3)
    assert told in said
    assert "serve" not in site.list_verbs("next")


def test_deploy_needs_a_backup_a_version_and_no_other_deploy(site: Site) -> None:
    assert "knows no version nothing" in site.deploy("nothing")[1]
    assert "there is no version before" in site.deploy("--back")[1]
    site.build("two")
    shutil.rmtree(site.environ["BACKUPS"])
    assert "no backup, no deploy" in site.deploy("two")[1]
    with (site.home / ".deploy.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another deploy is running" in site.deploy("two")[1]
    assert site.list_running() == ["one"] * 3
