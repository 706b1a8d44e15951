"""The commands of docs/deploy.md, read from the page, and their rehearsal on a clean Debian that boots systemd.

    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus trixie <folder>        # or bookworm
    python -m grimbots.tests.deploy.guides <folder>

Needs root and systemd-nspawn. What the page's own lines would fetch is put into the folder before; a copy of it boots,
and has no network but its own.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE, TRANSLATION = ROOT / "docs" / "deploy.md", ROOT / "docs" / "deploy.pt-BR.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)
BOOT_SECONDS = 60.0
STATES = ("starting", "running", "degraded")
FIRST, SECOND, BAD = "first", "second", "bad"
REPOSITORY = "/root/grimbots.git"
ADMINISTRATOR_PASSWORD = "a long enough one\n"

# What the page leaves to the reader's own machine, name and taste.
STANDING_IN = {
    "<this repository>": REPOSITORY,
    "certbot certonly --webroot -w /var/www/html -d bots.example.com --deploy-hook 'systemctl reload nginx'": (
        "mkdir -p /etc/letsencrypt/live/bots.example.com && cd /etc/letsencrypt/live/bots.example.com\n"
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=bots.example.com"
        " -addext subjectAltName=DNS:bots.example.com -keyout privkey.pem -out fullchain.pem 2>/dev/null"
    ),
}
# Telegram is a server on this machine that says 200 and what time it is: all that the doctor asks.
TELEGRAM = """\
systemd-run --quiet --unit=telegram --working-directory=/srv python3 -m http.server --bind 127.0.0.1 8081
sed -i 's#^TELEGRAM_URL=.*#TELEGRAM_URL=http://127.0.0.1:8081#' /etc/grimbots/grimbots.env"""
ASK = "curl --silent --show-error --fail --cacert /etc/letsencrypt/live/bots.example.com/fullchain.pem \\\n"
ASK += "  --resolve bots.example.com:443:127.0.0.1 https://bots.example.com/ready"
KILL = """\
before=$(systemctl show --property=MainPID --value grimbots@0) && began=$(date +%s%N) && kill -9 "$before"
until now=$(systemctl show --property=ActiveState,MainPID grimbots@0) && grep -qx ActiveState=active <<< "$now" &&
    ! grep -qx "MainPID=$before" <<< "$now"; do sleep 0.02; done
echo "$((($(date +%s%N) - began) / 1000000)) ms until a killed process said that it is ready again"
systemctl show --property=MemoryCurrent grimbots@0 grimbots@1"""
NEW_VERSION = "git -C {0} tag {1} $(git -c user.name=x -c user.email=x -C {0} commit-tree -p HEAD -m {1} HEAD^{{tree}})"
BAD_VERSION = """\
git clone --quiet {0} /root/work && cd /root/work
sed -i 's/^    allow_connections()$/    raise SystemExit("a bug")/' handlers/commands/serve.py
git -c user.name=x -c user.email=x commit --quiet --all --message bad && git tag {1} && git push --quiet origin {1}
git -C /opt/grimbots/source fetch --quiet --tags"""
ENCRYPT = """\
age-keygen --output /root/grimbots-backup.key 2>/dev/null
sed -i "s/^BACKUP_RECIPIENT=.*/BACKUP_RECIPIENT=$(age-keygen -y /root/grimbots-backup.key)/" /etc/grimbots/grimbots.env
grimbots account add loja"""
DESTROY = """\
cp /var/backups/grimbots/*.tar.age /root/backup.tar.age
systemctl stop grimbots.socket grimbots.target 'grimbots@*'
rm -rf /var/lib/grimbots/* /etc/grimbots/grimbots.env
runuser -u postgres -- dropdb grimbots && runuser -u postgres -- createdb --owner=grimbots grimbots
redis-cli flushall
/opt/grimbots/current/deploy/systemd/install.sh"""


@dataclass(frozen=True)
class Step:
    """One block of commands and the heading it stands under."""

    heading: str
    commands: str


def read_steps(guide: Path) -> list[Step]:
    """Read the blocks of a page, in its order."""
    text = guide.read_text(encoding="utf-8")
    headings = [(found.start(), found[1]) for found in HEADING.finditer(text)]
    return [
        Step(max((place, name) for place, name in headings if place < block.start())[1], block[1])
        for block in BLOCK.finditer(text)
    ]


def strip_comments(commands: str) -> list[str]:
    """Give the commands without what they say to the reader."""
    return [re.sub(r"\s+#\s.*$", "", line) for line in commands.splitlines()]


class Machine:
    """A Debian in a folder, booted in a container of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.leader = 0

    def fetch(self) -> None:
        """Fetch what the page's first command and its build would, with the network that the machine will not have."""
        for place in ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt"):
            copied = self.folder / place[1:]
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place, copied)
        first = read_steps(GUIDE)[0].commands.splitlines()[0]
        self.inside(first.replace("install -y", "install -y --download-only") + " curl openssl")
        self.inside("apt-get install -y --no-install-recommends python3-venv")
        subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, self.folder / "root" / "grimbots.git"], check=True)
        subprocess.run(["git", "-C", self.folder / "root" / "grimbots.git", "tag", FIRST], check=True)
        self.download_packages()

    def download_packages(self) -> None:
        """Fetch the packages of pyproject.toml where pip finds them without a network."""
        wheels = self.folder / "root" / "wheels"
        wheels.mkdir(exist_ok=True)
        (python,) = self.folder.glob("usr/lib/python3.*/venv")
        version = python.parent.name.removeprefix("python")
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--only-binary=:all:",
            "--python-version",
            version,
        ]
        subprocess.run([*command, f"--dest={wheels}", "setuptools", "wheel", *read_dependencies()], check=True)
        conf = self.folder / "etc" / "pip.conf"
        conf.write_text("[global]\nno-index = true\nfind-links = /root/wheels\n")

    def inside(self, commands: str) -> None:
        """Run commands in the folder before it boots."""
        environ = ["--setenv=DEBIAN_FRONTEND=noninteractive"]
        console = ["--console=pipe", "--register=no", "--keep-unit"]
        line = ["systemd-nspawn", "--quiet", f"--directory={self.folder}", *console, *environ, "/bin/sh", "-euc"]
        subprocess.run([*line, commands], check=True)

    @contextmanager
    def boot(self) -> Iterator[None]:
        """Keep it running, alone on its own loopback."""
        flags = [
            "--quiet",
            "--ephemeral",
            "--boot",
            "--private-network",
            "--register=no",
            "--keep-unit",
            "--console=read-only",
        ]
        with (self.folder.parent / "boot.log").open("wb") as log:
            container = subprocess.Popen(
                ["systemd-nspawn", f"--directory={self.folder}", *flags], stdin=subprocess.DEVNULL, stdout=log
            )
        try:
            self.leader = self._find_leader(container)
            self.run("systemctl is-system-running --wait || true")
            yield
        finally:
            container.terminate()
            container.wait()

    def _find_leader(self, container: subprocess.Popen[bytes]) -> int:
        """Wait until its systemd answers, and give that one's pid."""
        children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline and container.poll() is None:
            for pid in map(int, children.read_text().split()):
                asking = self._enter(pid, "systemctl is-system-running")
                if subprocess.run(asking, capture_output=True, text=True).stdout.strip() in STATES:
                    return pid
            subprocess.run(["sleep", "0.5"])
        raise SystemExit("the machine does not boot")

    def _enter(self, leader: int, commands: str) -> list[str]:
        inside = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "HOME=/root", "LANG=C.UTF-8"]
        return [
            *("nsenter", f"--target={leader}", "--all", *inside, "DEBIAN_FRONTEND=noninteractive"),
            *("bash", "-euo", "pipefail", "-c", f"cd /root\n{commands}"),
        ]

    def run(self, commands: str, given: str = "") -> str:
        """Run commands on the booted machine as its root does; the first that fails ends them all."""
        print("\n".join(f"  $ {line}" for line in commands.splitlines()), flush=True)
        done = subprocess.run(self._enter(self.leader, commands), input=given, capture_output=True, text=True)
        print("\n".join(f"  | {line}" for line in (done.stdout + done.stderr).splitlines()), flush=True)
        if done.returncode:
            raise SystemExit(f"exit code {done.returncode}")
        return done.stdout


