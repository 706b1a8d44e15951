"""`make audit`: what is vulnerable is named and fails; who cannot be asked is named and fails nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from grimbots.tests.ports import pick_port

AUDIT = Path(__file__).parents[2] / "deploy" / "audit.py"


@contextmanager
def open_osv(answer: Callable[[list[Any]], bytes]) -> Iterator[str]:
    """Give the address of a database that gives this answer to the questions it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"])
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", pick_port()), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/querybatch"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def audit(url: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "OSV_URL": url}
    return subprocess.run([sys.executable, str(AUDIT)], env=environ, capture_output=True, text=True, timeout=60)


def test_audit_names_what_is_vulnerable() -> None:
    asked: list[Any] = []

    def answer(questions: list[Any]) -> bytes:
        asked.extend(questions)
        sick = [question["package"]["name"] == "tornado" for question in questions]
        return json.dumps({"results": [{"vulns": [{"id": "PYSEC-1"}]} if one else {} for one in sick]}).encode()

    with open_osv(answer) as url:
        done = audit(url)
    assert done.returncode == 1
    assert "audit: tornado" in done.stdout
    assert "PYSEC-1" in done.stdout
    names = {question["package"]["name"] for question in asked}
    assert {"tornado", "redis", "aiohttp", "multidict", "psycopg2-binary", "urllib3"} <= names, "theirs too"
    assert not {"pytest", "hypothesis", "ruff"} & names
    assert all(question["version"] for question in asked)


def test_audit_passes_where_nothing_is_known() -> None:
    with open_osv(lambda questions: json.dumps({"results": [{} for _ in questions]}).encode()) as url:
        done = audit(url)
    assert (done.returncode, done.stdout.split(" of ")[0]) == (0, "audit: 0")


def test_audit_says_that_nobody_could_be_asked() -> None:
    with open_osv(lambda questions: b"<html>a proxy's page</html>") as url:
        page = audit(url)
    nowhere = audit(f"http://127.0.0.1:{pick_port()}")
    for done in (page, nowhere):
        assert done.returncode == 0
        assert "NOT DONE" in done.stdout
