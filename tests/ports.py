"""Ports for the servers of tests: below those the kernel gives to callers, so that a caller never meets himself."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from itertools import cycle, islice

FIRST, LAST = 28_200, 32_700  # those of e2e/installation.py lie before
_START = random.randrange(FIRST, LAST)
_PORTS: Iterator[int] = cycle([*range(_START, LAST), *range(FIRST, _START)])


def pick_port(count: int = 1) -> int:
    """Pick a port nobody listens on now, nor on the `count` - 1 after it; none twice before all had their turn.

    A test picks for all its servers before one listens: drawn by lot, two of them got the same port at times.
    """
    while True:
        ports = list(islice(_PORTS, count))
        if ports[-1] - ports[0] == count - 1 and all(map(_is_free, ports)):
            return ports[0]


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
