"""The chat page: its headers, and a whole sale in a browser, at a desk and on a telephone, by day and by night."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from grimbots.services.sandbox.pages import STATIC
from grimbots.tests.browsers import DESK, TELEPHONE, browser
from grimbots.tests.services.sandbox.drivers import CHAT, Driver, Webhook, ask, wait_until
from grimbots.tests.services.sandbox.test_pictures import make_png, upload

__all__ = ["browser"]

TXID = "d" * 32
KEYBOARD = {
    "inline_keyboard": [
        [{"text": "Quero", "callback_data": "v1:a"}],
        [{"text": "Copiar código PIX", "copy_text": {"text": "000201PIX"}}, {"text": "Site", "url": "https://a.b/"}],
    ]
}


@pytest.mark.gen_test
async def test_page_forbids_what_it_does_not_need(sandbox: Driver) -> None:
    page = await ask(f"{sandbox.server.url}/sandbox")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert b"<script>" not in page.body
    assert not re.search(rb"\son\w+=|\sstyle=", page.body)


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", "", "pt-BR"),
        ("", "en-US,en;q=0.9", "en"),
        ("?lang=pt-BR", "en", "pt-BR"),
        ("?lang=en", "pt-BR", "en"),
        ("", "fr", "pt-BR"),
    ],
)
async def test_page_speaks_the_readers_language(sandbox: Driver, query: str, accepted: str, language: str) -> None:
    page = await ask(f"{sandbox.server.url}/sandbox{query}", Accept_Language=accepted)
    assert f'<html lang="{language}">'.encode() in page.body


@pytest.mark.gen_test
async def test_page_loads_nothing_from_elsewhere(sandbox: Driver) -> None:
    page = await ask(f"{sandbox.server.url}/sandbox")
    named = re.findall(rb'(?:src|href)="(/[^"]*)"', page.body)
    assert named
    for path in {*named, *(f"/sandbox/static/{name}".encode() for name in STATIC)}:
        assert (await ask(f"{sandbox.server.url}{path.decode()}")).status == 200
    assert not any(
        re.search(r"""(?:from|src=|href=|url\()\s*["']?https?:""", file.read_text()) for file in STATIC.values()
    )


@pytest.mark.gen_test
@pytest.mark.parametrize("name", ["nothing.js", "..%2fserver.py", "%2e%2e"])
async def test_static_gives_its_own_files_only(sandbox: Driver, name: str) -> None:
    assert (await ask(f"{sandbox.server.url}/sandbox/static/{name}")).status == 404


def test_both_languages_say_everything() -> None:
    halves = re.split(r"^  en: \{$", STATIC["words.js"].read_text(encoding="utf-8"), flags=re.MULTILINE)
    portuguese, english = [set(re.findall(r"^    (\w+):", half, re.MULTILINE)) for half in halves]
    assert portuguese == english
    used = re.findall(
        r'data-(?:word|label)="(\w+)"', (STATIC["words.js"].parents[1] / "templates/chat.html").read_text()
    )
    assert set(used) <= portuguese


async def open_page(browser: Any, sandbox: Driver, viewport: dict[str, int], scheme: str, complaints: list[str]) -> Any:
    """Open the chat page and note all it complains of."""
    context = await browser.new_context(viewport=viewport, color_scheme=scheme, locale="pt-BR")
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"{sandbox.server.url}/sandbox#loja_bot/{CHAT}")
    return page


@pytest.mark.browser
@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("viewport", "scheme"), [(DESK, "light"), (DESK, "dark"), (TELEPHONE, "light"), (TELEPHONE, "dark")]
)
async def test_page_carries_a_sale(
    browser: Any, served: Driver, webhook: Webhook, viewport: dict[str, int], scheme: str
) -> None:
    complaints: list[str] = []
    page = await open_page(browser, served, viewport, scheme, complaints)
    await page.click("#start")
    await webhook.wait(1)
    await upload(
        served, make_png(40, 30), caption="<b>Olá</b> <i>Ana</i>", parse_mode="HTML", reply_markup=json.dumps(KEYBOARD)
    )
    await page.click("button.key:has-text('Quero')")
    [_, tapped] = await webhook.wait(2)
    assert tapped.update["callback_query"]["data"] == "v1:a"
    await served.call("answerCallbackQuery", callback_query_id=tapped.update["callback_query"]["id"], text="Anotado")
    await page.wait_for_selector("#toast:has-text('Anotado')")
    await page.click("button.key:has-text('Copiar código PIX')")
    assert await page.evaluate("navigator.clipboard.readText()") == "000201PIX"
    assert await page.get_attribute("a.key", "href") == "https://a.b/"
    assert await page.evaluate("document.querySelector('.picture img').naturalWidth") == 40
    await served.put_charge(TXID, webhook.url)
    if viewport is TELEPHONE:
        await page.click(".tabs [data-view=pix]")
    await page.click("#charges .primary")
    await wait_until(lambda: has_arrived(webhook, TXID))
    assert "R$\u00a09,90" in await page.inner_text("#charges")
    await page.wait_for_selector("#charges .paid")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints == []


async def has_arrived(webhook: Webhook, txid: str) -> bool:
    """Tell whether the event of a charge has come."""
    return any(update.get("txid") == txid for update in webhook.updates)


