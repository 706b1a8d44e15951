"""Fixtures of the queue's own tests: a private Redis of each version that is promised, and a shard on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import tornado.ioloop

from grimbots.tests.queue.fuzz_servers import find_programs, private_server
from grimbots.tests.queue.shards import Shard


@pytest.fixture(scope="module", params=sorted(find_programs()))
def server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give a private Redis of each version."""
    with private_server(find_programs()[request.param]) as url:
        yield url


@pytest.fixture
def shard(io_loop: tornado.ioloop.IOLoop, server_url: str) -> Iterator[Shard]:
    """Give an empty shard with two registered consumers."""

    async def make() -> Shard:
        made = Shard(server_url)
        await made.open()
        return made

    made = io_loop.run_sync(make)
    yield made
    io_loop.run_sync(made.close)
