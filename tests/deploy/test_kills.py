"""Processes killed behind nginx, under supervisord and at a socket that systemd keeps: no webhook, no click fails.

GRIMBOTS_PROOF=1: 50 kills and 20 renewals in a drawn order, in five rounds of a minute; prints what it saw.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from grimbots.tests import rows
from grimbots.tests.deploy.fronts import (
    DEADLINE_SECONDS,
    DEPLOY,
    HOST,
    Front,
    run_nginx,
    wait_until,
)
from grimbots.tests.deploy.loads import (
    FIRST_RECIPIENT,
    Load,
    Trip,
    count_told,
    make_shop,
    run_load,
    run_telegram,
    start_campaign,
)
from grimbots.tests.deploy.supervisords import run_supervisord
from grimbots.tests.fakes.telegram import FakeTelegram
from grimbots.tests.ports import pick_port

SERVER = Path(__file__).parents[2] / "server.py"
PROGRAM = f"{sys.executable} {SERVER}"
# What is promised, and what a machine that does much else may take; `make proof` holds to the promise.
PROOF = bool(os.environ.get("GRIMBOTS_PROOF"))
MOST_SECONDS_AWAY = 2.0 if PROOF else DEADLINE_SECONDS
ROUNDS, KILLS, RENEWALS, RECIPIENTS = (5, 10, 4, 1200) if PROOF else (1, 3, 1, 100)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed: make front"),
]


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    with run_telegram() as running:
        yield running
    assert running.mistakes == []


@pytest.fixture
def environ(tmp_path: Path, database_url: str, flushed_redis_url: str, telegram: FakeTelegram) -> dict[str, str]:
    """Give the settings of an installation."""
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "REDIS_URL": flushed_redis_url,
        "GRIMBOTS_DATA": str(tmp_path),
        "TRUSTED_PROXIES": HOST,
        "TELEGRAM_URL": telegram.url,
    }


@pytest.fixture
def secret(environ: dict[str, str]) -> str:
    return asyncio.run(make_shop(environ))


@dataclass
class Deaths:
    """When who was killed was away, and the longest any webhook or click waited meanwhile."""

    load: Load
    spans: list[tuple[float, float]] = field(default_factory=list)
    waits_seconds: list[float] = field(default_factory=list)

    def kill(self, pids: Iterable[int], wait_whole: Callable[[], None]) -> None:
        """Kill some under load and wait until all is as before."""
        seen, killed_at = len(self.load.trips), time.monotonic()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_whole()
        self.spans.append((killed_at, time.monotonic()))
        wait_until(lambda: len(self.load.trips) > seen + 50, "the return of what was killed")
        self.waits_seconds.append(self.load.longest_seconds(seen))

    def explains(self, trip: Trip) -> bool:
        """Tell whether somebody was away while a call was under way."""
        return any(trip.overlaps(*span) for span in self.spans)


def judge(load: Load, environ: dict[str, str], deaths: Deaths, most_seconds: float) -> None:
    """Webhooks and clicks were answered in time, each accepted update acts once, and forms failed at kills only."""
    failed = [trip for trip in load.people if trip.failed]
    if PROOF:
        report(load, deaths, failed)
    assert {trip.status for trip in load.trips} == {200, 302}
    assert max(deaths.waits_seconds) < most_seconds
    assert [trip for trip in failed if not deaths.explains(trip)] == []
    assert len(failed) <= len(deaths.spans)  # one form was under way at a time
    count = "SELECT count(*), count(DISTINCT update_id) FROM applied_updates"
    wait_until(lambda: rows.query(environ["DATABASE_URL"], count) == [(len(load.accepted),) * 2], "the last update")


def report(load: Load, deaths: Deaths, failed: list[Trip]) -> None:
    waits = sorted(deaths.waits_seconds)
    print(
        f"\n{len(load.trips)} webhooks and clicks, {sum(trip.failed for trip in load.trips)} failed;"
        f" {len(load.people)} forms, {len(failed)} failed; {len(load.accepted)} updates accepted;"
        f" {len(waits)} kills: longest wait at one {waits[len(waits) // 2]:.2f} s (median), {waits[-1]:.2f} s (worst)"
    )


def judge_campaign(environ: dict[str, str], telegram: FakeTelegram) -> None:
    """Every recipient was told once; where that cannot be known, at most once, and the row says so."""
    query = partial(rows.query, environ["DATABASE_URL"])
    wait_until(lambda: query("SELECT status FROM campaigns") == [("finished",)], "the campaign's end", 300)
    open_ = "SELECT count(*) FROM messages WHERE status IN ('planned', 'sending')"
    wait_until(lambda: query(open_) == [(0,)], "the campaign's last message", 120)
    told = count_told(telegram)
    sent = {chat for (chat,) in query("SELECT chat_id FROM messages WHERE status = 'sent'")}
    uncertain = {chat for (chat,) in query("SELECT chat_id FROM messages WHERE status = 'uncertain'")}
    if PROOF:
        print(f"campaign: {len(sent)} sent, {len(uncertain)} uncertain, {sum(told.values())} calls")
    assert sent | uncertain == set(range(FIRST_RECIPIENT, FIRST_RECIPIENT + RECIPIENTS))
    assert max(told.values()) == 1
    assert sent <= set(told)


@contextmanager
def run_front(folder: Path, certificate: Path, port: int) -> Iterator[Front]:
    (folder / "nginx").mkdir()
    with run_nginx(folder / "nginx", certificate, port) as front:
        wait_until(lambda: front.ask("GET", "/ready").status == 200, "the first answer")
        yield front


def renew(folder: Path) -> None:
    environ = {**os.environ, "SUPERVISORCTL": f"supervisorctl -c {folder}/supervisord.conf"}
    subprocess.run([DEPLOY / "supervisor" / "renew.sh"], env=environ, check=True, capture_output=True)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_no_call_fails_while_supervised_processes_are_killed_and_renewed(
    tmp_path: Path, certificate: Path, environ: dict[str, str], secret: str, telegram: FakeTelegram, seed: int
) -> None:
    if shutil.which("supervisord") is None:
        pytest.skip("supervisord is not installed: make front")
    port, chance = pick_port(), random.Random(seed)
    acts = ["kill"] * KILLS + ["renew"] * RENEWALS
    chance.shuffle(acts)
    asyncio.run(start_campaign(environ, RECIPIENTS))
    with run_supervisord(tmp_path, port, environ, PROGRAM) as control, run_front(tmp_path, certificate, port) as front:

        def find_pids() -> set[int]:
            return {int(pid) for pid in re.findall(r"RUNNING\s+pid (\d+)", control("status"))}

        with run_load(front, secret) as load:
            deaths = Deaths(load)
            for act in acts:
                before = find_pids()
                if act == "renew":
                    renew(tmp_path)
                    assert before & find_pids() == set()
                    continue
                killed, other = chance.sample(sorted(before), 2)
                deaths.kill([killed], lambda gone=killed: wait_until(lambda: len(find_pids() - {gone}) == 2, "another"))
                assert other in find_pids()
        judge(load, environ, deaths, MOST_SECONDS_AWAY)
        judge_campaign(environ, telegram)


class Systemd:
    """Does systemd's part of grimbots@.service: keeps the socket as descriptor 3, and starts again whatever ends."""

    def __init__(self, folder: Path, port: int, environ: dict[str, str]) -> None:
        self.log, self.environ = folder / "serve.log", environ
        self.socket = socket.create_server((HOST, port), backlog=1024)
        self.processes = [self.start(slot) for slot in range(2)]

    def start(self, slot: int) -> subprocess.Popen[bytes]:
        """Start a process, as ExecStart says."""
        command = [sys.executable, str(SERVER), "serve", f"--socket={self.socket.fileno()}"]
        environ = {**self.environ, "GRIMBOTS_SLOT": str(slot)}
        with self.log.open("ab") as log:
            return subprocess.Popen(command, env=environ, stdout=log, stderr=log, pass_fds=[self.socket.fileno()])

    def restart(self, slots: Iterable[int]) -> None:
        """Do what Restart=always does, and wait until they serve."""
        ready = self.count_ready()
        for slot in slots:
            self.processes[slot].wait()
            self.processes[slot] = self.start(slot)
        wait_until(lambda: self.count_ready() == ready + len(list(slots)), "the return")

    def count_ready(self) -> int:
        """Count the processes that have said that they serve."""
        return self.log.read_text().count("serving http")


@pytest.fixture
def systemd(tmp_path: Path, environ: dict[str, str], secret: str) -> Iterator[Systemd]:
    made = Systemd(tmp_path, pick_port(), environ)
    wait_until(lambda: made.count_ready() == 2, "the start")
    yield made
    for process in made.processes:
        process.terminate()
        process.wait()
    made.socket.close()


def test_no_call_fails_while_one_and_then_all_are_killed_behind_a_kept_socket(
    tmp_path: Path, certificate: Path, environ: dict[str, str], secret: str, systemd: Systemd
) -> None:
    port = systemd.socket.getsockname()[1]
    with run_front(tmp_path, certificate, port) as front, run_load(front, secret) as load:
        deaths = Deaths(load)
        for slots in ([0], [0, 1]):
            deaths.kill([systemd.processes[slot].pid for slot in slots], partial(systemd.restart, slots))
    judge(load, environ, deaths, DEADLINE_SECONDS)  # how long two Pythons take to start says nothing of us
