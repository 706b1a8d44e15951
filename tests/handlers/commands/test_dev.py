"""`grimbots dev` as a process: what `make run` starts, keeps alive, stops, and finds again after a kill."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from grimbots.handlers.commands.embedded.children import find_holders
from grimbots.tests.ports import pick_port

ROOT = Path(__file__).parents[3]
SERVER = ROOT / "server.py"
DEMO = ROOT / "handlers" / "commands" / "demo"
DEADLINE_SECONDS = 60.0


class Dev:
    """A `grimbots dev` over a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = pick_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = {"PATH": os.environ["PATH"], "PORT": str(self.port), "GRIMBOTS_DATA": str(folder / "var")}
        self.output = folder / "output"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait for its screen."""
        with self.output.open("wb") as output:
            command = [sys.executable, str(SERVER), "dev"]
            self.process = subprocess.Popen(command, stdout=output, stderr=output, env=self.environ, cwd=self.folder)
        self.wait_for("GrimBots is running.")

    def wait_for(self, text: str) -> None:
        """Wait until it has printed `text`."""
        assert self.process is not None
        wait_until(lambda: text in self.read() or self.process.poll() is not None)  # type: ignore[union-attr]
        assert text in self.read(), self.read()

    def read(self) -> str:
        """Give what it has printed."""
        return self.output.read_text()

    def send(self, number: signal.Signals) -> int:
        """Send it a signal and give its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_SECONDS)

    def list_children(self) -> list[int]:
        """List its processes."""
        assert self.process is not None
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def find_child(self, command: str) -> int:
        """Find one of its own processes by its command."""
        found = [pid for pid in self.list_children() if command in Path(f"/proc/{pid}/cmdline").read_text().split("\0")]
        return found[0]

    def run(self, *arguments: str, given: str = "") -> str:
        """Run a command beside it, as in another shell, and give what it printed."""
        environ = {name: value for name, value in self.environ.items() if name != "PORT"}
        done = subprocess.run(
            [sys.executable, str(SERVER), *arguments],
            input=given,
            capture_output=True,
            text=True,
            env=environ,
            cwd=self.folder,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, path: str, body: Any = None) -> Any:
        """GET, or POST a JSON body, and give the JSON answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as response:
            return json.loads(response.read())


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        os.sched_yield()
        signal.sigtimedwait([], 0.02)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url):
            return True
    except urllib.error.HTTPError as refused:
        refused.close()
        return False
    except OSError:
        return False


@pytest.fixture
def dev() -> Iterator[Dev]:
    """Give a dev that is not started; what it started ends with the test."""
    with tempfile.TemporaryDirectory(prefix="grimbots-dev-") as name:
        Path(name).chmod(0o755)
        made = Dev(Path(name))
        yield made
        if made.process is not None and made.process.poll() is None:
            made.send(signal.SIGTERM)
        data = made.folder / "var"
        wait_until(lambda: not find_holders(data / "postgres", "postgres") + find_holders(data / "redis", "redis"))


@pytest.mark.slow
def test_dev_shows_what_to_open_and_leaves_nothing_behind(dev: Dev) -> None:
    dev.start()
    assert f"{dev.url}/sandbox" in dev.read()
    assert f"{dev.url}/go/demo" in dev.read()
    assert dev.ask("/ready") == {"status": "ready"}
    assert answers(f"{dev.url}/sandbox"), dev.read()
    children = dev.list_children()
    assert len(children) == 4
    assert dev.send(signal.SIGINT) == 0
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
    assert not (dev.folder / "var" / "dev.json").exists()


@pytest.mark.slow
def test_dev_shows_a_link_that_logs_in_to_the_sales_once(dev: Dev) -> None:
    dev.start()
    (link,) = re.findall(rf"{dev.url}/login/link/\S+", dev.read())
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    page = browser.open(link).read().decode()
    fields = dict(re.findall(r'name="(form|token)" value="([^"]*)"', page.partition('action="/login/link"')[2]))
    sales = browser.open(f"{dev.url}/login/link", urlencode(fields).encode())
    assert (sales.url, "@demo_bot" in sales.read().decode()) == (f"{dev.url}/sales/demo", True)
    again = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    page = again.open(link).read().decode()
    fields |= re.findall(r'name="(form)" value="([^"]*)"', page)
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        again.open(f"{dev.url}/login/link", urlencode(fields).encode())
    refused.value.close()
    another = dev.run("user", "link", "demo@example.com").strip()
    assert another.startswith(f"{dev.url}/login/link/")
    assert another != link


@pytest.mark.slow
def test_dev_seeds_once(dev: Dev) -> None:
    for _ in range(2):
        dev.start()
        rows = [json.loads(line) for line in dev.run("bot", "list", "--json").splitlines()]
        assert [(row["account"], row["username"], row["funnel"]) for row in rows] == [("demo", "demo_bot", "demo")]
        links = [json.loads(line) for line in dev.run("pool", "list", "--json").splitlines()]
        assert [(row["account"], row["slug"], row["bots"]) for row in links] == [("demo", "demo", "@demo_bot")]
        assert dev.send(signal.SIGTERM) == 0


@pytest.mark.slow
def test_dev_starts_again_after_every_kill(dev: Dev) -> None:
    """The whole of it, then each part while it runs."""
    dev.start()
    dev.send(signal.SIGKILL)
    dev.start()
    for command, said in (("serve", "The server ended"), ("sandbox", "The sandbox ended")):
        os.kill(dev.find_child(command), signal.SIGKILL)
        dev.wait_for(said)
    wait_until(lambda: answers(f"{dev.url}/ready") and answers(f"{dev.url}/sandbox"))
    stores = {"postgres": "Postgres ended", "redis": "Redis ended"}
    for program, said in stores.items():
        children = set(dev.list_children())
        holders = find_holders(dev.folder / "var" / program, program)
        os.kill(next(pid for pid in holders if pid in children), signal.SIGKILL)
        dev.wait_for(said)
        wait_until(lambda program=program: find_holders(dev.folder / "var" / program, program))
    wait_until(lambda: answers(f"{dev.url}/health"))
    assert "demo_bot" in dev.run("bot", "list")
    assert dev.send(signal.SIGTERM) == 0


@pytest.mark.slow
def test_dev_takes_a_second_bot_by_the_commands_of_the_readme(dev: Dev) -> None:
    dev.start()
    assert "nothing to mend" in dev.run("funnel", "check", str(DEMO / "demo.json"))
    dev.run("funnel", "publish", str(DEMO / "demo.json"), "--account", "demo", "--name", "meu-funil")
    token = dev.run("sandbox", "new-bot", "meu_bot")
    assert dev.url in dev.run("bot", "add", "--account", "demo", "--funnel", "meu-funil", given=token)
    chat = "/sandbox/api/bots/meu_bot/chats/7/messages"
    dev.ask(chat, {"text": "/start"})
    wait_until(lambda: any(message["from"]["is_bot"] for message in dev.ask(chat)))


@pytest.mark.slow
def test_dev_seeds_nothing_where_stores_are_named(dev: Dev, database_url: str, flushed_redis_url: str) -> None:
    dev.environ |= {"DATABASE_URL": database_url, "REDIS_URL": flushed_redis_url}
    dev.start()
    assert len(dev.list_children()) == 1
    assert "/sandbox" not in dev.read()
    with pytest.raises(urllib.error.HTTPError, match="404") as unknown:
        dev.ask("/sandbox")
    unknown.value.close()
    assert dev.run("bot", "list", "--json") == ""


def test_dev_names_a_taken_port_and_what_to_do(dev: Dev) -> None:
    import socket

    with socket.create_server(("127.0.0.1", dev.port)):
        done = subprocess.run(
            [sys.executable, str(SERVER), "dev"], capture_output=True, text=True, env=dev.environ, cwd=dev.folder
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"grimbots: Port {dev.port} of 127.0.0.1 is taken")
    assert "make run" in done.stderr
    assert len(done.stderr.splitlines()) == 1
