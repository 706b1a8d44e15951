"""Processes killed behind nginx, under supervisord and at a socket that systemd keeps: no webhook, no click fails.

GRIMBOTS_PROOF=1: 50 kills and 20 renewals in a drawn order, in five rounds of a minute; prints what it saw. A kill
strikes one of two that serve; in a pair the other dies before a successor serves, and what comes in waits for a start.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from grimbots.tests import rows
from grimbots.tests.deploy.fronts import (
    DEADLINE_SECONDS,
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
from grimbots.tests.deploy.supervisords import Pair, run_supervisord
from grimbots.tests.fakes.telegram import FakeTelegram
from grimbots.tests.ports import pick_port

SERVER = Path(__file__).parents[2] / "server.py"
PROGRAM = f"{sys.executable} {SERVER}"
# What is promised, and what a machine that does much else may take; `make proof` holds to the promise.
PROOF = bool(os.environ.get("GRIMBOTS_PROOF"))
MOST_SECONDS_AWAY = 2.0 if PROOF else DEADLINE_SECONDS
ROUNDS, KILLS, PAIRS, RENEWALS, RECIPIENTS = (5, 6, 2, 4, 1200) if PROOF else (1, 1, 1, 1, 100)

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
        "STATUS_PORT": str(pick_port(2)),
    }


@pytest.fixture
def secret(environ: dict[str, str]) -> str:
    return asyncio.run(make_shop(environ))


@dataclass
class Deaths:
    """When who was killed was away, and the longest any webhook or click waited: while another served, and at worst."""

    load: Load
    spans: list[tuple[float, float]] = field(default_factory=list)
    waits_seconds: list[float] = field(default_factory=list)
    gaps_seconds: list[float] = field(default_factory=list)

    def kill(self, pids: Iterable[int], wait_whole: Callable[[], None], *, spares_one: bool = True) -> None:
        """Kill some under load and wait until all is as before."""
        with self.watch(self.waits_seconds if spares_one else self.gaps_seconds):
            killed_at = []
            for pid in pids:
                killed_at.append(time.monotonic())
                os.kill(pid, signal.SIGKILL)
            wait_whole()
            self.spans += [(at, time.monotonic()) for at in killed_at]

    @contextmanager
    def watch(self, waits_seconds: list[float]) -> Iterator[None]:
        """Note the longest wait of what is under way meanwhile, and of some calls after it."""
        seen = len(self.load.trips)
        yield
        wait_until(lambda: len(self.load.trips) > seen + 50, "the return of what was away")
        waits_seconds.append(self.load.longest_seconds(seen))

    def explains(self, trip: Trip) -> bool:
        """Tell whether somebody was away while a call was under way."""
        return any(trip.overlaps(*span) for span in self.spans)


def judge(load: Load, environ: dict[str, str], deaths: Deaths, most_seconds: float) -> None:
    """Webhooks and clicks were answered in time, each accepted update acts once, and forms failed at kills only."""
    failed = [trip for trip in load.people if trip.failed]
    if PROOF:
        report(load, deaths, failed)
    assert {trip.status for trip in load.trips} == {200, 302}
    assert [trip for trip in failed if not deaths.explains(trip)] == []
    assert len(failed) <= len(deaths.spans)  # one form was under way at a time
    count = "SELECT count(*), count(DISTINCT update_id) FROM applied_updates"
    wait_until(lambda: rows.query(environ["DATABASE_URL"], count) == [(len(load.accepted),) * 2], "the last update")
    assert max(deaths.waits_seconds) < most_seconds


def report(load: Load, deaths: Deaths, failed: list[Trip]) -> None:
    waits, gaps = sorted(deaths.waits_seconds), ", ".join(f"{seconds:.2f}" for seconds in deaths.gaps_seconds)
    print(
        f"\n{len(load.trips)} webhooks and clicks, {sum(trip.failed for trip in load.trips)} failed;"
        f" {len(load.people)} forms, {len(failed)} failed; {len(load.accepted)} updates accepted;"
        f" {len(deaths.spans)} kills; longest wait at a kill or renewal {waits[len(waits) // 2]:.2f} s (median),"
        f" {waits[-1]:.2f} s (worst); with nobody left {gaps} s;"
        f" the machine held the callers themselves up for {load.held_up_seconds:.2f} s at worst"
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


def wait_whole(pair: Pair, status_port: int, gone: Set[int] = frozenset()) -> None:
    """Wait until two serve, and none of them is one of these."""
    ports = range(status_port, status_port + 2)
    wait_until(lambda: len(set(pair.find_pids()) - gone) == 2 and all(map(serves, ports)), "two that serve")


def serves(port: int) -> bool:
    """Tell whether the process of a status port serves."""
    try:
        urllib.request.urlopen(f"http://{HOST}:{port}/ready", timeout=DEADLINE_SECONDS).close()
    except urllib.error.HTTPError as refused:
        refused.close()
        return False
    except OSError:
        return False
    return True


def list_one_by_one(pair: Pair, pids: Iterable[int]) -> Iterator[int]:
    """Give each when the one given before was replaced: the socket lives as long as one process does."""
    for pid in pids:
        yield pid
        wait_until(partial(pair.has_replaced, pid), "another in its place")


def strike(act: str, pair: Pair, deaths: Deaths, chance: random.Random, wait: Callable[[Set[int]], None]) -> None:
    """Kill one, kill both but never at once, or renew both."""
    killed, other = chance.sample(pair.find_pids(), 2)
    match act:
        case "renew":
            with deaths.watch(deaths.waits_seconds), pair.renew() as renewing:
                assert renewing.wait() == 0
            assert {killed, other} & set(pair.find_pids()) == set()
        case "pair":
            deaths.kill(list_one_by_one(pair, (killed, other)), partial(wait, {killed, other}), spares_one=False)
        case "kill":
            deaths.kill([killed], partial(wait, {killed}))
            assert other in pair.find_pids()


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_no_call_fails_while_supervised_processes_are_killed_and_renewed(
    tmp_path: Path, certificate: Path, environ: dict[str, str], secret: str, telegram: FakeTelegram, seed: int
) -> None:
    if shutil.which("supervisord") is None:
        pytest.skip("supervisord is not installed: make front")
    port, chance = pick_port(), random.Random(seed)
    acts = ["kill"] * KILLS + ["pair"] * PAIRS + ["renew"] * RENEWALS
    chance.shuffle(acts)
    asyncio.run(start_campaign(environ, RECIPIENTS))
    with run_supervisord(tmp_path, port, environ, PROGRAM) as control, run_front(tmp_path, certificate, port) as front:
        pair = Pair(tmp_path, control)
        wait = partial(wait_whole, pair, int(environ["STATUS_PORT"]))
        wait()
        with run_load(front, secret) as load:
            deaths = Deaths(load)
            for act in acts:
                strike(act, pair, deaths, chance, wait)
        judge_campaign(environ, telegram)
        judge(load, environ, deaths, MOST_SECONDS_AWAY)  # how long they took last: what a busy machine may spoil


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
            pids = [systemd.processes[slot].pid for slot in slots]
            deaths.kill(pids, partial(systemd.restart, slots), spares_one=len(slots) == 1)
    judge(load, environ, deaths, DEADLINE_SECONDS)  # how long two Pythons take to start says nothing of us
