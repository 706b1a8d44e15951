"""Notices to a supervisor: READY=1 once, WATCHDOG=1 for as long as the loop turns."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import tornado.ioloop

from grimbots.handlers.commands.notices import feed_watchdog


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Give the socket systemd would listen on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as listening:
        listening.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def test_watchdog_is_fed_twice_in_its_time(
    io_loop: tornado.ioloop.IOLoop, box: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "200000")

    async def watch() -> list[float]:
        loop = asyncio.get_running_loop()
        feeding, fed_at = asyncio.create_task(feed_watchdog()), []
        for _ in range(3):
            assert await loop.sock_recv(box, 4096) == b"WATCHDOG=1"
            fed_at.append(loop.time())
        feeding.cancel()
        return fed_at

    first, *_, last = io_loop.run_sync(watch)
    assert last - first >= 0.19


def test_nothing_is_fed_where_nobody_watches(io_loop: tornado.ioloop.IOLoop, box: socket.socket) -> None:
    io_loop.run_sync(feed_watchdog)
    with pytest.raises(BlockingIOError):
        box.recv(4096)


def test_nothing_is_fed_for_somebody_else(
    io_loop: tornado.ioloop.IOLoop, box: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The processes of a parent that systemd watches have its environment."""
    monkeypatch.setenv("WATCHDOG_USEC", "2000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    io_loop.run_sync(feed_watchdog, timeout=30)
    with pytest.raises(BlockingIOError):
        box.recv(4096)


def test_feeding_goes_on_when_the_supervisor_is_away(
    io_loop: tornado.ioloop.IOLoop, box: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))

    async def watch() -> bytes:
        feeding = asyncio.create_task(feed_watchdog())
        await asyncio.wait([feeding], timeout=0.01)
        assert not feeding.done()
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notice = await asyncio.get_running_loop().sock_recv(box, 4096)
        feeding.cancel()
        return notice

    assert io_loop.run_sync(watch, timeout=30) == b"WATCHDOG=1"