@pytest.mark.browser
@pytest.mark.gen_test
async def test_page_shows_texts_as_texts(browser: Any, served: Driver) -> None:
    complaints: list[str] = []
    nasty = "<img src=x onerror=alert(1)> <script>alert(2)</script>"
    await served.say(nasty)
    await served.send(nasty, reply_markup={"inline_keyboard": [[{"text": nasty, "url": "https://a.b"}]]})
    page = await open_page(browser, served, DESK, "light", complaints)
    await page.wait_for_selector("a.key")
    assert await page.inner_text(".mine .text") == nasty
    assert await page.inner_text(".theirs .text") == nasty
    assert await page.query_selector(".log img, .log script") is None
    assert complaints == []


@pytest.mark.browser
@pytest.mark.gen_test
async def test_page_follows_edits_and_deletions(browser: Any, served: Driver) -> None:
    await served.say()
    kept, gone = await served.send("antes"), await served.send("sai")
    page = await open_page(browser, served, DESK, "light", [])
    await page.wait_for_selector(".text:has-text('sai')")
    await served.call("editMessageText", chat_id=CHAT, message_id=kept["message_id"], text="depois")
    await served.call("deleteMessage", chat_id=CHAT, message_id=gone["message_id"])
    await page.wait_for_selector(".text:has-text('depois')")
    await page.wait_for_selector(".text:has-text('sai')", state="detached")
    assert await page.locator(".theirs").count() == 1


@pytest.mark.browser
@pytest.mark.gen_test
async def test_page_is_worked_by_keyboard_alone(browser: Any, served: Driver, webhook: Webhook) -> None:
    page = await open_page(browser, served, DESK, "light", [])
    await page.wait_for_selector("#welcome")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # "skip to the message"
    await page.keyboard.type("olá")
    await page.keyboard.press("Enter")
    [delivery] = await webhook.wait(1)
    assert delivery.update["message"]["text"] == "olá"
    unnamed = await page.evaluate(
        "[...document.querySelectorAll('button, input, select')].filter(node => !node.closest('dialog') && "
        "!(node.textContent.trim() || node.getAttribute('aria-label') || node.labels?.[0]?.textContent.trim())).length"
    )
    assert unnamed == 0


@pytest.mark.browser
@pytest.mark.gen_test
async def test_page_starts_the_bot_of_a_tracked_link_with_its_parameter(
    browser: Any, served: Driver, webhook: Webhook
) -> None:
    await served.make_bot("another_bot")
    for page_of in ("another_bot", served.username):
        page = await browser.new_page()
        await page.goto(f"{served.server.url}/sandbox?bot={page_of}&start=aB3_-x")
        await page.wait_for_selector(f"#bot-status:has-text('@{page_of}')")
    await page.click("#start")
    [delivery] = await webhook.wait(1)
    assert delivery.update["message"]["text"] == "/start aB3_-x"


@pytest.mark.browser
@pytest.mark.gen_test
async def test_page_makes_a_bot(browser: Any, served: Driver) -> None:
    page = await open_page(browser, served, DESK, "light", [])
    await page.click("#new-bot summary")
    await page.fill("[name=name]", "Nova")
    await page.fill("[name=username]", "nova")
    await page.click("#new-bot-form button")
    await page.wait_for_selector(".form-error:has-text('ends in bot')")
    await page.fill("[name=username]", "nova_bot")
    await page.click("#new-bot-form button")
    await page.wait_for_selector("#bot-list :text('@nova_bot')")
    assert await page.inner_text("#made-token") == await served.make_bot("nova_bot")
    assert "grimbots bot add" in await page.inner_text("#made-command")


@pytest.mark.browser
@pytest.mark.gen_test
async def test_page_pays_an_invoice_in_stars_by_a_tap(browser: Any, served: Driver, webhook: Webhook) -> None:
    complaints: list[str] = []
    prices = [{"label": "Curso", "amount": 249}]
    invoice = {"title": "Curso", "description": "Curso", "payload": "p1", "currency": "XTR", "prices": prices}
    await served.say()
    link = (await served.call("createInvoiceLink", **invoice)).json["result"]
    await served.send("Curso", reply_markup={"inline_keyboard": [[{"text": "Pagar 249 ⭐", "url": link}]]})
    page = await open_page(browser, served, DESK, "light", complaints)
    await page.click("button.key:has-text('Pagar 249')")
    await page.wait_for_selector("button.key.spinning")
    [*_, asked] = await webhook.wait(2)
    query_id = asked.update["pre_checkout_query"]["id"]
    await served.call("answerPreCheckoutQuery", pre_checkout_query_id=query_id, ok=True)
    await page.wait_for_selector(".mine .text:has-text('Você pagou 249 Stars')")
    await page.wait_for_selector("button.key:not(.spinning)")
    [*_, told] = await webhook.wait(3)
    charge_id = told.update["message"]["successful_payment"]["telegram_payment_charge_id"]
    await served.call("refundStarPayment", user_id=CHAT, telegram_payment_charge_id=charge_id)
    await page.wait_for_selector(".text:has-text('249 Stars devolvidas')")
    assert complaints == []
