"""The example with every kind of step, walked to its end by a person at a real browser, on the sandbox's chat page.

Everything is a process of its own; what would wait for days is due at once, one wait after the other.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from grimbots.conf.settings import load
from grimbots.server import build_app
from grimbots.services import stories
from grimbots.services.funnels.definitions import Version
from grimbots.services.funnels.kinds import find_kinds
from grimbots.tests.browsers import choose_browser
from grimbots.tests.e2e.guests import PULL, PULL_EVERY_SECONDS, SELLERS, Examples
from grimbots.tests.e2e.installation import HOST, Installation, open_installation, until
from grimbots.tests.fakes.sellers import SellerServer
from grimbots.tests.rows import query

CHAT = 4242
STEP_MS = 30_000
SAID = "SELECT step FROM messages WHERE chat_id = 4242 AND status = 'sent' ORDER BY id"
UNSENT = "SELECT step, status, error FROM messages WHERE status <> 'sent'"
DONE = "SELECT state, amount_cents FROM payments ORDER BY id"


class Person:
    """Somebody at the chat page."""

    def __init__(self, page: Any, installation: Installation) -> None:
        self.page, self.installation = page, installation

    async def press(self, label: str) -> None:
        """Press the newest button that shows this."""
        await self.page.locator(f"button.key:has-text('{label}')").last.click()

    async def write(self, text: str) -> None:
        await self.page.fill("#text", text)
        await self.page.click("#send")

    async def read(self, words: str, times: int = 1) -> None:
        """Wait until the bot has said this so often."""
        await self.page.locator(f".theirs:has-text('{words}')").nth(times - 1).wait_for()

    async def wait_for(self, words: str, times: int = 1) -> None:
        """Let days pass, wait after wait, until the bot says this."""

        async def is_said() -> bool:
            query(self.installation.environ["DATABASE_URL"], PULL, CHAT)
            await asyncio.sleep(PULL_EVERY_SECONDS)
            return bool(await self.page.locator(f".theirs:has-text('{words}')").count() >= times)

        await until(is_said, STEP_MS / 1000, f"the bot does not say {words!r}")

    async def pay(self) -> None:
        """Pay the charge that is shown first beside the chat."""
        await self.page.locator("#charges .primary").first.click()


@asynccontextmanager
async def open_page(installation: Installation, bot: str) -> AsyncIterator[Any]:
    """Open the chat page as a telephone's owner would."""
    chosen = choose_browser()
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**chosen)
        page = await browser.new_page(locale="pt-BR", viewport={"width": 1280, "height": 900})
        page.set_default_timeout(STEP_MS)
        await page.goto(f"http://{HOST}:{installation.port}/sandbox#{bot}/{CHAT}")
        yield page
        await browser.close()


async def _walk(person: Person) -> None:
    """Walk over every step that speaks, and every kind that does not."""
    await person.page.click("#start")
    await person.read("Em duas perguntas")
    await person.press("Já sou cliente")  # condition
    await person.read("Ainda não encontrei uma compra")
    await person.wait_for("Ainda está por aí?")  # a question's timeout
    await person.press("Continuar")
    await person.read("Onde você mora?", 2)
    await person.press("Acre")
    await person.read("E a que horas")
    await person.write("cedo")
    await person.read("Pode ser só o número")
    await person.write("5")  # condition, tag, jump
    await person.read("Montei o seu plano")
    await person.press("Agora não")  # delay
    await person.wait_for("Bom dia! ☕")
    await person.press("Quero ver")  # offer
    await person.read("Trinta manhãs")
    await person.wait_for("Guardei uma condição")  # its downsell
    await person.press("Quero o plano por R$ 29,90")  # of the offer before
    await person.read("Quer levar junto")
    await person.press("Sim, quero por mais")  # bump
    await person.read("Tem um cupom?")
    await person.write("MANHA10")  # coupon
    await person.read("Cupom MANHA10 aplicado")
    await person.read("000201")  # charge
    await person.wait_for("Faltam")  # its reminders
    await person.wait_for("dá para começar pequeno")  # its downsell
    await person.press("Só a primeira semana")  # pick
    await person.read("Primeira Semana Leve")


async def _buy(person: Person) -> None:
    """Pay both charges and see what is given for them."""
    await person.pay()
    await person.read("Aqui está: Primeira Semana Leve")  # delivery, tag, notify, webhook
    await person.pay()
    await person.read("Aqui está: Plano Manhãs Leves")
    await person.wait_for("Três dias de manhãs leves")  # delay, question
    await person.write("ana@example.com")
    await person.read("Anotei: ana@example.com")
    await person.wait_for("acompanha o seu plano")  # the upsell
    await person.press("Agora não")  # end
    await person.write("/start")
    await person.read("Em duas perguntas", 2)
    await person.press("Já sou cliente")
    await person.read("Que bom ver você de novo")


async def _run(folder: Path) -> None:
    seller = SellerServer(folder)
    await seller.start()
    async with open_installation(folder, SSL_CERT_FILE=str(folder / "server.pem")) as installation:
        shops = Examples(installation, 1, seller.url)
        await shops.open()
        async with open_page(installation, shops.names[0]) as page:
            person = Person(page, installation)
            await _walk(person)
            await _buy(person)
            if folder_of_pictures := os.environ.get("GRIMBOTS_PICTURES"):
                await page.screenshot(path=Path(folder_of_pictures) / "example.png")
        await _judge(installation, seller)
    await seller.stop()


async def _judge(installation: Installation, seller: SellerServer) -> None:
    """Look at the rows: every kind was walked, every text said once and for all, everything told that was sold."""
    version, walked = await _list_walked(installation)
    assert {version.steps[name].kind for name in walked} == find_kinds().keys()
    said = {step for (step,) in installation.query(SAID)}
    assert said == {step.id for step in version.steps.values() if step.speaks}
    assert installation.query(UNSENT) == []
    assert installation.query(DONE) == [("paid", 3582), ("paid", 891)]
    assert [len(told) for told in seller.heard.values()] == [1, 1]
    assert installation.query(f"SELECT status FROM messages WHERE chat_id = {SELLERS} AND step <> 'boas-vindas'") == [
        ("sent",),
        ("sent",),
    ]
    assert installation.read_errors() == []


async def _list_walked(installation: Installation) -> tuple[Version, set[str]]:
    """Replay what happened: the version, and the steps that were come through."""
    ((account_id, bot_id),) = installation.query(f"SELECT account_id, bot_id FROM leads WHERE chat_id = {CHAT}")
    async with build_app(load(installation.environ), with_queue=False) as app:
        lead = await app.db.leads.find_by_chat(account_id=account_id, bot_id=bot_id, chat_id=CHAT)
        passages = await stories.tell(app, lead)
    return passages[0].happening.version, {step for passage in passages for step in passage.done.path}


@pytest.mark.slow
@pytest.mark.browser
def test_every_kind_of_step_in_a_browser(servers_folder: Path) -> None:
    folder = servers_folder / "example"
    folder.mkdir()
    asyncio.run(_run(folder))
