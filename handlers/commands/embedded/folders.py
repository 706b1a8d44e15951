"""Folders for the private servers: one run at a time, sockets where only their owner reaches them."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO

from grimbots.handlers.commands.embedded.children import CannotStart

LOCK_FILE = "dev.lock"
LOCK_TRIES, LOCK_PAUSE_SECONDS = 50, 0.1
ELSEWHERE = "start with GRIMBOTS_DATA=<another folder> PORT=8090 make run"
SOCKET_PATH_BYTES = 107  # sun_path of unix(7), less its closing zero


async def lock_folder(folder: Path) -> BinaryIO:
    """Take `folder` for this process until the file is closed or the process dies; a run that is ending is waited for.

    Raises:
        CannotStart: another run holds it, or it is another user's.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = (folder / LOCK_FILE).open("ab")
    except PermissionError as error:
        raise CannotStart(f"{folder} is not writable for you: {ELSEWHERE}") from error
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(LOCK_PAUSE_SECONDS)
        else:
            return held
    held.close()
    raise CannotStart(f"Another `make run` uses {folder}: stop it, or {ELSEWHERE}")


def is_locked(folder: Path) -> bool:
    """Tell whether a run holds `folder`."""
    lock = folder / LOCK_FILE
    if not lock.exists():
        return False
    with lock.open("rb") as probe:
        try:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def choose_socket_folder(folder: Path, socket_name: str) -> Path:
    """Give `folder`, or a private one in the temp folder where the path is too long for the kernel or has a comma.

    (libpq reads a comma in `host` as the end of one host.)
    """
    if len(os.fsencode(folder / socket_name)) <= SOCKET_PATH_BYTES and "," not in str(folder):
        return folder
    short = Path(tempfile.gettempdir()) / f"grimbots-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
    short.mkdir(mode=0o700, exist_ok=True)
    found = short.lstat()
    owners = {os.geteuid(), folder.stat().st_uid}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners or found.st_mode & 0o077:
        raise CannotStart(f"{short} is not a private folder of ours: remove it and start again.")
    if os.geteuid() == 0:
        os.chown(short, folder.stat().st_uid, folder.stat().st_gid)
    return short
