"""What a process does from its first moment on, whatever is away."""

from __future__ import annotations

import asyncio
import gc
import socket
from typing import Any

import pytest
from tornado.web import Application, RequestHandler

from grimbots import server
from grimbots.handlers.base import OpenRequests
from grimbots.handlers.roles import EVERYTHING
from grimbots.tests.queue.desks import wait_until


@pytest.mark.gen_test
async def test_duties_wait_for_no_claim(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With Redis away nothing is claimed; clicks and events go from the disk to Postgres all the same."""
    may_claim, stop = asyncio.Event(), asyncio.Event()

    async def wait_long(worker: Any) -> None:
        await may_claim.wait()

    monkeypatch.setattr(server, "_wait_claimed", wait_long)
    serving = asyncio.create_task(server._serve_app(app, EVERYTHING, [], stop))
    await wait_until(lambda: {"clicks", "events", "pools"} <= _list_done(app))
    may_claim.set()
    stop.set()
    assert await serving == 0
    gc.unfreeze()  # what serving froze


class _Hello(RequestHandler):
    def get(self) -> None:
        self.write("hello")


@pytest.mark.gen_test
async def test_a_request_that_crosses_the_end_of_its_connection_is_answered() -> None:
    """A process that was replaced reset the connection on which a form came: the proxy may not send that once more."""
    loop, serving = asyncio.get_running_loop(), server.make_server(Application([("/", _Hello)]))
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    serving.add_sockets([listening])
    with socket.create_connection(listening.getsockname()) as kept:
        kept.setblocking(False)
        for is_ending in (False, True):
            kept.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            if is_ending:
                serving.stop()
                await server._close(serving, OpenRequests())
            assert (await loop.sock_recv(kept, 1024)).startswith(b"HTTP/1.1 200 OK")
        assert await loop.sock_recv(kept, 1024) == b""


def _list_done(app: Any) -> set[str]:
    return {name for name, last in app.rounds.last.items() if last.has_succeeded}
