"""Money that comes as it should not, by the sandbox's faults: what becomes of it, and the reason the seller reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient

from grimbots.conf.settings import load
from grimbots.server import build_app
from grimbots.tests.e2e.installation import ACCOUNT, HOST, Installation, open_installation, until
from grimbots.tests.e2e.travellers import HELD_SECONDS, PATIENCE_SECONDS, Traveller, each, make_link
from grimbots.tests.handlers.admin.readers import Reader
from grimbots.tests.services.people import add_person

pytestmark = pytest.mark.slow
STRANGERS_TXID = "f" * 32
TIRED = "UPDATE provider_events SET received_at = received_at - interval '11 minutes' WHERE status = 'received'"
"""Events are tried for ten minutes before they are shown."""


async def pay_three_times(buyer: Traveller) -> None:
    await buyer.pay(times=3)


async def pay_late(buyer: Traveller) -> None:
    buyer.query("UPDATE payments SET expires_at = now() - interval '1 minute' WHERE {mine}")
    await buyer.pay()


async def pay_too_little(buyer: Traveller) -> None:
    await buyer.pay(amount_cents=1000)


async def pay_too_much(buyer: Traveller) -> None:
    await buyer.pay(amount_cents=5000)


async def let_a_stranger_pay(buyer: Traveller) -> None:
    """Whoever has the code pays; the provider does not say who that was."""
    await buyer.pay()


async def forge(buyer: Traveller) -> None:
    await buyer.pay(forged=True)


async def tell_of_nobodys_charge(buyer: Traveller) -> None:
    await buyer.pay(forged=True, signature="right", says={"txid": STRANGERS_TXID})


async def pay_before_the_answer(buyer: Traveller) -> None:
    """Pay while the answer that brings the code is on its way."""
    fault = {"on": "provider", "method": "create", "delay_seconds": HELD_SECONDS, "execute": True}
    await buyer.installation.api("POST", "faults", fault)
    known = {charge["txid"] for charge in await buyer.installation.api("GET", "pix")}
    await buyer.tap_bump()

    async def is_made() -> Any:
        made = {charge["txid"] for charge in await buyer.installation.api("GET", "pix")} - known
        return made and made.pop()

    txid = await until(is_made, PATIENCE_SECONDS, "the charge is not made")
    await buyer.installation.api("POST", f"pix/{txid}/pay", {})


@dataclass(frozen=True)
class Case:
    """What a buyer does, and what the seller then reads of his payment: state, delivery, and the reason by language."""

    act: Callable[[Traveller], Awaitable[None]]
    state: str
    is_delivered: bool
    reasons: dict[str, str]
    halt: str = "pay"


CASES = [
    Case(
        pay_three_times,
        "paid",
        True,
        {
            "pt-BR": "Pago mais de uma vez: entraram R$ 89,40 para R$ 29,80. Há o que devolver.",
            "en": "Paid more than once: R$ 89.40 came in for R$ 29.80. There is money to give back.",
        },
    ),
    Case(
        pay_late,
        "paid",
        True,
        {"pt-BR": "Chegou depois do vencimento da cobrança.", "en": "It came after the charge had expired."},
    ),
    Case(
        pay_too_little,
        "pending",
        False,
        {
            "pt-BR": "retida, não paga a cobrança nem entrega. Ao todo entraram R$ 10,00 para R$ 29,80.",
            "en": "held, it neither pays the charge nor delivers. In all R$ 10.00 came in for R$ 29.80.",
        },
    ),
    Case(
        pay_too_much,
        "paid",
        True,
        {
            "pt-BR": "Entrou mais que o preço: R$ 50,00 para R$ 29,80. O produto foi entregue; a diferença pode ser",
            "en": "More than the price came in: R$ 50.00 for R$ 29.80. The product was delivered; the rest can be",
        },
    ),
    Case(
        let_a_stranger_pay,
        "paid",
        True,
        {"pt-BR": "o provedor avisou: R$ 29,80 para R$ 29,80", "en": "the provider's event: R$ 29.80 for R$ 29.80"},
    ),
    Case(
        forge,
        "pending",
        False,
        {
            "pt-BR": "o provedor criou a cobrança",
            "en": "the provider made the charge",
        },
    ),
    Case(
        pay_before_the_answer,
        "paid",
        True,
        {"pt-BR": "criando → pago · aviso do provedor", "en": "being made → paid · provider's notice"},
        halt="bump",
    ),
]


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def shop(servers_folder: Path, runner: asyncio.Runner) -> Iterator[Shop]:
    """Give a shop where all of it has happened, each to a buyer of its own."""
    opened = open_installation(servers_folder / "reasons")
    installation = runner.run(opened.__aenter__())
    yield runner.run(fill(installation))
    runner.run(opened.__aexit__(None, None, None))


@dataclass(frozen=True)
class Shop:
    """An installation where every case has come to pass; `reader` is its seller."""

    installation: Installation
    reader: Reader
    buyers: dict[str, Traveller]


async def fill(installation: Installation) -> Shop:
    """Let every case come to pass."""
    await make_link(installation)
    async with build_app(load(installation.environ), with_queue=False) as app:
        email = await add_person(app, "seller", ACCOUNT)
    acts = {case.act: case.halt for case in CASES} | {tell_of_nobodys_charge: "pay"}
    buyers = {act: Traveller(installation, 9501 + place, halt) for place, (act, halt) in enumerate(acts.items())}
    await each(list(buyers.values()), Traveller.approach)
    for act, buyer in buyers.items():
        await act(buyer)
    await until(partial(is_settled, installation), PATIENCE_SECONDS, "events are still open")
    reader = Reader(AsyncHTTPClient(force_instance=True), f"http://{HOST}:{installation.port}")
    await reader.log_in(email)
    return Shop(installation, reader, {act.__name__: buyer for act, buyer in buyers.items()})


async def is_settled(installation: Installation) -> bool:
    """Tell whether every event has been acted upon, and everything that follows sent; what waits is made tired."""
    installation.query(TIRED)
    events = installation.query("SELECT count(*) FROM provider_events WHERE status = 'received'")
    messages = installation.query("SELECT count(*) FROM messages WHERE status <> 'sent'")
    ((told,),) = installation.query("SELECT count(*) FROM provider_events")
    return bool((events, messages, told) == ([(0,)], [(0,)], len(CASES) + 3))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.act.__name__)
def test_payment_is_what_it_is_and_says_why(shop: Shop, runner: asyncio.Runner, case: Case) -> None:
    buyer = shop.buyers[case.act.__name__]
    ((payment_id, state),) = buyer.query("SELECT id, state FROM payments WHERE {mine}")
    delivered = buyer.query(f"SELECT 1 FROM deliveries WHERE payment_id = {payment_id} AND status = 'delivered'")
    assert (state, bool(delivered)) == (case.state, case.is_delivered)
    for language, reason in case.reasons.items():
        page = runner.run(shop.reader.get(f"/sales/{ACCOUNT}/payments/{payment_id}", Accept_Language=language))
        assert reason in page.text.replace("<b>", "").replace("</b>", ""), page.text


@pytest.mark.parametrize(
    ("language", "reasons"),
    [
        ("pt-BR", ["Nenhuma cobrança desta conta tem os números deste aviso.", "O provedor, perguntado, não confirma"]),
        ("en", ["No charge of this account has this notice's numbers.", "The provider, asked, does not confirm"]),
    ],
)
def test_notices_that_settled_nothing_say_why(
    shop: Shop, runner: asyncio.Runner, language: str, reasons: list[str]
) -> None:
    sales = runner.run(shop.reader.get(f"/sales/{ACCOUNT}", Accept_Language=language))
    assert f'href="/sales/{ACCOUNT}/events"' in sales.html
    notices = runner.run(shop.reader.get(f"/sales/{ACCOUNT}/events", Accept_Language=language))
    for reason in reasons:
        assert reason in notices.text


def test_flags_stand_on_the_sales_page_itself(shop: Shop, runner: asyncio.Runner) -> None:
    flagged = (pay_three_times, pay_late, pay_too_little, pay_too_much)
    for language in ("pt-BR", "en"):
        page = runner.run(shop.reader.get(f"/sales/{ACCOUNT}", Accept_Language=language))
        for case in CASES:
            assert (case.reasons[language] in page.text) is (case.act in flagged), case.act.__name__
