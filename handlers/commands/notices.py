"""What a process tells its supervisor, in systemd's words (sd_notify(3)): READY=1, and WATCHDOG=1 while its loop turns.

The supervisor names a datagram socket in NOTIFY_SOCKET: systemd (Type=notify), or the parent of `serve --processes`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket

from grimbots.handlers.commands.embedded.children import CannotStart

VARIABLE = "NOTIFY_SOCKET"
READY = "READY=1"
WATCHDOG = "WATCHDOG=1"


def notify(state: str) -> None:
    """Tell the supervisor, if there is one.

    Raises:
        CannotStart: there was one, and it has gone.
    """
    address = os.environ.get(VARIABLE)
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)
            sender.send(state.encode())
        except OSError as error:
            raise CannotStart(f"The supervisor that listened on {address} has gone: {error.strerror}") from error


async def feed_watchdog() -> None:
    """Tell systemd that this loop turns, twice in each WATCHDOG_USEC; no watchdog that means us, nothing to do."""
    is_ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    period_seconds = int(os.environ.get("WATCHDOG_USEC", "0")) / 1_000_000 if is_ours else 0
    while period_seconds:
        with contextlib.suppress(CannotStart):  # a supervisor that is away for a moment ends nothing
            notify(WATCHDOG)
        await asyncio.sleep(period_seconds / 2)


class NoticeBox:
    """Where one child's notices arrive. The kernel chooses its name; it goes with this process."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind("")  # a name nobody has, outside the file system (unix(7), "Autobind")
        self.address = self._socket.getsockname().replace(b"\0", b"@", 1).decode()

    async def is_ready(self) -> bool:
        """Tell whether the child has said that it is ready since this was asked last."""
        try:
            return READY in self._socket.recv(4096).decode().splitlines()
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()
