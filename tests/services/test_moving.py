"""A bot that moved in, on the real road: old buttons in updates, real rows, a provider, Telegram's answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grimbots.services import payments
from grimbots.services.funnels import versions
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.chats import Chat
from grimbots.tests.services.funnels.moving.transcripts import CHAT, move_fixture
from grimbots.tests.services.funnels.samples import FILES, FUNNEL
from grimbots.tests.services.shops import Shop

Query = Callable[..., list[Any]]


async def give_funnel(shop: Shop, query: Query, definition: Any, files: Any = None) -> int:
    """Publish a funnel and let the tenant's bot walk it."""
    published = await versions.publish(shop.app, shop.tenant.account_id, definition, files or {}, actor="test")
    query("UPDATE bots SET funnel_id = %s WHERE id = %s", published.funnel_id, shop.tenant.bot_id)
    return published.version_id


@pytest.fixture
def ana(io_loop: Any, shop: Shop, query: Query) -> Buyer:
    """Give somebody at a bot whose settings moved in."""
    io_loop.run_sync(partial(give_funnel, shop, query, move_fixture("sequencia").definition))
    return Buyer(shop.app, shop.tenant, query, chat_id=CHAT)


def list_said(query: Query) -> list[str]:
    return [text for (text,) in query("SELECT coalesce(body ->> 'text', body ->> 'caption') FROM messages ORDER BY id")]


async def charge(ana: Buyer, query: Query) -> int:
    ((payment_id,),) = query("SELECT id FROM payments WHERE state = 'new'")
    await payments.charge(ana.app, payment_id=payment_id)
    return int(payment_id)


@pytest.mark.gen_test
async def test_moved_funnel_sells_shows_its_pix_and_delivers(ana: Buyer, shop: Shop, query: Query) -> None:
    await ana.say("/start")
    await ana.tap("Plano mensal")
    await ana.tap("Quero!")
    await ana.tap("✅ SIM! Quero por R$ 47,40")
    payment = await shop.read(await charge(ana, query))
    key = {"payment_id": payment.id, "account_id": payment.account_id, "end_to_end_id": "E1"}
    await payments.settle(
        ana.app, **key, paid_cents=payment.amount_cents, paid_at=ana.app.clock(), actor="test", reason="test"
    )
    said = list_said(query)
    assert said[:3] == ["Bem-vinda! O que você quer aprender?", "Mais o grupo de dúvidas?", "E as planilhas?"]
    assert said[3].startswith("🎯 <b>Produto:</b> Plano Mensal + Dúvidas + Planilhas\n💰 <b>Valor:</b> R$ 47,40\n")
    assert f"<code>{payment.code}</code>" in said[3]
    product = "Plano Mensal + Dúvidas + Planilhas"
    assert said[4] == f"🎉 {product} é seu por R$ 47,40! Entre: https://example.com/area"
    (delivery,) = await shop.list_deliveries(payment)
    assert delivery.step == "acesso-1"


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("data", "amount_cents"), [("buy_0", None), ("downsell_1_1_0", 1495), ("dwnsl_1_0_1", 1495), ("upsell_0_1_0", 9700)]
)
async def test_old_button_is_understood_and_its_price_is_not_believed(
    ana: Buyer, query: Query, data: str, amount_cents: int | None
) -> None:
    await ana.handle(ana.make_tap(data))
    assert [row for (row,) in query("SELECT amount_cents FROM payments")] == ([amount_cents] if amount_cents else [])
    assert query("SELECT count(*) FROM leads")[0][0] == 1
    if amount_cents is None:
        assert list_said(query) == ["Mais o grupo de dúvidas?"]


@pytest.mark.gen_test
async def test_old_button_again_in_the_same_update_acts_once(ana: Buyer, query: Query) -> None:
    update = ana.make_tap("buy_0")
    assert await ana.handle(update) == await ana.handle(update) == [f"{ana.cause()}#0"]
    assert ana.count("messages") == 1


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("data", "begins"),
    [
        ("buy_7", "Este botão é de uma mensagem antiga"),
        ("verify_BOT7_1762000000_a1b2c3d4", "Este PIX foi gerado antes"),
    ],
)
async def test_old_button_with_nothing_behind_it_answers_in_words(
    ana: Buyer, query: Query, data: str, begins: str
) -> None:
    await ana.handle(ana.make_tap(data))
    (said,) = list_said(query)
    assert said.startswith(begins)
    await ana.tap("Plano mensal")
    assert list_said(query)[-1] == "Mais o grupo de dúvidas?"


