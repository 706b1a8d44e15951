"""deploy/supervisor/renew.sh: nobody is renewed before the one renewed last serves."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from grimbots.tests.deploy.fronts import wait_until
from grimbots.tests.deploy.supervisords import Pair, run_supervisord
from grimbots.tests.ports import pick_port

# A process that runs at once, and serves when the file `serves` is there.
PROGRAM = """\
import http.server, os, pathlib, sys

folder = pathlib.Path(sys.argv[0]).parent

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        serves = (folder / "serves").exists()
        (folder / "asked").touch()
        self.send_response(200 if serves else 503)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", {status_port} + int(os.environ["GRIMBOTS_SLOT"])), Handler).serve_forever()
"""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    if shutil.which("supervisord") is None:
        pytest.skip("supervisord is not installed: make front")
    port, program = pick_port(3), tmp_path / "program.py"
    program.write_text(PROGRAM.format(status_port=port + 1))
    settings = {"STATUS_PORT": str(port + 1)}
    with run_supervisord(tmp_path, port, settings, f"{sys.executable} {program}", start_seconds=0) as control:
        yield Pair(tmp_path, control)


def test_the_next_is_renewed_when_the_one_before_serves(pair: Pair) -> None:
    before = pair.find_pids()
    with pair.renew() as renewing:
        wait_until((pair.folder / "asked").exists, "the question whether the first serves")
        first, second = pair.find_pids()
        assert (first != before[0], second) == (True, before[1])
        (pair.folder / "serves").touch()
        assert renewing.wait() == 0
    assert set(before) & set(pair.find_pids()) == set()


def test_nobody_is_renewed_who_cannot_be_asked(pair: Pair) -> None:
    before = pair.find_pids()
    (pair.folder / "grimbots.env").write_text("STATUS_PORT=0\n")
    said = pair.renew().communicate()[1]
    assert said.startswith("renew: set STATUS_PORT=9100 in ")
    assert pair.find_pids() == before
