"""A file a seller gives: bytes at hand, or a path on disk, of which only pieces are ever in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

HEAD_BYTES = 256 * 1024  # enough to tell a kind, and a picture's size behind whatever a camera writes first
CHUNK_BYTES = 64 * 1024  # larger ones lie about as garbage on their way through the driver: 50 MB cost 100

Source = bytes | Path


def measure(source: Source) -> int:
    """Give the size in bytes."""
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def read_head(source: Source) -> bytes:
    """Give the beginning."""
    if isinstance(source, bytes):
        return source[:HEAD_BYTES]
    with source.open("rb") as file:
        return file.read(HEAD_BYTES)


def read_chunks(source: Source) -> Iterator[bytes]:
    """Give all of it, piece by piece."""
    if isinstance(source, bytes):
        yield from (source[at : at + CHUNK_BYTES] for at in range(0, len(source), CHUNK_BYTES))
        return
    with source.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def digest(source: Source) -> str:
    """Give the sha256 of the content, in hex."""
    found = hashlib.sha256()
    for chunk in read_chunks(source):
        found.update(chunk)
    return found.hexdigest()
