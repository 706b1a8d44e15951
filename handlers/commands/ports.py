"""Ports of this machine: taken or free, before anything is started."""

from __future__ import annotations

import socket

from grimbots.handlers.commands.embedded.children import CannotStart

TRIES = 50


def check_free(host: str, port: int) -> None:
    """Refuse a port somebody listens on.

    Raises:
        CannotStart: taken, or not for us; the message gives the command that helps.
    """
    try:
        _bind(host, port)
    except PermissionError as error:
        raise CannotStart(f"Port {port} is for root only: PORT=8080 make run") from error
    except OSError as error:
        other = find_free(host, port + 1)
        raise CannotStart(f"Port {port} of {host} is taken ({error.strerror}): PORT={other} make run") from error


def find_free(host: str, first: int) -> int:
    """Give the first free port from `first` on.

    Raises:
        CannotStart: none of the next fifty.
    """
    for port in range(first, min(first + TRIES, 65536)):
        try:
            _bind(host, port)
        except OSError:
            continue
        return port
    raise CannotStart(f"None of the ports from {first} on is free: PORT=<a free one> make run")


def _bind(host: str, port: int) -> None:
    """Listen for a moment, as Tornado would."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        probe.listen(1)
