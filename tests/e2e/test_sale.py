"""The whole sale as a newcomer sees it: `grimbots dev` on an empty folder: an ad's click, the chat, paid thrice.

Pictures of every stage go to the folder GRIMBOTS_PICTURES names, if it does.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grimbots.tests import rows
from grimbots.tests.browsers import choose_browser
from grimbots.tests.ports import pick_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS, STEP_MS = 90, 15_000
STORES = ("DATABASE_URL", "REDIS_URL", "GRIMBOTS_ENV")


class Shop:
    """A running `grimbots dev`."""

    def __init__(self, folder: Path) -> None:
        self.port = pick_port()
        self.data = folder / "var"
        self.url = f"http://127.0.0.1:{self.port}"
        environ = {name: value for name, value in os.environ.items() if name not in STORES}
        environ |= {"PORT": str(self.port), "GRIMBOTS_DATA": str(self.data)}
        self.output = (folder / "dev.log").open("wb")
        command = [sys.executable, ROOT / "server.py", "dev"]
        self.process = subprocess.Popen(command, env=environ, stdout=self.output, stderr=self.output)

    def wait_healthy(self) -> None:
        """Wait for the first healthy answer."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"grimbots dev ended: {Path(self.output.name).read_text()}"
            try:
                if self.ask("/health")["status"] == "healthy":
                    return
            except urllib.error.HTTPError as refused:
                refused.close()
            except OSError:  # not listening yet
                pass
            time.sleep(0.1)  # noqa: TID251  a test's thread, no loop here
        raise AssertionError(f"not healthy: {Path(self.output.name).read_text()}")

    def ask(self, path: str, body: Any = None) -> Any:
        """Call the main address and give its JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Read rows from the private Postgres."""
        return rows.query(json.loads((self.data / "dev.json").read_text())["DATABASE_URL"], statement)

    def read_link(self) -> str:
        """Find the link that logs in on the screen."""
        (link,) = re.findall(rf"{self.url}/login/link/\S+", Path(self.output.name).read_text(encoding="utf-8"))
        return str(link)

    def close(self) -> None:
        """Press Ctrl-C and wait for the end."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 0
        self.output.close()


@pytest.fixture
def shop(servers_folder: Path) -> Iterator[Shop]:
    folder = servers_folder / "sale"
    folder.mkdir()
    running = Shop(folder)
    try:
        running.wait_healthy()
        yield running
    finally:
        running.close()


@pytest.fixture
def page(shop: Shop) -> Iterator[Any]:
    chosen = choose_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chosen)
        page = browser.new_page(locale="pt-BR", viewport={"width": 1280, "height": 900})
        page.set_default_timeout(STEP_MS)
        yield page
        browser.close()


def _picture(page: Any, name: str) -> None:
    folder = os.environ.get("GRIMBOTS_PICTURES")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")


def _say(page: Any, text: str, stage: str) -> None:
    """Wait for a message of the bot that holds `text`."""
    page.wait_for_selector(f".theirs:has-text('{text}')")
    _picture(page, stage)


def _tap(page: Any, button: str) -> None:
    page.locator(f"button.key:has-text('{button}')").last.click()


@pytest.mark.slow
@pytest.mark.browser
def test_click_to_delivery_and_the_sale_with_its_click_in_a_browser(shop: Shop, page: Any) -> None:
    page.goto(f"{shop.url}/go/demo?utm_source=x&fbclid=y")
    assert page.url.startswith(f"{shop.url}/sandbox?bot=demo_bot&start=")
    page.wait_for_selector("#bot-status:has-text('@demo_bot')")
    _picture(page, "0-invited")
    page.click("#start")
    page.wait_for_selector(".theirs .picture img")
    _say(page, "manhãs mais leves", "1-welcome")
    _tap(page, "Quero conhecer o guia")
    _say(page, "Pagamento único de R$", "2-offer")
    _tap(page, "Quero o guia por")
    _say(page, "Antes de gerar o seu PIX", "3-bump")
    _tap(page, "Sim, quero incluir")
    _say(page, "000201", "4-pix")
    assert page.locator(".theirs .picture img").count() == 2
    charge = shop.ask("/sandbox/api/pix")[0]
    assert (charge["amount_cents"], charge["status"]) == (2980, "active")
    assert charge["code"] in page.inner_text("#log")
    page.locator("#charges .primary").first.click()
    _say(page, "Aqui está o seu acesso", "5-delivery")
    shop.ask(f"/sandbox/api/pix/{charge['txid']}/pay", {"times": 2})
    _tap(page, "Já paguei")
    _wait_for_events(shop, 3)
    assert page.locator(".theirs:has-text('Aqui está o seu acesso')").count() == 1
    assert shop.query("SELECT state, amount_cents FROM payments") == [("paid", 2980)]
    assert shop.query("SELECT status FROM deliveries") == [("delivered",)]
    _look_at_the_sale(shop, page)


def _look_at_the_sale(shop: Shop, page: Any) -> None:
    """Log in by the link of the screen and see the sale with its click."""
    page.goto(shop.read_link())
    page.click("main button")
    page.wait_for_selector("h1:has-text('Vendas')")
    _picture(page, "6-sales")
    assert "@demo_bot · x" in page.inner_text("#payments")
    page.click("#payments a")
    page.wait_for_selector("h1:has-text('Pagamento')")
    _picture(page, "7-payment")
    facts = dict(
        zip(page.locator(".facts dt").all_inner_texts(), page.locator(".facts dd").all_inner_texts(), strict=True)
    )
    told = {"Veio do link": "/go/demo", "Origem": "x", "Clique no anúncio (Meta)": "y"}
    assert facts | told == facts


def _wait_for_events(shop: Shop, number: int) -> None:
    """Wait until the provider's events are applied and no job is left that could deliver again."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        settled = shop.query("SELECT count(*) FROM provider_events WHERE status <> 'received'")[0][0]
        queues = shop.ask("/health")["checks"]["redis"]["queues"]
        if settled == number and not any(queue["pending"] + queue["in_flight"] for queue in queues):
            return
        time.sleep(0.1)  # noqa: TID251  a test's thread, no loop here
    raise AssertionError(f"{settled} of {number} events are settled; queues: {queues}")
