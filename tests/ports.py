"""Ports for the servers of tests: below those the kernel gives to callers, so that a caller never meets himself."""

from __future__ import annotations

import random
import socket

FIRST, LAST = 28_200, 32_700  # those of e2e/installation.py lie before


def pick_port(count: int = 1) -> int:
    """Pick a port nobody listens on now, nor on the `count` - 1 after it."""
    while True:
        first = random.randrange(FIRST, LAST - count)
        if all(map(_is_free, range(first, first + count))):
            return first


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
