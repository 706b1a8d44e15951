"""Stars: charged by a bot's own token, asked before they are paid, settled by what Telegram tells or lists."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from grimbots.queue.task import Again
from grimbots.services import (
    checkouts,
    conversion_destinations,
    figures,
    gateway_accounts,
    intake,
    ledger,
    payments,
    receptions,
    refunds,
    statements,
    tokens,
    updates,
)
from grimbots.services.errors import Invalid, NotFound
from grimbots.services.funnels import versions
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.providers.stars import Fake
from grimbots.tests.services.shops import FUNNEL, Shop

STARS = 249  # 19.90 at eight cents a Star, rounded up
STEP = {"id": "pay", "kind": "stars", "expires_in_minutes": 10, "cents_per_star": 8, "next": "access"}
BUYER_ID = 501


@dataclass(frozen=True)
class Desk:
    """A shop that sells for Stars, over a fake Telegram."""

    shop: Shop
    telegram: Fake

    @property
    def app(self) -> Any:
        return self.shop.app

    async def bot(self) -> Any:
        return await self.app.bots.by_id(self.app, self.shop.tenant.bot_id)

    def ask(self, payment: Any, **changes: Any) -> dict[str, Any]:
        """Return the query Telegram asks before the payment."""
        query = {"id": "9", "from": {"id": BUYER_ID}, "currency": "XTR", "total_amount": STARS}
        return {**query, "invoice_payload": payment.txid, **changes}

    async def answer(self, payment: Any, **changes: Any) -> dict[str, Any]:
        """Return what the query is answered with."""
        return await checkouts.answer(self.app, await self.bot(), self.ask(payment, **changes))

    def tell(self, payment: Any, charge_id: str = "stx1", **changes: Any) -> dict[str, Any]:
        """Return the update that tells of the payment."""
        paid = {"currency": "XTR", "total_amount": STARS, "invoice_payload": payment.txid}
        message = {
            "message_id": 8,
            "from": {"id": BUYER_ID, "is_bot": False, "first_name": "Ana"},
            "chat": {"id": BUYER_ID, "type": "private"},
            "date": int(self.app.clock().timestamp()),
            "successful_payment": {**paid, "telegram_payment_charge_id": charge_id, **changes},
        }
        return {"update_id": 5000, "message": message}

    def tell_back(self, payment: Any, charge_id: str = "stx1") -> dict[str, Any]:
        """Return the update that tells that a payment went back."""
        told = self.tell(payment, charge_id)
        message = told["message"]
        return {**told, "message": {**message, "refunded_payment": message.pop("successful_payment")}}

    async def sell(self) -> Any:
        """Sell once, paid at Telegram and told; returns the payment."""
        payment = await self.shop.charge()
        self.telegram.pay(payment.txid)
        await self.handle(self.tell(payment, f"E1-{payment.txid}"))
        return await self.shop.read(payment.id)

    async def publish(self, funnel: dict[str, Any]) -> int:
        """Publish another funnel of the shop's; returns its version."""
        published = await versions.publish(self.app, self.shop.tenant.account_id, funnel, {}, actor="test")
        return int(published.version_id)

    async def handle(self, update: dict[str, Any], bot_id: int | None = None) -> list[Any]:
        done = await updates.handle(self.app, bot_id=bot_id or self.shop.tenant.bot_id, update=update)
        return list(done.follow_ups) if done else []


@pytest.fixture
def desk(io_loop: Any, shop: Shop, clock: Clock) -> Any:
    """Give a shop whose funnel charges in Stars."""
    telegram = Fake(clock)
    telegram.transactions = {shop.tenant.token: []}
    io_loop.run_sync(telegram.start)

    async def open_desk() -> Desk:
        settings = replace(shop.app.settings, gateway_urls={"stars": telegram.url})
        over = replace(shop.app, settings=settings)
        funnel = {
            **FUNNEL,
            "name": "estrelas",
            "steps": [STEP if step["id"] == "pay" else step for step in FUNNEL["steps"]],
        }
        published = await versions.publish(over, shop.tenant.account_id, funnel, {}, actor="test")
        return Desk(replace(shop, app=over, version_id=published.version_id), telegram)

    yield io_loop.run_sync(open_desk)
    io_loop.run_sync(telegram.stop)


