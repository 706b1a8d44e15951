"""The sales pages: figures, payments and their reasons, in words; texts of strangers as texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grimbots.services import conversion_destinations, sales
from grimbots.services.conversion_destinations import Wish
from grimbots.tests.fakes.provider import write_event
from grimbots.tests.handlers.admin.goods import sell
from grimbots.tests.handlers.admin.readers import Reader
from grimbots.tests.services.shops import PRICE_CENTS, Shop

NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"


@pytest.mark.gen_test
async def test_sales_shows_a_sale(owner: Reader, shop: Shop) -> None:
    await sell(shop, 501, 123_456)
    page = (await owner.get("/sales/tenant1")).text
    for word in (
        "R$ 1.234,56",
        "R$ 19,90",
        "@tenant1_bot",
        "pago",
        "a caminho",
        "02/03/2026 09:00",
        "America/Sao_Paulo",
    ):
        assert word in page


@pytest.mark.gen_test
async def test_sales_in_english(owner: Reader, shop: Shop) -> None:
    await sell(shop, 501, 123_456)
    page = (await owner.get("/sales/tenant1", Accept_Language="en")).text
    for word in ("R$ 1,234.56", "Paid", "on its way", "2026-03-02 09:00"):
        assert word in page


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("transfers", "reason"),
    [
        ([1000], "retida, não paga a cobrança nem entrega. Ao todo entraram R$ 10,00 para R$ 19,90"),
        ([2500], "Entrou mais que o preço: R$ 25,00 para R$ 19,90"),
        ([PRICE_CENTS] * 3, "Pago mais de uma vez: entraram R$ 59,70 para R$ 19,90"),
    ],
)
async def test_payment_shows_why_it_is_flagged(owner: Reader, shop: Shop, transfers: list[int], reason: str) -> None:
    payment = await sell(shop, 501, *transfers)
    for path in ("/sales/tenant1", f"/sales/tenant1/payments/{payment.id}"):
        assert reason in (await owner.get(path)).text


@pytest.mark.gen_test
async def test_payment_that_came_late_says_so(owner: Reader, shop: Shop, clock: Any) -> None:
    payment = await shop.charge(501)
    clock.move(hours=1)
    await shop.receive(shop.provider.pay(payment.txid))
    await shop.apply_events()
    assert "Chegou depois do vencimento" in (await owner.get("/sales/tenant1")).text


@pytest.mark.gen_test
async def test_order_paid_by_two_charges_says_so(owner: Reader, shop: Shop, query: Callable[..., list[Any]]) -> None:
    await sell(shop, 501, PRICE_CENTS)
    query("UPDATE payments SET flags = '{double,unsold}'")
    page = (await owner.get("/sales/tenant1")).text
    assert "O mesmo pedido foi pago também em outra cobrança" in page
    assert "O produto não está mais à venda" in page


@pytest.mark.gen_test
async def test_sale_shows_its_click(owner: Reader, shop: Shop, query: Callable[..., list[Any]]) -> None:
    payment = await sell(shop, 501, PRICE_CENTS)
    now, which = shop.app.clock(), (shop.tenant.account_id, shop.tenant.bot_id)
    query(
        "INSERT INTO pools (account_id, slug, created_at, updated_at) VALUES (%s, 'promo', %s, %s)", which[0], now, now
    )
    query(
        "INSERT INTO clicks (account_id, bot_id, token, noted_at, clicked_at, pool_id, utm_source, utm_campaign,"
        " utm_term) SELECT %s, %s, 'token', %s, %s, id, 'facebook', %s, 'curso' FROM pools",
        *which,
        now,
        now,
        NASTY,
    )
    query("UPDATE payments SET click_id = (SELECT id FROM clicks)")
    sales_page, story = await owner.get("/sales/tenant1"), await owner.get(f"/sales/tenant1/payments/{payment.id}")
    assert f"facebook / {NASTY}" in sales_page.text
    for word in ("/go/promo", "facebook", NASTY, "curso"):
        assert word in story.text
    assert "<script" not in sales_page.html + story.html
    query("UPDATE clicks SET utm_source = NULL, utm_campaign = NULL")
    assert "· /go/promo" in (await owner.get("/sales/tenant1")).text


@pytest.mark.gen_test
async def test_payment_with_a_flag_nobody_named_is_shown_by_it(
    owner: Reader, shop: Shop, query: Callable[..., list[Any]]
) -> None:
    await shop.charge(501)
    query("UPDATE payments SET flags = '{novel}'")
    assert "novel" in (await owner.get("/sales/tenant1")).text


@pytest.mark.gen_test
async def test_payment_shows_its_story(owner: Reader, shop: Shop) -> None:
    payment = await sell(shop, 501, PRICE_CENTS)
    page = (await owner.get(f"/sales/tenant1/payments/{payment.id}")).text
    for word in (
        "aguardando → <b>pago</b>",
        "o provedor avisou: R$ 19,90 para R$ 19,90 · E5010",
        "access",
        "a caminho",
    ):
        assert word in page


@pytest.mark.gen_test
async def test_notices_say_what_was_wrong(owner: Reader, shop: Shop, clock: Any) -> None:
    payment = await shop.charge(501)
    await shop.receive(b"junk of nobody's charge")
    forged = {"X-Sandbox-Signature": "t=1,v1=00"}
    paid = {"end_to_end_id": "E9", "amount_cents": payment.amount_cents, "at": shop.app.clock().isoformat()}
    await shop.receive(write_event(payment.txid, **paid), forged)
    clock.move(minutes=11)
    await shop.apply_events()
    page = (await owner.get("/sales/tenant1/events")).text
    assert "assinatura inválida ou ausente" in page
    assert "O provedor, perguntado, não confirma este pagamento" in page
    assert (await shop.read(payment.id)).state == "pending"


@pytest.mark.gen_test
async def test_history_names_what_was_held(owner: Reader, shop: Shop) -> None:
    payment = await sell(shop, 501, 1000)
    page = (await owner.get(f"/sales/tenant1/payments/{payment.id}")).text
    assert "o provedor avisou: R$ 10,00 para R$ 19,90 · E5010 · retida: abaixo do preço" in page


@pytest.mark.gen_test
async def test_names_are_texts(owner: Reader, shop: Shop, query: Callable[..., list[Any]]) -> None:
    payment = await sell(shop, 501, PRICE_CENTS)
    query("UPDATE leads SET first_name = %s", NASTY)
    query("UPDATE payments SET description = %s, error = %s", NASTY, NASTY)
    query("UPDATE bots SET username = %s", NASTY)
    query("UPDATE messages SET status = 'failed', error = %s, step = %s", NASTY, NASTY)
    query("UPDATE payment_transitions SET reason = %s", NASTY)
    for path in ("", "/messages", f"/payments/{payment.id}"):
        page = await owner.get(f"/sales/tenant1{path}")
        assert page.status == 200
        assert "<script" not in page.html
        assert "<img src=x" not in page.html
        assert NASTY in page.text


@pytest.mark.gen_test
async def test_address_is_a_text(owner: Reader, accounts: Any) -> None:
    page = await owner.get('/sales/tenant1?days="><script>alert(1)</script>')
    assert (page.status, "<script" in page.html) == (400, False)


@pytest.mark.gen_test
@pytest.mark.parametrize("query_string", ["days=2", "days=", "before=x", "before=-1", "before=99999999999999999999"])
async def test_odd_addresses_are_refused_in_words(owner: Reader, accounts: Any, query_string: str) -> None:
    page = await owner.get(f"/sales/tenant1?{query_string}")
    assert (page.status, "O pedido não faz sentido" in page.text) == (400, True)


@pytest.mark.gen_test
async def test_payments_are_read_page_by_page(owner: Reader, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sales, "PAGE_ROWS", 2)
    made = [(await shop.charge(501 + place)).id for place in range(3)]
    first = await owner.get("/sales/tenant1")
    assert f"before={made[1]}" in first.html
    second = await owner.get(f"/sales/tenant1?before={made[1]}")
    assert (f"payments/{made[0]}" in second.html, f"payments/{made[1]}" in second.html) == (True, False)
    assert "Voltar aos mais novos" in second.text


@pytest.mark.gen_test
async def test_switcher_shows_every_account_of_this_person(
    owner: Reader, accounts: Any, query: Callable[..., list[Any]]
) -> None:
    assert 'class="menu accounts"' not in (await owner.get("/sales/tenant1")).html
    query(
        "INSERT INTO memberships SELECT %s, id, 'viewer', now() FROM users WHERE email = 'owner@example.com'",
        accounts[1].account_id,
    )
    assert 'href="/sales/tenant2"' in (await owner.get("/sales/tenant1")).html
    assert "só de leitura" in (await owner.get("/sales/tenant2")).text


@pytest.mark.gen_test
async def test_empty_account_says_what_to_do(owner: Reader, accounts: Any, query: Callable[..., list[Any]]) -> None:
    query("UPDATE bots SET status = 'removed'")
    page = (await owner.get("/sales/tenant1")).text
    assert "grimbots bot add" in page
    assert "Nenhuma cobrança ainda" in page


@pytest.mark.gen_test
async def test_groups_and_the_places_in_them_are_shown(
    owner: Reader, shop: Shop, query: Callable[..., list[Any]]
) -> None:
    payment = await sell(shop, 501, PRICE_CENTS)
    tenant = shop.tenant
    ((group_id,),) = query(
        "INSERT INTO groups (account_id, bot_id, chat_id, title, status, reason, status_since, asked_at, is_sold)"
        " VALUES (%s, %s, -1001234, %s, 'lost', 'no_ban', now(), now(), true) RETURNING id",
        *(tenant.account_id, tenant.bot_id, NASTY),
    )
    query(
        "INSERT INTO accesses (account_id, group_id, lead_id, user_id, payment_id, step, status, by_request, lasts,"
        " ends_at, told_at, entered_at, created_at) VALUES (%s, %s, %s, 501, %s, 'access', 'inside', true, false,"
        " '2026-04-01 15:00Z', now(), '2026-03-02 15:00Z', now())",
        *(tenant.account_id, group_id, payment.lead_id, payment.id),
    )
    query(
        "INSERT INTO access_grants (account_id, access_id, payment_id, step, days, granted_at)"
        " SELECT account_id, id, payment_id, step, 30, now() FROM accesses"
    )
    query(
        "INSERT INTO group_acts (account_id, group_id, user_id, act, cause, status, error, planned_at)"
        " VALUES (%s, %s, 501, 'remove', 'u:1:1', 'failed', 'Bad Request: user is an administrator', now())",
        *(tenant.account_id, group_id),
    )
    query("UPDATE payments SET error = 'no_ban in group “VIP” (-1001234)'")
    story = await owner.get(f"/sales/tenant1/payments/{payment.id}")
    for word in ("dentro", "30 dias", "02/03/2026 12:00", "01/04/2026 12:00", "is an administrator", "“VIP”", "banir"):
        assert word in story.text
    bots = await owner.get("/sales/tenant1/bots")
    for word in ("-1001234", "sem permissão", "O bot não pode banir", "a retirar", "is an administrator"):
        assert word in bots.text
    index = await owner.get("/sales/tenant1")
    assert "Grupos que não podem ser vendidos: 1" in index.text
    assert "não conseguiu admitir ou retirar: 1" in index.text
    for page in (story, bots, index):
        assert "<script" not in page.html


@pytest.mark.gen_test
async def test_payment_shows_who_was_told_of_it_and_what_they_answered(
    owner: Reader, app: Any, shop: Shop, query: Callable[..., Any]
) -> None:
    given = {"pixel_id": "1", "access_token": "EAAtoken"}
    await conversion_destinations.add(app, shop.tenant.account_id, Wish("meta", given), "test")
    payment = await sell(shop, 501, PRICE_CENTS)
    query("UPDATE conversions SET status = 'sent', answer = 'fbtrace_id A1', ended_at = now() WHERE event = 'Purchase'")
    page = (await owner.get(f"/sales/tenant1/payments/{payment.id}")).text
    for word in ("Conversões", "InitiateCheckout", "a caminho", "Purchase", "enviada", "fbtrace_id A1"):
        assert word in page
    query("UPDATE conversion_destinations SET status = 'paused', reason = %s", NASTY)
    paused = await owner.get("/sales/tenant1")
    assert "grimbots conversion resume" in paused.text
    assert "<script>alert" not in paused.html
