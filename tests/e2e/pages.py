"""A person at a real browser, on the sandbox's chat page; what would wait for days is due at once, where he says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from grimbots.tests.browsers import choose_browser
from grimbots.tests.e2e.installation import HOST, Installation, until

CHAT, STEP_MS = 4242, 30_000
DUE = """
UPDATE timers
SET due_at = now()
WHERE id = (SELECT max(id) FROM timers
    WHERE status = 'pending'
        AND payload ->> 'step' = '{step}'
        AND coalesce(payload ->> 'what', '') = '{what}'
        AND payload -> 'lead_id' = (SELECT to_jsonb(id) FROM leads WHERE chat_id = {chat}))
RETURNING id
"""


class Person:
    """Somebody at the chat page."""

    def __init__(self, page: Any, installation: Installation) -> None:
        self.page, self.installation = page, installation

    async def press(self, label: str) -> None:
        """Press the newest button that shows this."""
        await self.page.locator(f"button.key:has-text('{label}')").last.click()

    async def write(self, text: str) -> None:
        """Write to the bot."""
        await self.page.fill("#text", text)
        await self.page.click("#send")

    async def read(self, words: str, times: int = 1) -> None:
        """Wait until the bot has said this so often."""
        await self.page.locator(f".theirs:has-text('{words}')").nth(times - 1).wait_for()

    async def wait_for(self, words: str, step: str, what: str = "") -> None:
        """Let a step's wait end, or its newest reminder, downsell or upsell be due, and read what is said then."""
        due = DUE.format(step=step, what=what, chat=CHAT)

        async def is_due() -> bool:
            return bool(self.installation.query(due))

        await until(is_due, STEP_MS / 1000, f"{step} waits for nothing")
        await self.read(words)

    async def pay(self, unpaid: int) -> None:
        """Pay the newest of so many unpaid charges, once all of them are shown beside the chat."""
        charges = self.page.locator("#charges .primary")
        await charges.nth(unpaid - 1).wait_for()
        await charges.first.click()


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


async def walk_and_order(person: Person) -> None:
    """Walk over every step that speaks, and every kind that does not."""
    await person.page.click("#start")
    await person.read("Em duas perguntas")
    await person.press("Já sou cliente")  # condition
    await person.read("Ainda não encontrei uma compra")
    await person.wait_for("Ainda está por aí?", "onde-mora")  # a question's timeout
    await person.press("Continuar")
    await person.read("Onde você mora?", 2)
    await person.press("Acre")
    await person.read("E a que horas")
    await person.write("cedo")
    await person.read("Pode ser só o número")
    await person.write("5")  # condition, tag, jump
    await person.read("Montei o seu plano")
    await person.press("Agora não")  # delay
    await person.wait_for("Bom dia! ☕", "amanha-cedo")
    await person.press("Quero ver")  # offer
    await person.read("Trinta manhãs")
    await person.wait_for("Guardei uma condição", "plano", "downsell")  # its downsell
    await person.press("Quero o plano por R$ 29,90")  # of the offer before
    await person.read("Quer levar junto")
    await person.press("Sim, quero por mais")  # bump
    await person.read("Tem um cupom?")
    await person.write("MANHA10")  # coupon
    await person.read("Cupom MANHA10 aplicado")
    await person.read("000201")  # charge
    await person.wait_for("Faltam", "pagamento", "reminder")  # its reminders
    await person.wait_for("dá para começar pequeno", "pagamento", "downsell")  # its downsell
    await person.press("Só a primeira semana")  # pick
    await person.read("Primeira Semana Leve")


async def pay_and_come_back(person: Person) -> None:
    """Pay both charges and see what is given for them."""
    await person.pay(2)
    await person.read("Aqui está: Primeira Semana Leve")  # delivery, tag, notify, webhook
    await person.pay(1)
    await person.read("Aqui está: Plano Manhãs Leves")
    await person.wait_for("Três dias de manhãs leves", "tres-dias")  # delay, question
    await person.write("ana@example.com")
    await person.read("Anotei: ana@example.com")
    await person.wait_for("acompanha o seu plano", "pagamento", "upsell")  # the upsell
    await person.press("Agora não")  # end
    await person.write("/start")
    await person.read("Em duas perguntas", 2)
    await person.press("Já sou cliente")
    await person.read("Que bom ver você de novo")


async def pay_in_stars(person: Person) -> None:
    """Press what the morning offered, and pay Telegram itself."""
    await person.press("Pagar com Stars")
    await person.read("pago aqui mesmo no Telegram")
    await person.press("Quero pagar com Stars")  # stars
    await person.press("Pagar 374")
    await person.page.locator(".mine:has-text('Você pagou 374 Stars')").wait_for()
    await person.read("Aqui está: Plano Manhãs Leves", 2)