@pytest.mark.gen_test
async def test_charge_shows_the_link_of_an_invoice_in_whole_stars(desk: Desk, query: Any) -> None:
    payment = await desk.shop.charge()
    (invoice,) = desk.telegram.charges.values()
    assert (payment.state, payment.currency, payment.amount_cents) == ("pending", "XTR", STARS)
    assert (invoice["currency"], invoice["prices"][0]["amount"], invoice["payload"]) == ("XTR", STARS, payment.txid)
    assert len(payment.txid.encode()) <= 128 and payment.idempotency_key in payment.txid
    ((body,),) = query(f"SELECT body FROM messages WHERE cause = 'p:{payment.id}:charged'")
    pay, paid = [row[0] for row in body["reply_markup"]["inline_keyboard"]]
    assert pay["url"] == payment.code and str(STARS) in pay["text"] and "callback_data" in paid


@pytest.mark.gen_test
async def test_a_charge_in_stars_goes_to_no_account_of_a_provider(desk: Desk) -> None:
    """Nor is one in reais asked of the bot's own account, once it is there."""
    in_stars = await desk.shop.charge()
    assert desk.shop.provider.calls == []
    of_bot = await gateway_accounts.get_by_id(desk.app, in_stars.gateway_account_id)
    assert (of_bot.gateway, of_bot.is_active, of_bot.backup_place) == ("stars", False, None)
    desk.telegram.fail_create(http=400)
    refused = await desk.shop.charge(502)
    assert refused.state == "cancelled" and desk.shop.provider.calls == []


@pytest.mark.gen_test
async def test_a_charge_in_reais_never_falls_back_to_stars(desk: Desk) -> None:
    await desk.shop.charge()
    before = list(desk.telegram.calls)
    in_reais = replace(desk.shop, version_id=await desk.publish(FUNNEL))
    desk.shop.provider.fail("PUT", times=9, http=400)
    assert (await in_reais.charge(502)).state == "cancelled"
    assert desk.telegram.calls == before


@pytest.mark.gen_test
async def test_the_bots_own_account_takes_no_place_and_no_limits(desk: Desk) -> None:
    payment = await desk.shop.charge()
    account_id, of_bot = payment.account_id, payment.gateway_account_id
    with pytest.raises(NotFound):
        await gateway_accounts.arrange(desk.app, account_id, [of_bot], "test")
    with pytest.raises(NotFound):
        await gateway_accounts.set_limits(desk.app, account_id, of_bot, gateway_accounts.Limits(500), "test")
    with pytest.raises(Invalid):
        await gateway_accounts.add_gateway_account(desk.app, account_id, "stars", {"bot_token": "1:a"}, "test")


@pytest.mark.gen_test
async def test_the_nightly_statement_passes_a_bots_own_account_over(desk: Desk, query: Any, clock: Clock) -> None:
    await desk.sell()
    clock.move(hours=(7 - clock().hour) % 24)  # four in the morning of the seller's
    await statements.hand_out(desk.app)
    compared = "SELECT gateway, compared_at IS NOT NULL, compare_error FROM gateway_accounts WHERE gateway = 'stars'"
    assert query(compared) == [("stars", False, None)]


@pytest.mark.gen_test
async def test_a_checkout_is_let_through_while_its_charge_can_be_paid(desk: Desk) -> None:
    payment = await desk.shop.charge()
    assert await desk.answer(payment) == {
        "method": "answerPreCheckoutQuery",
        "pre_checkout_query_id": "9",
        "ok": True,
    }


WRONG = {
    "another amount": ({"total_amount": STARS - 1}, "changed"),
    "another currency": ({"currency": "BRL"}, "changed"),
    "another buyer": ({"from": {"id": 777}}, "another"),
    "nobody": ({"from": None}, "another"),
    "another charge": ({"invoice_payload": "x"}, "unknown"),
    "no payload": ({"invoice_payload": None}, "unknown"),
    "a made-up key": ({"invoice_payload": f"{'a' * 32}-249-1-2-900000001"}, "unknown"),
}