def read_dependencies() -> list[str]:
    """List what pyproject.toml asks for without any extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [str(name) for name in project["project"]["dependencies"]]


def rehearse(machine: Machine) -> None:
    """Walk the page from top to bottom, and try what it promises."""
    for step in read_steps(GUIDE):
        print(f"== {step.heading}", flush=True)
        commands = step.commands.replace("<version>", SECOND if step.heading == "A new version" else FIRST)
        for told, done in STANDING_IN.items():
            commands = commands.replace(told, done)
        prepare(machine, step)
        machine.run(commands, given=ADMINISTRATOR_PASSWORD)
        check(machine, step)
    print("== all of it worked", flush=True)


def prepare(machine: Machine, step: Step) -> None:
    """Do what a reader has done before a step."""
    if "grimbots migrate\n" in step.commands:
        machine.run(TELEGRAM)
    elif step.heading == "A new version":
        machine.run(NEW_VERSION.format(REPOSITORY, SECOND))
    elif step.heading == "Backups":
        machine.run(ENCRYPT)
    elif step.heading == "Restore":
        machine.run(DESTROY)


def check(machine: Machine, step: Step) -> None:
    """Look whether a step did what the page says."""
    if step.heading == "TLS and nginx":
        machine.run(f"apt-get install -y -qq curl >/dev/null\n{ASK}")
        machine.run(KILL)
    elif step.heading == "A new version":
        machine.run("readlink /opt/grimbots/current | grep -x /opt/grimbots/versions/second")
        machine.run(BAD_VERSION.format(REPOSITORY, BAD))
        machine.run(f"! /opt/grimbots/current/deploy/deploy.sh {BAD}")
        machine.run("readlink /opt/grimbots/current | grep -x /opt/grimbots/versions/second")
        machine.run("/opt/grimbots/current/deploy/deploy.sh --back")
        machine.run("/opt/grimbots/current/deploy/deploy.sh --back && /opt/grimbots/current/deploy/systemd/renew.sh")
    elif step.heading == "Restore":
        machine.run(f"grimbots account list | grep loja\n{ASK}")
        machine.run(
            "/opt/grimbots/current/deploy/systemd/uninstall.sh; /opt/grimbots/current/deploy/systemd/uninstall.sh"
        )


def main() -> None:
    """Rehearse the page in the folder that was given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    machine = Machine(parser.parse_args().folder.resolve())
    machine.fetch()
    with machine.boot():
        rehearse(machine)


if __name__ == "__main__":
    main()
