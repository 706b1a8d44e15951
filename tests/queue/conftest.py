"""Fixtures of the queue's own tests: a private Redis of each version that is promised, a shard on it, and a Cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tornado.ioloop

from grimbots.conf.settings import Settings
from grimbots.queue.dispatcher import Queue
from grimbots.tests.queue.deployments import Cluster, needs_sentinel, run_cluster
from grimbots.tests.queue.fuzz_servers import find_programs, private_server
from grimbots.tests.queue.notes import Notes
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


SUITES = {  # what must hold on a Cluster too
    "test_dispatcher",
    "test_operators",
    "test_task",
    "test_worker",
    "test_worker_drains",
    "test_worker_outcomes",
    "test_worker_waits",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the suites on a Cluster as well, save the tests that look into one server behind the queue's back."""
    suite = metafunc.module.__name__.rpartition(".")[2] in SUITES
    if suite and "queue" in metafunc.fixturenames and "flushed_redis_url" not in metafunc.fixturenames:
        kinds = ["server", pytest.param("cluster", marks=needs_sentinel)]
        metafunc.parametrize("queue", kinds, indirect=True)


@pytest.fixture
def notes() -> Notes:
    """Give the context of jobs that note that they ran."""
    return Notes()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Give the session's Cluster, on a loop of its own."""
    loop = asyncio.new_event_loop()
    running = run_cluster(Path(tmp_path_factory.mktemp("cluster")))
    yield loop.run_until_complete(running.__aenter__())
    loop.run_until_complete(running.__aexit__(None, None, None))
    loop.close()


@pytest.fixture
def queue(
    redis_url: str, io_loop: tornado.ioloop.IOLoop, request: pytest.FixtureRequest, settings: Settings
) -> Iterator[Queue]:
    """Give a started Queue on an emptied Redis. No worker runs: a test that needs one starts it."""
    if getattr(request, "param", "server") == "cluster":
        cluster: Any = request.getfixturevalue("cluster")
        io_loop.run_sync(cluster.flush)
        url = cluster.make_url(shards=3)
    else:
        url = request.getfixturevalue("flushed_redis_url")
    made = Queue(url, consumer_host="test", slot=0, queue_slots=settings.queue_slots)
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)
