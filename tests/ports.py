"""Ports for the servers of tests: below those the kernel gives to callers, so that a caller never meets himself."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from itertools import cycle, islice

FIRST, LAST = 20_000, 32_700


def share_out(first: int, last: int, worker: str, workers: int) -> range:
    """Give the ports of one of pytest's processes (`gw0`, `gw1` ...): no two that run side by side share one."""
    size = (last - first) // workers
    begin = first + int(worker.removeprefix("gw")) * size
    return range(begin, begin + size)


_OURS = share_out(
    FIRST, LAST, os.environ.get("PYTEST_XDIST_WORKER", "gw0"), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
)
_START = random.randrange(len(_OURS))
_PORTS: Iterator[int] = cycle([*_OURS[_START:], *_OURS[:_START]])


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
