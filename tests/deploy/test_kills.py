"""Processes killed behind nginx, under supervisord and at a socket that systemd keeps: no webhook, no click fails."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from grimbots.tests import rows
from grimbots.tests.deploy.fronts import (
    DEPLOY,
    HOST,
    Front,
    render,
    run_nginx,
    run_server,
    wait_until,
)
from grimbots.tests.deploy.loads import Load, make_shop, run_load
from grimbots.tests.ports import pick_port

SERVER = Path(__file__).parents[2] / "server.py"
# What is promised, and what a machine that does much else may take; `make proof` holds to the promise.
MOST_SECONDS_AWAY = 2.0 if os.environ.get("GRIMBOTS_PROOF") else 15.0
SUPERVISORD = """\
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

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed: make front"),
]


@pytest.fixture
def environ(tmp_path: Path, database_url: str, flushed_redis_url: str) -> dict[str, str]:
    """Give the settings of an installation whose Telegram is nobody."""
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "REDIS_URL": flushed_redis_url,
        "GRIMBOTS_DATA": str(tmp_path),
        "TRUSTED_PROXIES": HOST,
        "TELEGRAM_URL": f"http://{HOST}:{pick_port()}",
    }


@pytest.fixture
def secret(environ: dict[str, str]) -> str:
    return asyncio.run(make_shop(environ))


def list_children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def kill_and_wait(load: Load, pid: int, is_whole: Callable[[], bool]) -> float:
    """Kill one under load and wait until all is as before; give the longest any caller waited for an answer."""
    before, seen = len(load.statuses), len(load.waits_seconds)
    kill(pid)
    wait_until(lambda: len(load.statuses) > before + 50 and is_whole(), "the return of what was killed")
    return max(load.waits_seconds[seen:])


def judge(load: Load, environ: dict[str, str], waits_seconds: list[float]) -> None:
    """Every call was answered well and in time, and every accepted update is applied, once."""
    assert set(load.statuses) == {200, 302}
    assert max(waits_seconds) < MOST_SECONDS_AWAY
    count = "SELECT count(*), count(DISTINCT update_id) FROM applied_updates"
    wait_until(lambda: rows.query(environ["DATABASE_URL"], count) == [(len(load.accepted),) * 2], "the last update")


@contextmanager
def run_supervisord(folder: Path, port: int, environ: dict[str, str]) -> Iterator[Callable[..., str]]:
    """Run supervisord on the shipped section, its user, paths, port and settings ours; give its supervisorctl."""
    settings = folder / "grimbots.env"
    settings.write_text("".join(f"{name}={value}\n" for name, value in environ.items() if name != "PATH"))
    changes = {
        "tcp://127.0.0.1:8080": f"tcp://{HOST}:{port}",
        "/opt/grimbots/.venv/bin/grimbots": f"{sys.executable} {SERVER}",
        "/etc/grimbots/grimbots.env": str(settings),
        "/var/lib/grimbots": str(folder),
        "/var/log/grimbots": str(folder),
        "user=grimbots\n": "",
    }
    (folder / "grimbots.conf").write_text(render(DEPLOY / "supervisor" / "grimbots.conf", changes))
    (folder / "supervisord.conf").write_text(SUPERVISORD.format(folder=folder))

    def control(*arguments: str) -> str:
        command = ["supervisorctl", "-c", str(folder / "supervisord.conf"), *arguments]
        return subprocess.run(command, capture_output=True, text=True).stdout

    command = ["supervisord", "-c", str(folder / "supervisord.conf")]
    with run_server(command, folder / "supervisord.out", lambda: control("status").count("RUNNING") == 2):
        yield control


@contextmanager
def run_front(folder: Path, certificate: Path, port: int) -> Iterator[Front]:
    (folder / "nginx").mkdir()
    with run_nginx(folder / "nginx", certificate, port) as front:
        wait_until(lambda: front.ask("GET", "/ready").status == 200, "the first answer")
        yield front


def test_no_call_fails_while_supervised_processes_are_killed_and_renewed(
    tmp_path: Path, certificate: Path, environ: dict[str, str], secret: str
) -> None:
    if shutil.which("supervisord") is None:
        pytest.skip("supervisord is not installed: make front")
    port = pick_port()
    with run_supervisord(tmp_path, port, environ) as control, run_front(tmp_path, certificate, port) as front:

        def find_pids() -> set[int]:
            return {int(pid) for pid in re.findall(r"RUNNING\s+pid (\d+)", control("status"))}

        def is_replaced(pid: int) -> bool:
            return len(find_pids() - {pid}) == 2

        with run_load(front, secret) as load:
            waits = []
            for _ in range(3):
                killed, other = find_pids()
                waits.append(kill_and_wait(load, killed, partial(is_replaced, killed)))
                assert other in find_pids()
            before = find_pids()
            renewal = {**os.environ, "SUPERVISORCTL": f"supervisorctl -c {tmp_path}/supervisord.conf"}
            subprocess.run([DEPLOY / "supervisor" / "renew.sh"], env=renewal, check=True, capture_output=True)
            assert before & find_pids() == set()
        judge(load, environ, waits)


class Systemd:
    """Does systemd's part of grimbots.service: keeps the socket as descriptor 3, and starts again whatever ends."""

    def __init__(self, folder: Path, port: int, environ: dict[str, str]) -> None:
        self.log, self.environ = folder / "serve.log", environ
        self.socket = socket.create_server((HOST, port), backlog=1024)
        self.parent = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Start the parent, as ExecStart says."""
        command = [sys.executable, str(SERVER), "serve", "--processes", "2", f"--socket={self.socket.fileno()}"]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, env=self.environ, stdout=log, stderr=log, pass_fds=[self.socket.fileno()])

    def restart(self) -> None:
        """Do what Restart=always does."""
        self.parent.wait()
        self.parent = self.start()

    def count_ready(self) -> int:
        """Count the processes that have said they are ready."""
        return self.log.read_text().count("is ready (pid")


@pytest.fixture
def systemd(tmp_path: Path, environ: dict[str, str], secret: str) -> Iterator[Systemd]:
    port = pick_port()
    made = Systemd(tmp_path, port, environ)
    wait_until(lambda: made.count_ready() == 2 or made.parent.poll() is not None, "the start")
    yield made
    made.parent.terminate()
    made.parent.wait()
    made.socket.close()


def test_no_call_fails_while_parent_and_child_are_killed_and_renewed_behind_a_kept_socket(
    tmp_path: Path, certificate: Path, environ: dict[str, str], secret: str, systemd: Systemd
) -> None:
    port = systemd.socket.getsockname()[1]
    with run_front(tmp_path, certificate, port) as front, run_load(front, secret) as load:
        ready = systemd.count_ready()
        waits = [kill_and_wait(load, list_children(systemd.parent.pid)[0], lambda: systemd.count_ready() == ready + 1)]
        seen = len(load.waits_seconds)
        kill(systemd.parent.pid)
        systemd.restart()
        wait_until(lambda: systemd.count_ready() == ready + 3, "the return of both")
        waits.append(max(load.waits_seconds[seen:]))
        systemd.parent.send_signal(signal.SIGHUP)
        wait_until(lambda: "every process is a new one" in systemd.log.read_text(), "the renewal")
    judge(load, environ, waits)
