"""`grimbots serve` as processes: several under a parent, web-only and worker-only ones, killed, renewed and stopped."""

from __future__ import annotations

import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from grimbots.handlers.commands.serve import allow_connections
from grimbots.tests.conftest import open_session
from grimbots.tests.ports import pick_port

SERVER = Path(__file__).parents[3] / "server.py"
HOST = "127.0.0.1"
DEADLINE_SECONDS = 30.0


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        signal.sigtimedwait([], 0.01)


def ask(port: int, path: str) -> tuple[int, Any]:
    """GET: the status, and what the JSON or the text says; (0, None) where nobody listens."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=DEADLINE_SECONDS) as answer:
            body = answer.read().decode()
            return answer.status, json.loads(body) if body.startswith("{") else body
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
    except OSError:
        return 0, None


class Serve:
    """A `grimbots serve` on the tests' stores, with what it says in a file."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        self.folder = folder
        self.first = pick_port(3)
        self.port, self.status_ports = self.first, (self.first + 1, self.first + 2)
        self.environ = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "PORT": str(self.port),
            "STATUS_PORT": str(self.first + 1),
            "GRIMBOTS_DATA": str(folder),
        }
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[bytes]:
        """Start one."""
        with (self.folder / "serve.log").open("ab") as log:
            command = [sys.executable, SERVER, "serve", *arguments]
            process = subprocess.Popen(command, env=self.environ | environ, stdout=log, stderr=log)
        self.started.append(process)
        return process

    def start_parent(self) -> subprocess.Popen[bytes]:
        """Start two processes under a parent and wait until both are ready; /health may be a second old."""
        parent = self.start("--processes", "2")
        wait_until(lambda: (self.is_whole() and len(self.list_consumers()) == 2) or parent.poll() is not None)
        assert parent.poll() is None, self.read()
        return parent

    def is_whole(self) -> bool:
        """Tell whether both processes claim."""
        return [ask(port, "/health")[0] for port in self.status_ports] == [200, 200]

    def read(self) -> str:
        """Give what they have said."""
        return (self.folder / "serve.log").read_text()

    def list_consumers(self) -> list[str]:
        """List who holds a lease, as any process sees it."""
        checks = ask(self.port, "/health")[1]["checks"]
        return sorted(consumer["name"] for consumer in checks["redis"]["consumers"])


@pytest.fixture
def serve(tmp_path: Path, database_url: str, flushed_redis_url: str) -> Iterator[Serve]:
    made = Serve(tmp_path, database_url, flushed_redis_url)
    yield made
    for process in made.started:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def list_children(parent: subprocess.Popen[bytes]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()]


def find_slot(pid: int) -> str:
    environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next(entry.decode() for entry in environ if entry.startswith(b"GRIMBOTS_SLOT="))


@contextmanager
def visitors(port: int) -> Iterator[list[int]]:
    """Ask /live over new connections, one after the other, meanwhile; gives the statuses (0: refused or cut)."""
    statuses: list[int] = []
    stopped = threading.Event()

    def visit() -> None:
        while not stopped.is_set():
            statuses.append(ask(port, "/live")[0])

    thread = threading.Thread(target=visit)
    thread.start()
    yield statuses
    stopped.set()
    thread.join()


@pytest.mark.slow
def test_parent_replaces_a_killed_process_in_its_slot(serve: Serve) -> None:
    parent = serve.start_parent()
    killed = list_children(parent)[0]
    slot, before = find_slot(killed), serve.list_consumers()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: killed not in list_children(parent) and len(list_children(parent)) == 2)
    wait_until(lambda: len(after := serve.list_consumers()) == 2 and after != before and serve.is_whole())
    assert sorted(map(find_slot, list_children(parent))) == ["GRIMBOTS_SLOT=0", "GRIMBOTS_SLOT=1"]
    assert f"Process {slot[-1]} ended (killed by signal 9): starting it again" in serve.read()
    assert parent.send_signal(signal.SIGTERM) is None
    assert parent.wait(DEADLINE_SECONDS) == 0


@pytest.mark.slow
def test_parent_renews_one_process_after_the_other_and_refuses_nobody(serve: Serve) -> None:
    parent = serve.start_parent()
    before = list_children(parent)
    with visitors(serve.port) as statuses:
        parent.send_signal(signal.SIGHUP)
        wait_until(lambda: "every process is a new one" in serve.read())
    assert set(before) & set(list_children(parent)) == set()
    assert set(statuses) == {200}
    assert len(statuses) > 10
    assert serve.is_whole()


@pytest.mark.slow
def test_parent_stops_all_with_it_and_leaves_no_lease(serve: Serve) -> None:
    parent = serve.start_parent()
    children = list_children(parent)
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(DEADLINE_SECONDS) == 0
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
    serve.start("--no-work")
    wait_until(lambda: ask(serve.port, "/ready")[0] == 200)
    assert serve.list_consumers() == []


