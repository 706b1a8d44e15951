"""Segments: the files of a spool (services/spool.py), one line a record.

The process that writes or drains a segment holds its lock (flock) all that time; the kernel frees it when the process
ends, however it ends, and then another process of this machine may take the segment over. The folder must lie on a
local file system.

A line is the CRC-32 of what follows, a space, JSON, a newline. A process or a machine that dies while it writes leaves
a tail that is no such line: nobody was told that it is kept.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

SUFFIX, DAMAGED_SUFFIX = ".spool", ".damaged"
NUMBER = "[0-9]{20}"


@dataclass(frozen=True, slots=True)
class Portion:
    """Records read in a row. `damaged` counts lines before them or among them that cannot be read."""

    records: Sequence[dict[str, Any]]
    next_offset: int
    damaged: int


class Segment:
    """One file, locked by this process. What it says is durable when `append` has returned."""

    def __init__(self, path: Path, descriptor: int, size_bytes: int) -> None:
        self.path, self.size_bytes = path, size_bytes
        self._descriptor = descriptor

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines and wait until the disk has them.

        Raises:
            OSError: what was written is not known: nothing may be appended any more.
        """
        data = memoryview(b"".join(lines))
        self.size_bytes += len(data)
        while data:
            data = data[os.write(self._descriptor, data) :]
        os.fsync(self._descriptor)

    def read(self, offset: int, lines: int) -> Portion:
        """Read up to so many lines that begin at `offset`. A tail without its end is left out."""
        with self.path.open("rb") as file:
            file.seek(offset)
            whole = [line for line in islice(file, lines) if line.endswith(b"\n")]
        records = [record for record in map(decode, whole) if record is not None]
        return Portion(records, offset + sum(map(len, whole)), len(whole) - len(records))

    def remove(self) -> None:
        """Delete the file and let it go."""
        self.path.unlink()
        self.release()

    def set_aside(self) -> None:
        """Rename the file, so that it is kept for a person to look at, and let it go."""
        self.path.rename(self.path.with_suffix(DAMAGED_SUFFIX))
        self.release()

    def release(self) -> None:
        """Let the file go: whoever comes next may take it."""
        os.close(self._descriptor)


def create(folder: Path, name: str) -> Segment:
    """Make a new segment that comes after all there are."""
    while True:
        newest = max((int(path.stem.rpartition("-")[2]) for path in list_paths(folder, name)), default=0)
        path = folder / f"{name}-{max(time.time_ns(), newest + 1):020d}{SUFFIX}"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        if _lock(descriptor, path):
            _sync_folder(folder)
            return Segment(path, descriptor, 0)
        os.close(descriptor)  # somebody took it, empty as it was, before we could lock it


def adopt(path: Path) -> Segment | None:
    """Take over a segment that nobody holds; None when somebody does, or it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if _lock(descriptor, path):
        return Segment(path, descriptor, os.fstat(descriptor).st_size)
    os.close(descriptor)
    return None


def list_paths(folder: Path, name: str) -> list[Path]:
    """List the segments of a spool, anybody's, oldest first."""
    pattern = re.compile(f"{re.escape(name)}-{NUMBER}{re.escape(SUFFIX)}")
    return sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))


def measure(folder: Path, name: str) -> int:
    """Tell how many bytes a spool takes, in whosever segments."""
    sizes = (_find_size(path) for path in list_paths(folder, name))
    return sum(sizes)


def encode(record: Mapping[str, Any]) -> bytes:
    """Make a record's line."""
    body = json.dumps(record, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def decode(line: bytes) -> dict[str, Any] | None:
    """Read a line; None when it is not as it was written."""
    body = line[9:-1]
    if line[:9] != b"%08x " % zlib.crc32(body):
        return None
    record: dict[str, Any] = json.loads(body)
    return record


def _lock(descriptor: int, path: Path) -> bool:
    """Lock an open file, and see that it still lies at its path: its holder may have deleted it just before."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        return False


def _find_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
