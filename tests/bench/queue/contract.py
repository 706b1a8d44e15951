"""What each system under test brings, and the command that runs it: `python -m ...peers.<name> <verb> <url> ...`.

    work <url> [slot]                 run jobs until killed; another slot is a worker that replaces nobody
    burst <url> <first> <jobs> <ms>   50 callers at once, each waiting for its own answer; prints the seconds it took
    trickle <url> <first> <jobs>      one job at a time, 20 to 60 ms apart; prints a line `<n> <sent at, ns>` for each

A job sleeps `ms` milliseconds, then adds the line `<n> <now, ns>` to the file that EFFECTS names. Times are the
machine's monotonic clock, so they compare across processes. Peers run in environments of their own: standard library
only here.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

CONCURRENCY = 50
CALLERS = 50
PADDING = "x" * 450  # with it a payload has about 500 bytes
LEAST_GAP_SECONDS, MOST_GAP_SECONDS = 0.02, 0.06

Send = Callable[[int, int], Awaitable[Any]]  # n, ms
Open = Callable[[str], AbstractAsyncContextManager[Send]]
Work = Callable[..., None]

_effects = os.open(os.environ.get("EFFECTS", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(n: int) -> None:
    """Write down that a job ran: one atomic write, kept whoever is killed next."""
    os.write(_effects, b"%d %d\n" % (n, time.monotonic_ns()))


async def run(n: int, ms: int, padding: str) -> None:
    """Do a job's work where jobs are coroutines."""
    if ms:
        await asyncio.sleep(ms / 1000)
    note(n)


def run_blocking(n: int, ms: int, padding: str) -> None:
    """Do a job's work where jobs are threads or processes."""
    if ms:
        time.sleep(ms / 1000)  # noqa: TID251 (it blocks a thread of its own)
    note(n)


async def _burst(send: Send, first: int, jobs: int, ms: int) -> None:
    numbers = iter(range(first, first + jobs))

    async def call() -> None:
        for n in numbers:
            await send(n, ms)

    began = time.monotonic()
    await asyncio.gather(*(call() for _ in range(CALLERS)))
    print(time.monotonic() - began)


async def _trickle(send: Send, first: int, jobs: int) -> None:
    gaps = random.Random(first)
    for n in range(first, first + jobs):
        await asyncio.sleep(gaps.uniform(LEAST_GAP_SECONDS, MOST_GAP_SECONDS))
        sent_at = time.monotonic_ns()
        await send(n, 0)
        print(n, sent_at)


async def _with_send(open_send: Open, url: str, act: Callable[..., Awaitable[None]], *numbers: int) -> None:
    async with open_send(url) as send:
        await act(send, *numbers)


VERBS: dict[str, Callable[..., Awaitable[None]]] = {"burst": _burst, "trickle": _trickle}


def main(open_send: Open, work: Work) -> None:
    """Do what the command line says."""
    verb, url, *rest = sys.argv[1:]
    numbers = [int(number) for number in rest]
    if verb == "work":
        work(url, *numbers)
    else:
        asyncio.run(_with_send(open_send, url, VERBS[verb], *numbers))
