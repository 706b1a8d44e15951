"""The parent of `grimbots serve --processes N`: it listens, and keeps a process per slot alive that accepts there.

The parent owns the listening sockets and the children inherit them, so a connection that nobody has accepted yet
belongs to no child and is not lost with one. The parent serves nothing itself and touches no store.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from socket import socket

from grimbots.handlers.commands.embedded.children import Child, spawn, stop, wait_ready
from grimbots.handlers.commands.notices import READY, VARIABLE, NoticeBox, feed_watchdog, notify
from grimbots.handlers.commands.supervisors import DRAIN_SECONDS, Supervisor

log = logging.getLogger(__name__)

START_SECONDS = 60.0

Command = Sequence[str | Path]


async def keep_processes(command: Command, slots: Sequence[int], sockets: Sequence[socket] = ()) -> None:
    """Keep a process of `command` per slot until SIGTERM or SIGINT, which stops them all; SIGHUP renews them in turn.

    A process learns its slot from GRIMBOTS_SLOT and its sockets from `--socket <descriptor>`; it says READY=1.

    Raises:
        CannotStart: one of them does not start the first time.
    """
    stopped, renewal = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number, event in ((signal.SIGTERM, stopped), (signal.SIGINT, stopped), (signal.SIGHUP, renewal)):
        loop.add_signal_handler(number, event.set)
    supervisor = Supervisor(log.warning)
    working = asyncio.create_task(_work(supervisor, command, slots, sockets, renewal))
    stopping, feeding = asyncio.create_task(stopped.wait()), asyncio.create_task(feed_watchdog())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        log.info("stopping every process")
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await supervisor.close_together()
        feeding.cancel()


async def _work(
    supervisor: Supervisor, command: Command, slots: Sequence[int], sockets: Sequence[socket], renewal: asyncio.Event
) -> None:
    """Start them all side by side, then renew them whenever told."""
    try:
        async with asyncio.TaskGroup() as group:
            for slot in slots:
                group.create_task(supervisor.add(partial(_start, command, slot, sockets)))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None  # one of them says enough
    notify(READY)
    log.info("%d processes serve", len(slots))
    while True:
        await renewal.wait()
        renewal.clear()
        log.info("renewing every process, one after the other")
        await supervisor.renew()
        log.info("every process is a new one")


async def _start(command: Command, slot: int, sockets: Sequence[socket]) -> Child:
    """Start one and wait until it is ready. Should the parent die, it drains and ends."""
    box = NoticeBox()
    descriptors = [listening.fileno() for listening in sockets]
    child = spawn(
        f"Process {slot}",
        [*command, *(f"--socket={descriptor}" for descriptor in descriptors)],
        stop_signal=signal.SIGTERM,
        environ={**os.environ, "GRIMBOTS_SLOT": str(slot), VARIABLE: box.address},
        descriptors=descriptors,
    )
    try:
        await wait_ready(child, box.is_ready, START_SECONDS, log=None)
    except BaseException:
        await stop(child, DRAIN_SECONDS)
        raise
    finally:
        box.close()
    log.info("%s is ready (pid %d)", child.name, child.process.pid)
    return child
