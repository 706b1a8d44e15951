"""supervisord on the shipped section, in a folder of its own."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from grimbots.tests.deploy.fronts import DEPLOY, HOST, render, run_server

OURS = ("PATH", "PYTHONPATH")  # of the environment, and no settings

MAIN = """\
[supervisord]
nodaemon=true
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
[unix_http_server]
file={folder}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/supervisor.sock
[include]
files={folder}/grimbots.conf
"""


@contextmanager
def run_supervisord(
    folder: Path, port: int, environ: Mapping[str, str], program: str, start_seconds: int = 1
) -> Iterator[Callable[..., str]]:
    """Run two processes of `program` under it, its user, paths, port and settings ours; give its supervisorctl."""
    settings = folder / "grimbots.env"
    settings.write_text("".join(f"{name}={value}\n" for name, value in environ.items() if name not in OURS))
    changes = {
        "tcp://127.0.0.1:8080": f"tcp://{HOST}:{port}",
        "/opt/grimbots/current/.venv/bin/grimbots": program,
        "/etc/grimbots/grimbots.env": str(settings),
        "/var/lib/grimbots": str(folder),
        "/var/log/grimbots": str(folder),
        "user=grimbots\n": "",
        "startsecs=1\n": f"startsecs={start_seconds}\n",
    }
    (folder / "grimbots.conf").write_text(render(DEPLOY / "supervisor" / "grimbots.conf", changes))
    (folder / "supervisord.conf").write_text(MAIN.format(folder=folder))

    def control(*arguments: str) -> str:
        command = ["supervisorctl", "-c", str(folder / "supervisord.conf"), *arguments]
        return subprocess.run(command, capture_output=True, text=True).stdout

    command = ["supervisord", "-c", str(folder / "supervisord.conf")]
    with run_server(command, folder / "supervisord.out", lambda: control("status").count("RUNNING") == 2):
        yield control


@dataclass(frozen=True)
class Pair:
    """Two processes that supervisord runs in a folder."""

    folder: Path
    control: Callable[..., str]

    def find_pids(self) -> list[int]:
        """Find who runs, by slot; that is not yet who serves."""
        return [int(pid) for pid in re.findall(r"RUNNING\s+pid (\d+)", self.control("status"))]

    def has_replaced(self, pid: int) -> bool:
        """Tell whether another was started in the place of one that was killed."""
        status = self.control("status")
        return not re.search(rf"pid {pid}\b", status) and len(re.findall(r"STARTING|RUNNING", status)) == 2

    def renew(self) -> subprocess.Popen[str]:
        """Begin to renew both."""
        places = {
            "SUPERVISORCTL": f"supervisorctl -c {self.folder}/supervisord.conf",
            "GRIMBOTS_ENV": f"{self.folder}/grimbots.env",
        }
        script, environ = DEPLOY / "supervisor" / "renew.sh", os.environ | places
        return subprocess.Popen([script], env=environ, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