@pytest.mark.gen_test
@pytest.mark.parametrize("what", WRONG)
async def test_a_checkout_that_does_not_fit_is_refused_in_words(desk: Desk, what: str) -> None:
    changes, why = WRONG[what]
    answered = await desk.answer(await desk.shop.charge(), **changes)
    assert (answered["ok"], answered["error_message"]) == (False, checkouts.REFUSALS[why])


@pytest.mark.gen_test
async def test_a_checkout_that_comes_late_or_twice_is_refused(desk: Desk, clock: Clock) -> None:
    payment = await desk.shop.charge()
    clock.move(minutes=10)
    assert (await desk.answer(payment))["error_message"] == checkouts.REFUSALS["over"]
    clock.move(minutes=-5)
    await desk.handle(desk.tell(payment))
    assert (await desk.answer(payment))["error_message"] == checkouts.REFUSALS["paid"]


@pytest.mark.gen_test
async def test_a_checkout_of_another_bot_is_unknown(desk: Desk, accounts: Any) -> None:
    payment = await desk.shop.charge()
    other = await desk.app.bots.by_id(desk.app, accounts[1].bot_id)
    assert not (await checkouts.answer(desk.app, other, desk.ask(payment)))["ok"]


@pytest.mark.gen_test
async def test_a_checkout_is_answered_in_the_webhooks_reply_without_postgres_too(desk: Desk) -> None:
    payment, bot = await desk.shop.charge(), await desk.bot()
    body = json.dumps({"update_id": 7, "pre_checkout_query": desk.ask(payment)}).encode()
    assert (await intake.receive(desk.app, bot, body) or {})["ok"] is True
    await desk.app.db.close()
    answered = await intake.receive(desk.app, bot, body)
    assert answered and answered["error_message"] == checkouts.REFUSALS["away"]


@pytest.mark.gen_test
async def test_what_telegram_says_was_paid_is_delivered_once(desk: Desk) -> None:
    payment = await desk.shop.charge()
    first, again = [await desk.handle(desk.tell(payment)) for _ in range(2)]
    assert [job.id for job in first] == [job.id for job in again] and first
    paid = await desk.shop.read(payment.id)
    assert (paid.state, list(paid.flags)) == ("paid", [])
    (receipt,) = await desk.app.db.payments.list_receipts(account_id=paid.account_id, payment_id=paid.id)
    assert (receipt.end_to_end_id, receipt.amount_cents) == ("stx1", STARS)
    assert len(await desk.shop.list_deliveries(payment)) == 1


@pytest.mark.gen_test
async def test_a_second_payment_of_a_link_is_kept_apart(desk: Desk) -> None:
    payment = await desk.shop.charge()
    await desk.handle(desk.tell(payment))
    await desk.handle(desk.tell(payment, "stx2"))
    assert list((await desk.shop.read(payment.id)).flags) == ["double"]
    assert len(await desk.shop.list_deliveries(payment)) == 1


@pytest.mark.gen_test
@pytest.mark.parametrize("changes", [{"currency": "BRL"}, {"invoice_payload": "x"}, {"total_amount": True}])
async def test_what_is_no_payment_of_ours_settles_nothing(desk: Desk, changes: dict[str, Any]) -> None:
    payment = await desk.shop.charge()
    await desk.handle(desk.tell(payment, **changes))
    assert (await desk.shop.read(payment.id)).state == "pending"


@pytest.mark.gen_test
async def test_another_bot_cannot_tell_that_a_charge_was_paid(desk: Desk, accounts: Any) -> None:
    payment = await desk.shop.charge()
    assert await desk.handle(desk.tell(payment), accounts[1].bot_id) == []
    assert (await desk.shop.read(payment.id)).state == "pending"


@pytest.mark.gen_test
async def test_the_payments_own_webhook_moves_no_stars(desk: Desk) -> None:
    """Whoever knows the path of the bot's own gateway account proves nothing: Telegram is asked, and knows nothing."""
    payment = await desk.shop.charge()
    of_bot = await gateway_accounts.get_by_id(desk.app, payment.gateway_account_id)
    body = f'{{"invoice_payload": "{payment.txid}"}}'.encode()
    await receptions.receive(desk.app, "stars", of_bot.key, "", "", {}, body)
    with pytest.raises(Again):
        await desk.shop.apply_events()
    assert (await desk.shop.read(payment.id)).state == "pending"


