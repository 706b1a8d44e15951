"""A sandbox on a free port, with a bot in it, and a webhook for the bot."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import tornado.ioloop

from grimbots.conf.settings import Settings, load
from grimbots.services.sandbox.server import build
from grimbots.tests.services.sandbox.drivers import Driver, Webhook

FIRST_INSTANT = 1_772_452_800.0


class Clock:
    """The sandbox's time in Unix seconds, which stands until a test moves it."""

    def __init__(self) -> None:
        self.now = FIRST_INSTANT

    def __call__(self) -> float:
        """Give the instant it stands at."""
        return self.now


@pytest.fixture
def sandbox_clock() -> Clock:
    """Give a standing clock."""
    return Clock()


@pytest.fixture
def sandbox_settings(tmp_path: Path) -> Settings:
    """Give settings of a sandbox on a free port."""
    return load({"GRIMBOTS_SANDBOX": "1", "GRIMBOTS_DATA": str(tmp_path), "GRIMBOTS_SANDBOX_URL": "http://127.0.0.1:0"})


@pytest.fixture
def sandbox(io_loop: tornado.ioloop.IOLoop, sandbox_settings: Settings, sandbox_clock: Clock) -> Iterator[Driver]:
    """Give a running sandbox with the bot @loja_bot."""
    server = build(sandbox_settings, sandbox_clock)
    io_loop.run_sync(server.start)
    driver = Driver(server)
    driver.token = io_loop.run_sync(partial(driver.make_bot, driver.username))
    yield driver
    io_loop.run_sync(server.stop)


@pytest.fixture
def webhook(io_loop: tornado.ioloop.IOLoop) -> Iterator[Webhook]:
    """Give a listening webhook."""
    made = Webhook()
    io_loop.run_sync(made.start)
    yield made
    io_loop.run_sync(made.stop)


@pytest.fixture
def served(io_loop: tornado.ioloop.IOLoop, sandbox: Driver, webhook: Webhook) -> Driver:
    """Give the sandbox with its bot's updates going to `webhook`."""
    io_loop.run_sync(partial(sandbox.call, "setWebhook", url=webhook.url, secret_token="s3cret"))
    return sandbox
