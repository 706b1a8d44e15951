"""The pages in a browser, at a desk and on a telephone, by day and by night, with the mouse and by keyboard alone.

Pictures of every page go to the folder GRIMBOTS_PICTURES names, if it does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grimbots.queue.inspector import Inspector
from grimbots.services import logins
from grimbots.tests.browsers import DESK, TELEPHONE, browser
from grimbots.tests.handlers.admin.goods import fill
from grimbots.tests.services.people import PASSWORD, add_person
from grimbots.tests.services.shops import Shop

__all__ = ["browser"]

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("http_server")]
EMAIL = "ana@example.com"
LOOKS = [(DESK, "light"), (DESK, "dark"), (TELEPHONE, "light"), (TELEPHONE, "dark")]
PICTURES = os.environ.get("GRIMBOTS_PICTURES")


@pytest.fixture
def full(io_loop: Any, app: Any, shop: Shop, query: Callable[..., list[Any]], clock: Any) -> Shop:
    """Give the first account sales of every kind, and an owner who is an administrator too."""

    async def make() -> None:
        await fill(shop, query, clock)
        query(
            "INSERT INTO bot_webhooks (bot_id, account_id, state, host, state_since, pending_count, error, error_at,"
            " asked_at, seen_at) VALUES (%s, %s, 'taken', 'vendas.example.org', %s, 31, 'Connection timed out', %s, %s,"
            " %s)",
            *(shop.tenant.bot_id, shop.tenant.account_id, clock(), clock(), clock(), clock()),
        )
        await add_person(app, "ana", shop.tenant.name, administrator=True)

    io_loop.run_sync(make)
    return shop


class Window:
    """A page of the browser and what it complained of; a complaint at the end is a failure."""

    def __init__(self, page: Any, base_url: str, look: str) -> None:
        self.page, self.base_url, self.look = page, base_url, look
        self.complaints: list[str] = []
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)

    async def open(self, path: str) -> None:
        """Go to a page and see that it fits."""
        await self.page.goto(f"{self.base_url}{path}")
        await self.look_at(path)

    async def look_at(self, name: str) -> None:
        """Nothing stands out to the side; a picture, if they are wanted."""
        assert await self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        if PICTURES:
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            file = re.sub(r"\W+", "-", f"{name} {self.look}").strip("-") + ".png"
            await self.page.screenshot(path=Path(PICTURES) / file, full_page=True)

    async def log_in(self) -> None:
        """Log in by the form, with the keyboard: the first field has the focus already."""
        await self.page.goto(f"{self.base_url}/login")
        await self.page.wait_for_selector("[name=email]:focus")
        await self.page.keyboard.type(EMAIL)
        await self.page.keyboard.press("Tab")
        await self.page.keyboard.type(PASSWORD)
        await self.page.keyboard.press("Enter")
        await self.page.wait_for_url("**/sales/*")


async def open_window(browser: Any, base_url: str, viewport: dict[str, int] = DESK, scheme: str = "light") -> Window:
    """Open a window."""
    context = await browser.new_context(viewport=viewport, color_scheme=scheme, locale="pt-BR")
    look = f"{'desk' if viewport is DESK else 'phone'}-{scheme}"
    return Window(await context.new_page(), base_url, look)


@pytest.mark.gen_test
@pytest.mark.parametrize(("viewport", "scheme"), LOOKS)
async def test_pages_fit_and_complain_of_nothing(
    browser: Any, base_url: str, full: Shop, viewport: dict[str, int], scheme: str
) -> None:
    window = await open_window(browser, base_url, viewport, scheme)
    await window.open("/login")
    await window.page.fill("[name=email]", "ana@example.com")
    await window.page.fill("[name=password]", "wrong wrong")
    await window.page.click("form.login button")
    await window.page.wait_for_selector("[role=alert]")
    await window.look_at("login-wrong")
    complaint = window.complaints.pop()
    assert "401" in complaint  # the browser's own word on the answer
    await window.log_in()
    await window.open("/sales/tenant1?days=7")
    await window.page.click(".session summary")
    await window.look_at("menu")
    story = await window.page.get_attribute("tr:has(.state.failed) a", "href")
    await window.open(story)
    await window.open("/sales/tenant1/bots")
    await window.open("/sales/tenant1/messages")
    await window.page.click("details.act:has(button.danger) summary")
    await window.look_at("messages-discard")
    await window.open("/sales/tenant1/events")
    await window.open("/admin/queues")
    await window.page.click("li details.act summary")
    await window.look_at("queues-details")
    assert window.complaints == []
    await window.open("/sales/nobody")


@pytest.mark.gen_test
async def test_dead_job_is_run_again_and_another_deleted(browser: Any, base_url: str, full: Shop) -> None:
    window = await open_window(browser, base_url)
    await window.log_in()
    await window.open("/admin/queues")
    before = {dead.job.id for dead in await Inspector(full.app.queue).dead()}
    for button in ("primary", "danger"):
        await window.page.click(f"li:first-child details.act:has(button.{button}) summary")
        await window.page.click(f"li:first-child button.{button}")
        await window.page.wait_for_selector(".said")
    assert len({dead.job.id for dead in await Inspector(full.app.queue).dead()}) == len(before) - 2
    assert window.complaints == []


@pytest.mark.gen_test
@pytest.mark.parametrize("viewport", [DESK, TELEPHONE])
async def test_queue_is_paused_and_resumed(browser: Any, base_url: str, full: Shop, viewport: dict[str, int]) -> None:
    window = await open_window(browser, base_url, viewport)
    await window.log_in()
    await full.app.queue.hold_source("b1", 30)
    await window.open("/admin/queues")
    await window.page.click("summary:has-text('Pausar tasks')")
    await window.look_at("queues-pause")
    await window.page.click("details[open] button.danger")
    await window.page.wait_for_selector(".alert:has-text('Pausada: fila tasks')")
    await window.page.click("summary:has-text('Retomar tasks')")
    await window.look_at("queues-paused")
    await window.page.click("details[open] button.primary")
    await window.page.wait_for_selector(".said:has-text('Retomada')")
    assert await Inspector(full.app.queue).stops() == []
    assert window.complaints == []


@pytest.mark.gen_test
async def test_message_is_sent_again_by_keyboard_alone(
    browser: Any, base_url: str, full: Shop, query: Callable[..., list[Any]]
) -> None:
    window = await open_window(browser, base_url, TELEPHONE)
    await window.log_in()
    await window.open("/sales/tenant1/messages")
    keyboard = window.page.keyboard
    await keyboard.press("Tab")
    await keyboard.press("Enter")  # "skip to the content"
    for _ in range(20):
        await keyboard.press("Tab")
        if await window.page.evaluate("document.activeElement.matches('.act summary')"):
            break
    await keyboard.press("Enter")
    await keyboard.press("Tab")
    await keyboard.press("Enter")
    await window.page.wait_for_selector(".said:has-text('voltou para a fila')")
    assert query("SELECT count(*) FROM audit WHERE action = 'message.resend'") == [(1,)]
    assert window.complaints == []


@pytest.mark.gen_test
async def test_language_and_way_out(browser: Any, base_url: str, full: Shop) -> None:
    window = await open_window(browser, base_url)
    await window.log_in()
    await window.page.click(".languages [lang=en]")
    await window.page.wait_for_selector("h1:has-text('Sales')")
    await window.page.click(".session summary")
    await window.page.click("form[action='/logout/everywhere'] button")
    await window.page.wait_for_selector("h1:has-text('Log in to your account')")
    await window.page.go_back()
    await window.page.wait_for_selector("h1:has-text('Log in to your account')")
    assert window.complaints == []


@pytest.mark.gen_test
async def test_link_of_the_screen_opens_the_sales(browser: Any, base_url: str, full: Shop) -> None:
    window = await open_window(browser, base_url)
    await window.page.goto(f"{base_url}/login/link/{await logins.make_link(full.app, EMAIL)}")
    await window.look_at("login-link")
    await window.page.keyboard.press("Enter")  # its button has the focus
    await window.page.wait_for_selector("h1:has-text('Vendas')")
    assert window.complaints == []
