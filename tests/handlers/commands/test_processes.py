"""The parent of `grimbots serve --processes` over small children that become ready when a test lets them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

DEADLINE_SECONDS = 30.0
CHILD = """
import os, pathlib, signal, sys, time
from grimbots.handlers.commands.notices import READY, notify

folder = pathlib.Path(sys.argv[1])
(folder / f"begun-{os.getpid()}").touch()
while not (folder / "gate").exists():
    time.sleep(0.01)
notify(READY)
signal.pause()
"""


class Parent:
    """A parent with one child, and what it says in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.gate = folder, folder / "gate"
        self.gate.touch()
        child = [sys.executable, "-c", CHILD, str(folder)]
        with (folder / "parent.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "grimbots.tests.queue.parent", "1", *child], stdout=log, stderr=log
            )

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds; the parent lives."""
        deadline = monotonic() + DEADLINE_SECONDS
        while not condition():
            assert monotonic() < deadline and self.process.poll() is None, self.read()
            signal.sigtimedwait([], 0.01)

    def read(self) -> str:
        """Give what it has said."""
        return (self.folder / "parent.log").read_text()

    def list_begun(self) -> set[int]:
        """List the pids of all children there ever were."""
        return {int(path.name.removeprefix("begun-")) for path in self.folder.glob("begun-*")}


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Parent]:
    started = Parent(tmp_path)
    yield started
    started.gate.touch()
    started.process.terminate()
    assert started.process.wait(DEADLINE_SECONDS) == 0


def test_renewal_replaces_a_process_that_was_just_being_started(parent: Parent) -> None:
    parent.wait_until(lambda: "1 processes serve" in parent.read())
    (killed,) = parent.list_begun()
    parent.gate.unlink()
    os.kill(killed, signal.SIGKILL)
    parent.wait_until(lambda: len(parent.list_begun()) == 2)  # it has read its settings, and is not ready
    (halfway,) = parent.list_begun() - {killed}
    parent.process.send_signal(signal.SIGHUP)
    parent.wait_until(lambda: "renewing every process" in parent.read())
    parent.gate.touch()
    parent.wait_until(lambda: "every process is a new one" in parent.read())
    (last,) = parent.list_begun() - {killed, halfway}
    assert f"Process 0 is ready (pid {last})" in parent.read()
    assert not Path(f"/proc/{halfway}").exists()
