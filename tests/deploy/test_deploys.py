"""deploy/deploy.sh under supervisord: a new version goes into service, one that is not well does not stay there."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from grimbots.tests.deploy.fronts import DEPLOY, HOST, wait_until
from grimbots.tests.deploy.loads import make_shop
from grimbots.tests.deploy.programs import make_path
from grimbots.tests.deploy.supervisords import run_supervisord
from grimbots.tests.ports import pick_port

ROOT = DEPLOY.parent
# What `deploy/build.sh` builds takes a minute; this is the same code under another name. It stands in for `doctor`,
# who rightly dislikes a test's Redis.
PROGRAM = """\
#!/bin/sh
case "$1:{flaw}" in
    doctor:doctor) echo "WRONG disk        full: make room"; exit 1;;
    doctor:*) exit 0;;
    migrate:migrate) echo "grimbots: 0099 failed" >&2; exit 1;;
    serve:serve) echo "grimbots: a bug" >&2; exit 1;;
esac
exec {python} {folder}/server.py "$@"
"""


@dataclass
class Site:
    """Versions side by side, one of them in service, and what a deploy said."""

    home: Path
    environ: dict[str, str]

    def build(self, version: str, flaw: str = "") -> None:
        """Put a version there as `build.sh` leaves it; `flaw` is the verb that fails."""
        folder = self.home / "versions" / version
        (folder / ".venv" / "bin").mkdir(parents=True)
        (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
        (folder / "server.py").symlink_to(ROOT / "server.py")
        (folder / "deploy").symlink_to(DEPLOY)
        program = folder / ".venv" / "bin" / "grimbots"
        program.write_text(PROGRAM.format(flaw=flaw, python=sys.executable, folder=folder))
        program.chmod(0o755)
        self.git("commit", "--quiet", "--allow-empty", "--message", version)
        self.git("tag", version)
        (folder / ".built").write_text(self.git("rev-parse", version))

    def git(self, *arguments: str) -> str:
        """Run git in the clone that versions come from."""
        who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        line = ["git", *who, "-C", str(self.home / "source"), *arguments]
        return subprocess.run(line, check=True, capture_output=True, text=True).stdout

    def deploy(self, wanted: str) -> tuple[int, str]:
        """Run the script as an operator does."""
        line = [DEPLOY / "deploy.sh", wanted]
        done = subprocess.run(line, env=self.environ, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    @property
    def current(self) -> str:
        """The version that is to run."""
        return (self.home / "current").readlink().name

    def list_running(self) -> list[str]:
        """List the version of each process."""
        found = [path.read_bytes().split(b"\0") for path in Path("/proc").glob("[0-9]*/cmdline") if _is_there(path)]
        served = [line for line in found if b"serve" in line and str(self.home).encode() in b" ".join(line)]
        return sorted(line[1].decode().split("/versions/")[1].split("/")[0] for line in served)


def _is_there(path: Path) -> bool:
    try:
        return bool(path.read_bytes())
    except OSError:
        return False


@pytest.fixture
def site(tmp_path: Path, database_url: str, flushed_redis_url: str) -> Iterator[Site]:
    """Give a site on which version `one` runs."""
    if shutil.which("supervisord") is None:
        pytest.skip("supervisord is not installed: make front")
    home, backups, port = tmp_path / "home", tmp_path / "backups", pick_port(3)
    for folder in (home / "source", home / "versions", backups):
        folder.mkdir(parents=True)
    settings = {
        "DATABASE_URL": database_url,
        "REDIS_URL": flushed_redis_url,
        "GRIMBOTS_DATA": str(tmp_path),
        "TELEGRAM_URL": f"http://{HOST}:{pick_port()}",
        "STATUS_PORT": str(port + 1),
    }
    asyncio.run(make_shop(settings))
    places = {
        "GRIMBOTS_HOME": str(home),
        "GRIMBOTS_ENV": str(tmp_path / "grimbots.env"),
        "GRIMBOTS_USER": subprocess.check_output(["id", "-un"], text=True).strip(),
        "BACKUPS": str(backups),
        "SUPERVISORCTL": f"supervisorctl -c {tmp_path}/supervisord.conf",
    }
    made = Site(home, {"PATH": make_path(), **places})
    made.git("init", "--quiet")
    made.build("one")
    (home / "current").symlink_to(home / "versions" / "one")
    with run_supervisord(tmp_path, port, settings, f"{home}/current/.venv/bin/grimbots"):
        yield made


@pytest.mark.slow
def test_deploy_puts_a_version_into_service_and_goes_back(site: Site) -> None:
    """A bad version is first, so that what it leaves behind is what the good one meets."""
    site.build("bad", flaw="serve")
    code, said = site.deploy("bad")
    assert code == 1
    assert "6 back" in said and "one runs again and is well" in said
    wait_until(lambda: site.list_running() == ["one", "one"], "the version before")

    site.build("two")
    code, said = site.deploy("two")
    assert (code, site.current, site.list_running()) == (0, "two", ["two", "two"]), said
    assert len(list(Path(site.environ["BACKUPS"]).glob("grimbots-*.tar"))) >= 1
    code, said = site.deploy("--back")
    assert (code, site.current, site.list_running()) == (0, "one", ["one", "one"]), said


@pytest.mark.slow
def test_deploy_touches_nothing_before_all_is_well(site: Site) -> None:
    site.build("unmigrated", flaw="migrate")
    code, said = site.deploy("unmigrated")
    assert code == 1 and "0099 failed" in said and "the old version runs on" in said
    assert "knows no version nothing" in site.deploy("nothing")[1]
    site.build("sick", flaw="doctor")
    assert "full: make room" in site.deploy("sick")[1]
    shutil.rmtree(site.environ["BACKUPS"])
    assert "no backup, no deploy" in site.deploy("sick")[1]
    assert (site.current, site.list_running()) == ("one", ["one", "one"])