@pytest.mark.gen_test
async def test_a_payment_nobody_told_of_is_found_by_asking(desk: Desk, clock: Clock) -> None:
    payment = await desk.shop.charge()
    desk.telegram.pay(payment.txid)
    clock.move(minutes=1)
    await payments.ask(desk.app, payment, actor="reconciler")
    assert (await desk.shop.read(payment.id)).state == "paid"


@pytest.mark.gen_test
async def test_a_new_token_is_what_the_bot_charges_by(desk: Desk) -> None:
    payment = await desk.shop.charge()
    bot, token = await desk.bot(), f"900000001:{'B' * 35}"
    desk.telegram.transactions[token] = []
    async with desk.app.db.transaction() as tx:
        await tokens._write(
            desk.app, tx, bot, token, {"username": bot.username, "first_name": "Bot"}, "test", is_another=False
        )
    account = await desk.app.db.gateway_accounts.find_by_id(gateway_account_id=payment.gateway_account_id)
    assert gateway_accounts.open_gateway(desk.app, account)[1] == {"bot_token": token}


@pytest.mark.gen_test
async def test_stars_are_no_reais_in_a_report(desk: Desk, query: Any) -> None:
    payment = await desk.shop.charge()
    await desk.handle(desk.tell(payment))
    counted = "SELECT sum(charges), sum(charged_cents), sum(paid), sum(paid_cents) FROM figure_entries"
    assert [tuple(map(int, row)) for row in query(counted)] == [(1, 0, 1, 0)]


@pytest.mark.gen_test
async def test_a_refund_gives_the_stars_back_once_and_takes_the_access(desk: Desk, query: Any) -> None:
    payment = await desk.sell()
    row = await refunds.ask(desk.app, account_id=payment.account_id, payment_id=payment.id, actor="user:1")
    for _ in range(2):
        await refunds.do(desk.app, return_id=row.id)
    assert (await desk.shop.read(payment.id)).state == "refunded"
    assert [one.status for one in await desk.shop.list_deliveries(payment)] == ["revoked"]
    (paid, back) = desk.telegram.transactions[desk.shop.tenant.token]
    assert (back["id"], "receiver" in back) == (paid["id"], True)
    ((body,),) = query("SELECT body FROM messages WHERE cause LIKE 'p:%:return:%'")
    assert f"{STARS} Stars" in body["text"]


@pytest.mark.gen_test
async def test_a_part_cannot_go_back_and_nothing_changes(desk: Desk) -> None:
    payment = await desk.sell()
    which = {"account_id": payment.account_id, "payment_id": payment.id}
    row = await refunds.ask(desk.app, **which, actor="user:1", amount_cents=STARS - 1)
    await refunds.do(desk.app, return_id=row.id)
    assert (await desk.shop.read(payment.id)).state == "paid"
    assert len(desk.telegram.transactions[desk.shop.tenant.token]) == 1


@pytest.mark.gen_test
async def test_what_telegram_gives_back_itself_takes_the_access_once(desk: Desk, query: Any) -> None:
    payment = await desk.sell()
    told = desk.tell_back(payment, f"E1-{payment.txid}")
    for _ in range(2):
        await desk.handle(told)
    assert (await desk.shop.read(payment.id)).state == "refunded"
    assert query("SELECT kind, status, amount_cents FROM payment_returns") == [("refund", "settled", STARS)]
    await desk.handle(desk.tell_back(payment, "another"))  # of no transfer that was noted
    assert query("SELECT count(*) FROM payment_returns") == [(1,)]