@pytest.mark.slow
def test_children_end_with_a_killed_parent_whose_successor_serves_at_once(serve: Serve) -> None:
    parent = serve.start_parent()
    children = list_children(parent)
    parent.kill()
    parent.wait(DEADLINE_SECONDS)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
    serve.start_parent()


@pytest.mark.slow
def test_process_told_to_stop_says_so_and_finishes_what_it_has_begun(serve: Serve, database_url: str) -> None:
    process = serve.start()
    wait_until(lambda: ask(serve.port, "/ready")[0] == 200)
    kept = http.client.HTTPConnection(HOST, serve.port, timeout=DEADLINE_SECONDS)
    assert _read_status(kept, "/ready") == (200, "ready")
    with closing(kept), open_session(database_url) as run, ThreadPoolExecutor() as threads:
        run("BEGIN")
        run("LOCK TABLE bot_webhooks")  # what /health waits for
        begun = threads.submit(ask, serve.port, "/health")
        wait_until(lambda: run(LOOK_ANEW) and run(WAITING))
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: ask(serve.status_ports[0], "/ready") == (503, {"status": "draining"}))
        assert _read_status(kept, "/ready") == (503, "draining")
        assert ask(serve.port, "/ready") == (0, None), "nobody new is taken"
        assert process.poll() is None and not begun.done()
        run("COMMIT")
        assert begun.result()[0] == 200
    assert process.wait(DEADLINE_SECONDS) == 0


LOOK_ANEW = "SELECT pg_stat_clear_snapshot()"  # within a transaction pg_stat_activity stays as it was
# /health's own question, the last that it asks: a duty that waits for the same table says nothing of it.
WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%webhooks.sum_up%'"


def _read_status(connection: http.client.HTTPConnection, path: str) -> tuple[int, str]:
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())["status"]


@pytest.mark.slow
def test_worker_only_process_is_ready_while_it_claims(serve: Serve) -> None:
    serve.start("--no-http", "--queues", "tasks,webhook")
    wait_until(lambda: ask(serve.status_ports[0], "/ready") == (200, {"status": "ready"}))
    assert ask(serve.port, "/ready") == (0, None)
    code, report = ask(serve.status_ports[0], "/health")
    assert (code, report["status"]) == (200, "healthy")
    shown = {queue["queue"] for queue in report["checks"]["redis"]["queues"]}
    assert shown >= {"tasks", "webhook"}
    assert "gateway" not in shown  # nobody serves it, and it never held a job
    assert ask(serve.status_ports[0], "/go/promo")[0] == 404
    assert 'grimbots_queue_pending_jobs{queue="tasks"} 0.0' in ask(serve.status_ports[0], "/metrics")[1]


@pytest.mark.slow
def test_web_only_process_is_healthy_and_says_when_nobody_works(serve: Serve) -> None:
    serve.start("--no-work")
    wait_until(lambda: ask(serve.port, "/ready")[0] == 200)
    wait_until(lambda: ask(serve.port, "/health")[1]["warnings"] == ["no process runs jobs: they wait"])
    code, report = ask(serve.port, "/health")
    assert (code, report["status"]) == (200, "degraded")
    serve.start("--no-http", GRIMBOTS_SLOT="1")
    wait_until(lambda: ask(serve.port, "/health")[1]["status"] == "healthy")
    assert ask(serve.status_ports[1], "/health")[0] == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--queues", "tasks,nothing"], "grimbots: --queues names nothing; QUEUE_SLOTS has tasks, webhook"),
        (["--queues", "tasks", "--no-work"], "grimbots: --queues says whose jobs to run, --no-work to run none"),
        (["--no-http", "--no-work"], "not allowed with argument"),
        (["--socket", "77"], "grimbots: --socket names a descriptor that is no socket: Bad file descriptor"),
        (["--processes", "0"], "must be auto or a number from 1 to 256"),
    ],
)
def test_serve_refuses_what_contradicts_itself(serve: Serve, arguments: list[str], said: str) -> None:
    assert serve.start(*arguments).wait(DEADLINE_SECONDS) in (1, 2)
    assert said in serve.read()


def test_server_takes_every_open_file_it_may_have() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        allow_connections()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_parent_names_a_taken_port_in_one_sentence(serve: Serve) -> None:
    with socket.create_server((HOST, serve.port)):
        assert serve.start("--processes", "2").wait(DEADLINE_SECONDS) == 1
    assert serve.read() == f"grimbots: Cannot listen on port {serve.port} of {HOST}: Address already in use\n"


@pytest.mark.slow
def test_parent_ends_when_a_process_does_not_start_the_first_time(serve: Serve) -> None:
    assert serve.start("--processes", "2", DATABASE_URL="postgresql:///gone?host=/nowhere").wait(DEADLINE_SECONDS) == 1
    assert "did not start" in serve.read().splitlines()[-1]