@pytest.mark.gen_test
async def test_old_buttons_outlive_a_version_that_does_not_know_them(ana: Buyer, shop: Shop, query: Query) -> None:
    newer = {name: value for name, value in move_fixture("sequencia").definition.items() if name != "old_buttons"}
    steps = [step for step in newer["steps"] if step["id"] not in ("pix-antigo", "botao-antigo")]
    await give_funnel(shop, query, {**newer, "steps": steps})
    await ana.handle(ana.make_tap("buy_0"))
    assert list_said(query) == ["Mais o grupo de dúvidas?"]


@pytest.mark.gen_test
@pytest.mark.parametrize("data", [f"multi_bump_yes_{CHAT + 1}_0_100", "button_pressed", "buy_x", "nada"])
async def test_strange_old_button_does_nothing(ana: Buyer, query: Query, data: str) -> None:
    assert await ana.handle(ana.make_tap(data)) == []
    assert (ana.count("leads"), ana.count("messages")) == (0, 0)


@pytest.mark.gen_test
@pytest.mark.parametrize(("theirs", "sold"), [(None, []), ("shop", []), ("novembro", [990])])
async def test_old_button_reaches_no_other_accounts_funnel(
    ana: Buyer, shops: list[Shop], query: Query, theirs: str | None, sold: list[int]
) -> None:
    if theirs:
        definition, files = (FUNNEL, FILES) if theirs == "shop" else (move_fixture(theirs).definition, {})
        await give_funnel(shops[1], query, definition, files)
    other = Buyer(shops[1].app, shops[1].tenant, query, chat_id=CHAT)
    await other.handle(other.make_tap("buy_1"))
    assert query("SELECT account_id, amount_cents FROM payments") == [
        (shops[1].tenant.account_id, amount_cents) for amount_cents in sold
    ]


@pytest.mark.gen_test
async def test_late_old_button_does_nothing(ana: Buyer, query: Query) -> None:
    received = ana.app.clock()
    ana.app.clock.move(minutes=5)
    assert await ana.handle(ana.make_tap("buy_0"), received_at=received) == []
    assert ana.count("messages") == 0


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.from_regex(r"(buy|bump_no|multi_bump_yes|downsell|upsell|verify|rmkt|flow)_[\w-]{0,40}", fullmatch=True))
def test_no_old_button_raises_or_leaves_its_account(
    ana: Buyer, shops: list[Shop], query: Query, io_loop: Any, data: str
) -> None:
    other = Buyer(shops[1].app, shops[1].tenant, query, chat_id=CHAT)
    other.next_update_id = ana.next_update_id = ana.next_update_id + 1
    io_loop.run_sync(partial(ana.handle, ana.make_tap(data)))
    assert io_loop.run_sync(partial(other.handle, other.make_tap(data))) == []
    accounts = {account_id for (account_id,) in query("SELECT account_id FROM leads")}
    assert accounts <= {shops[0].tenant.account_id}
    steps = {step["id"] for step in move_fixture("sequencia").definition["steps"]}
    assert {step for (step,) in query("SELECT step FROM leads")} <= {"", *steps}


@pytest.mark.gen_test
async def test_media_that_telegram_cannot_fetch_leaves_the_text_and_buttons(chat: Chat, fake_telegram: Any) -> None:
    failed = "Bad Request: failed to get HTTP URL content"
    fake_telegram.answer("sendVideo", http=400, description=failed)
    keyboard = {"inline_keyboard": [[{"text": "Ver", "url": "https://example.com/"}]]}
    body = {"video": "https://t.me/canal/12", "caption": "<b>Oi</b>", "parse_mode": "HTML", "supports_streaming": True}
    message = await chat.plan(method="sendVideo", body={**body, "reply_markup": keyboard})
    await chat.send(message)
    assert [call.method for call in fake_telegram.calls] == ["sendVideo", "sendMessage"]
    assert {**fake_telegram.calls[1].params, "chat_id": 0} == {
        "chat_id": 0,
        "text": "<b>Oi</b>",
        "parse_mode": "HTML",
        "reply_markup": keyboard,
    }
    assert (chat.read(message).status, chat.read(message).error) == ("sent", f"sent without its media: {failed}")


@pytest.mark.gen_test
async def test_media_without_a_text_that_cannot_be_fetched_fails(chat: Chat, fake_telegram: Any) -> None:
    failed = "Bad Request: wrong file identifier/HTTP URL specified"
    fake_telegram.answer("sendAudio", http=400, description=failed)
    message = await chat.plan(method="sendAudio", body={"audio": "https://example.com/a.mp3"})
    await chat.send(message)
    assert (chat.read(message).status, chat.read(message).error) == ("failed", failed)
