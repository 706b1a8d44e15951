"""A fake in a thread of its own: for commands, which have a loop of their own and leave none to the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tornado.ioloop

from grimbots.tests.fakes.gateways import FakeGateway


@contextmanager
def run_elsewhere(fake: FakeGateway) -> Iterator[None]:
    """Let a fake listen while the block lasts."""
    ready, loops = threading.Event(), list[Any]()

    def serve() -> None:
        loop = tornado.ioloop.IOLoop(make_current=False)
        loops.append(loop)
        loop.run_sync(fake.start)
        ready.set()
        loop.start()
        loop.run_sync(fake.stop)
        loop.close(all_fds=True)

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(30)
    yield
    loops[0].add_callback(loops[0].stop)
    thread.join(30)
