"""`make pictures`: the queues' pages under load, as docs/pictures has them: a town of shops at work, and a browser."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

from grimbots.conf.settings import load
from grimbots.handlers.commands.embedded.children import Child, spawn, stop, wait_ready
from grimbots.handlers.commands.embedded.postgres import start_postgres
from grimbots.handlers.commands.embedded.redis import start_redis
from grimbots.handlers.commands.supervisors import is_listening
from grimbots.queue.operators import Operator
from grimbots.server import build_app, now
from grimbots.sql.migrate import migrate
from grimbots.tests.bench.loads import Client
from grimbots.tests.browsers import ARGUMENTS, CHROMIUM
from grimbots.tests.fakes.provider import FakeProvider
from grimbots.tests.pictures.towns import EMAIL, Town, leave_traces, open_telegram
from grimbots.tests.ports import pick_port
from grimbots.tests.services.people import PASSWORD

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
DESK, TELEPHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
HEIGHTS = {1280: 1116, 390: 1720}  # of a picture, by the window's width: below 150 kB each
PAUSED = "b12"
PATIENCE_MS = 60_000
PAGES = {
    "drain": "/admin/queues/drain?kind=queue&name=tasks",
    "due": "/admin/queues/due",
    "job": "/admin/queues/job?id=u:8:700000907",
    "dead": "/admin/queues/dead?reason=attempts",
    "person": "/me",
}


async def run(folder: Path, seconds: float) -> None:
    """Start everything, let the town work, take the pictures, stop everything."""
    folder.mkdir(parents=True, exist_ok=True)
    async with open_town() as (town, port):
        working = asyncio.create_task(town.work(seconds + 600))
        await asyncio.sleep(seconds)
        await take_all(f"http://{HOST}:{port}", folder)
        working.cancel()
        await town.leave()


@asynccontextmanager
async def open_town() -> AsyncIterator[tuple[Town, int]]:
    """Start stores, Telegram, a provider and two processes of ours."""
    children, provider, town = list[Child](), FakeProvider(now), Town()
    telegram_port, port = pick_port(), pick_port()
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        data.chmod(0o755)  # Postgres runs as somebody else when we are root
        telegram = open_telegram(town, telegram_port)
        await provider.start()
        environ = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}
        environ |= {"HOST": HOST, "PORT": str(port), "GRIMBOTS_DATA": str(data), "GRIMBOTS_SANDBOX": "1"}
        environ |= {"GRIMBOTS_SANDBOX_URL": provider.url, "TELEGRAM_URL": f"http://{HOST}:{telegram_port}"}
        try:
            await _start(environ, data, children)
            await town.found(environ)
            await leave_traces(environ)
            server = [sys.executable, str(ROOT / "server.py"), "serve", "--processes", "2"]
            log = data / "server.log"
            child = spawn("server", server, stop_signal=signal.SIGTERM, environ=environ, log=log)
            children.append(child)
            await wait_ready(child, partial(is_listening, HOST, port), 60.0, log)
            async with build_app(load(environ), with_queue=True) as app:
                await Operator(app.queue).pause("source", PAUSED)
            town.client = Client(HOST, port)
            yield town, port
        finally:
            for child in reversed(children):
                await stop(child, 40.0)
            await provider.stop()
            telegram.stop()


async def _start(environ: dict[str, str], data: Path, children: list[Child]) -> None:
    environ["DATABASE_URL"], postgres = await start_postgres(data / "postgres", data / "postgres.log")
    children.append(postgres)
    environ["REDIS_URL"], redis = await start_redis(data / "redis", data / "redis.log")
    children.append(redis)
    await migrate(environ["DATABASE_URL"])


async def take_all(url: str, folder: Path) -> None:
    """Take every picture: at a desk and on a telephone, by day and by night; the other pages once."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for viewport, scheme in itertools.product((DESK, TELEPHONE), ("light", "dark")):
            locale = "en-US" if scheme == "dark" else "pt-BR"
            context = await browser.new_context(viewport=viewport, color_scheme=scheme, locale=locale)
            page = await context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            await _log_in(page, url)
            look = f"{'desk' if viewport is DESK else 'phone'}-{scheme}"
            await page.goto(f"{url}/admin/queues")
            await page.wait_for_selector("html[data-refreshes]")
            await _take(page, folder / f"queues-{look}.png", 0, HEIGHTS[viewport["width"]])
            if look == "desk-light":
                await _take(page, folder / "queues-desk-light-below.png", HEIGHTS[viewport["width"]], 900)
                for name, path in PAGES.items():
                    await page.goto(f"{url}{path}")
                    await _take(page, folder / f"{name}-{look}.png", 0, HEIGHTS[viewport["width"]])
            await context.close()
        await browser.close()


async def _log_in(page: Any, url: str) -> None:
    await page.goto(f"{url}/login")
    await page.fill("[name=email]", EMAIL)
    await page.fill("[name=password]", PASSWORD)
    await page.click("form.login button")
    await page.wait_for_url("**/sales/*")


async def _take(page: Any, file: Path, top: int, height: int) -> None:
    """Take a stripe of a page, as wide as the window and not higher than what is there."""
    whole = await page.evaluate("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": top, "width": page.viewport_size["width"], "height": min(height, whole - top)}
    await page.screenshot(path=file, full_page=True, clip=clip)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--seconds", type=float, default=420, help="how long the town works before the first picture")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.folder, arguments.seconds))


if __name__ == "__main__":
    main()
