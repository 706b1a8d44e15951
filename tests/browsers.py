"""The browser of the page tests: Debian's Chromium, where it is installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import tornado.ioloop

DESK, TELEPHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def choose_browser() -> dict[str, Any]:
    """Give what Playwright launches; without a Chromium the test is skipped."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: `make browser` installs Debian's")
    return {"executable_path": CHROMIUM, "args": ARGUMENTS}


@pytest.fixture
def browser(io_loop: tornado.ioloop.IOLoop) -> Iterator[Any]:
    """Give a headless Chromium."""
    chosen = choose_browser()
    from playwright.async_api import async_playwright

    manager = async_playwright()
    playwright: Any = io_loop.run_sync(manager.start)

    async def launch() -> Any:
        return await playwright.chromium.launch(**chosen)

    running: Any = io_loop.run_sync(launch)
    yield running
    io_loop.run_sync(running.close)
    io_loop.run_sync(playwright.stop)
