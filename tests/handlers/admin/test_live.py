"""The operator's pages in a browser: fresh without a jump or a lost focus, whole without script, in nobody's way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from grimbots.handlers.admin import queues
from grimbots.queue.inspector import Inspector
from grimbots.services import samples
from grimbots.tests.browsers import DESK, TELEPHONE, browser
from grimbots.tests.handlers.admin.barriers import find_barriers
from grimbots.tests.handlers.admin.test_browser import EMAIL, Window, open_window
from grimbots.tests.handlers.admin.test_queues import make_job
from grimbots.tests.services.people import PASSWORD, add_person

__all__ = ["browser"]

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("http_server")]
PATIENCE_MS = 30_000
PLACES = "() => [...document.querySelectorAll('h1, h2, section')].map((one) => one.getBoundingClientRect().top)"
FOCUSED = "() => document.activeElement.getAttribute('href')"
PAGES = {
    "queues": "/admin/queues",
    "dead": "/admin/queues/dead?reason=junk",
    "due": "/admin/queues/due",
    "job": "/admin/queues/job?id=u:1:1",
    "drain": "/admin/queues/drain?kind=queue&name=tasks",
    "requeue": "/admin/queues/requeue/all?reason=junk",
    "audit": "/admin/audit",
    "person": "/me",
    "code": "/me/code",
}


@pytest.fixture
def busy(io_loop: Any, app: Any, accounts: Any) -> Any:
    """Give queues with something of everything, and an administrator who owns the first account."""

    async def make() -> None:
        await add_person(app, "ana", accounts[0].name, administrator=True)
        await app.queue.bury(make_job("u:1:1"), "junk")
        await app.queue.enqueue(make_job("u:1:2"))
        await app.queue.hold_source(f"b{accounts[0].bot_id}", 90)
        await samples.take(app)

    io_loop.run_sync(make)
    return app


async def enter(browser: Any, base_url: str, *look: Any) -> Window:
    """Open a window and log in."""
    window = await open_window(browser, base_url, *look)
    await window.log_in()
    return window


async def wait_rounds(page: Any, count: int) -> None:
    """Wait until the script has had its turn so many times more."""

    async def read() -> int:
        return int(await page.get_attribute("html", "data-refreshes") or 0)

    last = await read() + count
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while await read() < last:
            await page.wait_for_timeout(50)


@pytest.mark.gen_test(timeout=90)
@pytest.mark.parametrize("viewport", [DESK, TELEPHONE])
async def test_page_keeps_fresh_without_a_jump_or_a_lost_focus(
    browser: Any, base_url: str, busy: Any, viewport: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "REFRESH_SECONDS", 0.2)
    window = await enter(browser, base_url, viewport)
    page = window.page
    await window.open("/admin/queues")
    await page.fill("#job-id", "u:1")
    await page.focus("#queue-tasks .row-acts a")
    before = await page.evaluate(PLACES)
    for place in range(3, 15):
        await busy.queue.enqueue(make_job(f"u:1:{place}"))
    await page.wait_for_selector("#queue-tasks td[data-name=Esperando]:text-is('13')", timeout=PATIENCE_MS)
    assert await page.evaluate(PLACES) == before
    assert await page.evaluate(FOCUSED) == "/admin/queues/pause?kind=queue&name=tasks"
    assert await page.input_value("#job-id") == "u:1"
    assert window.complaints == []


@pytest.mark.gen_test(timeout=90)
async def test_frozen_page_stays_and_a_lost_server_is_told(
    browser: Any, base_url: str, busy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "REFRESH_SECONDS", 0.2)
    window = await enter(browser, base_url)
    page = window.page
    await window.open("/admin/queues")
    await page.click("[data-live-switch]")
    await busy.queue.enqueue(make_job("u:1:3"))
    await wait_rounds(page, 3)
    assert await page.inner_text("#queue-tasks td[data-name=Esperando]") == "1"
    await page.click("[data-live-switch]")
    await page.wait_for_selector("#queue-tasks td[data-name=Esperando]:text-is('2')", timeout=PATIENCE_MS)
    await page.route("**/admin/queues", lambda route: route.abort())
    await page.wait_for_selector("[data-live-status].warn:has-text('Sem resposta')", timeout=PATIENCE_MS)
    await page.unroute("**/admin/queues")
    await page.wait_for_selector("[data-live-status]:not(.warn):has-text('Atualizado')", timeout=PATIENCE_MS)


@pytest.mark.gen_test(timeout=90)
async def test_queue_is_drained_and_resumed_without_script(browser: Any, base_url: str, busy: Any) -> None:
    context = await browser.new_context(viewport=TELEPHONE, locale="pt-BR", java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{base_url}/login")
    await page.fill("[name=email]", EMAIL)
    await page.fill("[name=password]", PASSWORD)
    await page.click("form.login button")
    await page.goto(f"{base_url}/admin/queues")
    assert not await page.is_visible("[data-live-switch]")
    await page.click("#queue-tasks .row-acts a:has-text('Esvaziar')")
    assert "É recusado" in await page.inner_text(".effects")
    assert await Inspector(busy.queue).stops() == []
    await page.click("button.danger")
    await page.click(".stop:has-text('Esvaziando: fila tasks') a")
    await page.click("button.primary")
    await page.wait_for_selector(".said:has-text('Retomada')")
    assert await Inspector(busy.queue).stops() == []


@pytest.mark.gen_test(timeout=120)
@pytest.mark.parametrize(("viewport", "scheme"), [(DESK, "light"), (TELEPHONE, "dark")])
async def test_pages_are_in_nobodys_way(
    browser: Any, base_url: str, busy: Any, viewport: dict[str, int], scheme: str
) -> None:
    window = await enter(browser, base_url, viewport, scheme)
    barriers = {}
    for name, path in PAGES.items():
        await window.open(path)
        barriers[name] = await find_barriers(window.page)
    assert {name: found for name, found in barriers.items() if found} == {}
    assert window.complaints == []


@pytest.mark.gen_test(timeout=60)
async def test_a_barrier_would_be_seen(browser: Any, base_url: str, busy: Any) -> None:
    window = await open_window(browser, base_url)
    await window.open("/login")
    await window.page.evaluate(
        """() => document.querySelector("main").insertAdjacentHTML("beforeend",
            '<h4>deep</h4><button></button><img><table><tr><th>x</th></tr></table><p class="hint"><b>pale</b></p>')"""
    )
    await window.page.evaluate("() => document.querySelector('main b').style.setProperty('color', '#ccc')")
    found = {barrier.partition(":")[0].partition(" 1.")[0] for barrier in await find_barriers(window.page)}
    assert found >= {"heading skips a level", "no name", "no alt", "no caption", "a head without scope", "contrast"}


@pytest.mark.gen_test(timeout=60)
async def test_whoever_tabs_sees_where_he_is(browser: Any, base_url: str, busy: Any) -> None:
    window = await enter(browser, base_url)
    await window.open("/admin/queues")
    seen: Callable[[], Any] = lambda: window.page.evaluate(  # noqa: E731
        """() => { const style = getComputedStyle(document.activeElement);
            return [document.activeElement.nodeName, parseFloat(style.outlineWidth), style.outlineStyle]; }"""
    )
    for _ in range(25):
        await window.page.keyboard.press("Tab")
        name, width, style = await seen()
        assert name == "BODY" or (width >= 2 and style != "none"), name