@pytest.mark.gen_test
async def test_stars_stand_in_the_book_for_themselves_and_owe_no_commission(
    desk: Desk, query: Any, clock: Clock
) -> None:
    await ledger.set_commission(desk.app, desk.shop.tenant.name, points=1000, cents=30, actor="test")
    payment = await desk.sell()
    day = clock().date()
    span = figures.Span(payment.account_id, figures.open_zone("UTC"), day, day)
    in_stars, in_reais = [await ledger.state(desk.app, span, currency) for currency in ledger.CURRENCIES[::-1]]
    assert [(line["kind"], line["amount_cents"], line["currency"]) for line in in_stars.lines] == [
        ("charge", STARS, "XTR")
    ]
    assert (in_stars.closing["provider"], in_stars.closing["platform"]) == (STARS, 0)
    assert in_reais.lines == [] and set(in_reais.closing.values()) == {0} and in_reais.unknown_fees == 0
    assert await ledger.check(desk.app) == []
    await desk.handle(desk.tell_back(payment, f"E1-{payment.txid}"))
    assert (await ledger.state(desk.app, span, "XTR")).closing["provider"] == 0
    assert await ledger.check(desk.app) == []
    counted = "SELECT sum(paid), sum(paid_cents), sum(refunds), sum(refunded_cents) FROM figure_entries"
    assert [tuple(map(int, row)) for row in query(counted)] == [(1, 0, 1, 0)]
    async with desk.app.db.transaction() as tx:
        await figures.rebuild(tx, payment.account_id)
    assert [tuple(map(int, row)) for row in query(counted)] == [(1, 0, 1, 0)]


@pytest.mark.gen_test
async def test_a_sale_in_stars_is_told_to_no_network(desk: Desk, query: Any) -> None:
    wish = conversion_destinations.Wish("webhook", {"url": "https://shop.example/hook"})
    await conversion_destinations.add(desk.app, desk.shop.tenant.account_id, wish, "test")
    payment = await desk.sell()
    await desk.handle(desk.tell_back(payment, f"E1-{payment.txid}"))
    assert query("SELECT count(*) FROM conversions") == [(0,)]
    in_reais = replace(desk.shop, version_id=await desk.publish(FUNNEL))
    await in_reais.charge(502)
    assert query("SELECT event FROM conversions") == [("InitiateCheckout",)]


BY_PIX = {
    **FUNNEL,
    "steps": [
        {**FUNNEL["steps"][0], "accept": {"text": "Quero", "next": "pix"}},
        {**FUNNEL["steps"][1], "id": "pix"},
        FUNNEL["steps"][2],
    ],
}


async def charge_both_ways(desk: Desk) -> tuple[Any, Any]:
    """Let a buyer ask for the same order in Stars and, at another step, by PIX."""
    in_stars = await desk.shop.charge()
    in_reais = replace(desk.shop, version_id=await desk.publish(BY_PIX))
    return in_stars, await in_reais.charge(update_id=2)


async def pay_by_pix(desk: Desk, payment: Any) -> None:
    await desk.shop.receive(desk.shop.provider.pay(payment.txid))
    await desk.shop.apply_events()


@pytest.mark.gen_test
async def test_an_order_paid_by_pix_and_in_stars_is_seen_and_one_of_the_two_goes_back(desk: Desk) -> None:
    in_stars, in_reais = await charge_both_ways(desk)
    assert (await desk.answer(in_stars))["ok"]
    desk.telegram.pay(in_stars.txid)
    await pay_by_pix(desk, in_reais)
    await desk.handle(desk.tell(in_stars, f"E1-{in_stars.txid}"))
    paid = [await desk.shop.read(one.id) for one in (in_reais, in_stars)]
    assert [(one.state, list(one.flags)) for one in paid] == [("paid", []), ("paid", ["double"])]
    row = await refunds.ask(desk.app, account_id=in_stars.account_id, payment_id=in_stars.id, actor="user:1")
    await refunds.do(desk.app, return_id=row.id)
    assert [(await desk.shop.read(one.id)).state for one in paid] == ["paid", "refunded"]


@pytest.mark.gen_test
async def test_pix_that_comes_in_for_an_order_paid_in_stars_is_seen_too(desk: Desk) -> None:
    in_stars, in_reais = await charge_both_ways(desk)
    await desk.handle(desk.tell(in_stars))
    await pay_by_pix(desk, in_reais)
    assert list((await desk.shop.read(in_reais.id)).flags) == ["double"]


@pytest.mark.gen_test
async def test_a_checkout_of_an_order_that_was_paid_by_pix_is_refused(desk: Desk, query: Any) -> None:
    in_stars, in_reais = await charge_both_ways(desk)
    await pay_by_pix(desk, in_reais)
    assert (await desk.answer(in_stars))["error_message"] == checkouts.REFUSALS["bought"]
    query("UPDATE payments SET state = 'refunded' WHERE id = %s", in_reais.id)
    assert (await desk.answer(in_stars))["ok"]
