"""Names into addresses, in a few threads of one party: a name server that hangs keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

SHARED = "TCPConnector._resolve_host_with_throttle()"  # where aiohttp looks names up for all who ask at once
THREADS = 4  # per party; the look-ups of one name are shared, and kept for 10 s (aiohttp)


class Names(AbstractResolver):
    """The system's own resolver. A look-up that is given up goes on in its thread until the system gives up too."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="names")
        logging.getLogger("asyncio").addFilter(_is_for_somebody)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Find a name's addresses.

        Raises:
            OSError: it has none, or nobody says.
            UnicodeError: it can be no host's name.
        """
        infos = await asyncio.get_running_loop().run_in_executor(
            self._threads, socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG
        )
        return [_describe(host, found, protocol, address) for found, _, protocol, _, address in infos]

    async def close(self) -> None:
        """Start no more look-ups, and wait for none."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _is_for_somebody(record: logging.LogRecord) -> bool:
    """Leave out a look-up that failed when everybody had given it up: aiohttp drops it, asyncio of 3.14 tells it."""
    text = record.getMessage()
    return not ("exception in shielded future" in text and SHARED in text)


def _describe(host: str, family: socket.AddressFamily, protocol: int, address: tuple[Any, ...]) -> ResolveResult:
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address[0], port=address[1], family=family, proto=protocol, flags=numeric)
