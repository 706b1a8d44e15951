"""Stars in the sandbox: an invoice's link is paid by a tap, once the bot lets it through; listed, and given back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from grimbots.conf.settings import Settings
from grimbots.services.clients.http import HttpClient
from grimbots.services.gateways.base import Charge, ChargeRequest, Refund, Snapshot
from grimbots.services.gateways.stars import Stars
from grimbots.tests.services.sandbox.conftest import FIRST_INSTANT
from grimbots.tests.services.sandbox.drivers import CHAT, Driver, Webhook

INVOICE = {
    "title": "Curso",
    "description": "Curso de bolos",
    "payload": "pedido-1",
    "currency": "XTR",
    "prices": [{"label": "Curso", "amount": 249}],
}


async def offer(served: Driver, webhook: Webhook, link: str) -> dict[str, Any]:
    """Show a link's button, tap it, and return what the bot is asked."""
    button = {"text": "Pagar", "url": link}
    await served.call("sendMessage", chat_id=CHAT, text="x", reply_markup={"inline_keyboard": [[button]]})
    tapped = (await served.chat("taps", {"button": "Pagar"})).json
    assert tapped["kind"] == "checkout"
    query_id = tapped["pre_checkout_query_id"]
    return await find(webhook, lambda update: update.get("pre_checkout_query", {}).get("id") == query_id)


async def find(webhook: Webhook, wanted: Any) -> dict[str, Any]:
    """Wait for an update."""
    while not (found := [update for update in webhook.updates if wanted(update)]):
        await webhook.wait(len(webhook.updates) + 1)
    return dict(found[0])


@pytest.mark.gen_test
async def test_a_tap_pays_once_the_bot_lets_it_through(served: Driver, webhook: Webhook) -> None:
    await served.say()
    link = (await served.call("createInvoiceLink", **INVOICE)).json["result"]
    assert link.startswith("https://t.me/$")
    query = (await offer(served, webhook, link))["pre_checkout_query"]
    assert (query["invoice_payload"], query["total_amount"], query["currency"]) == ("pedido-1", 249, "XTR")
    await served.call("answerPreCheckoutQuery", pre_checkout_query_id=query["id"], ok=True)
    told = await find(webhook, lambda update: "successful_payment" in update.get("message", {}))
    paid = told["message"]["successful_payment"]
    assert (paid["invoice_payload"], paid["total_amount"], told["message"]["from"]["id"]) == ("pedido-1", 249, CHAT)
    (listed,) = (await served.call("getStarTransactions")).json["result"]["transactions"]
    assert (listed["id"], listed["source"]["invoice_payload"]) == (paid["telegram_payment_charge_id"], "pedido-1")


@pytest.mark.gen_test
async def test_a_bot_that_says_no_is_not_paid(served: Driver, webhook: Webhook) -> None:
    await served.say()
    link = (await served.call("createInvoiceLink", **INVOICE)).json["result"]
    query = (await offer(served, webhook, link))["pre_checkout_query"]
    await served.call("answerPreCheckoutQuery", pre_checkout_query_id=query["id"], ok=False, error_message="Venceu")
    assert (await served.call("getStarTransactions")).json["result"]["transactions"] == []


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "changes",
    [
        {"currency": "BRL"},
        {"title": ""},
        {"title": "x" * 33},
        {"description": ""},
        {"payload": "x" * 129},
        {"prices": []},
        {"prices": [{"label": "x", "amount": 0}]},
        {"prices": [{"label": "x", "amount": 1}, {"label": "y", "amount": 1}]},
    ],
)
async def test_an_invoice_telegram_would_not_take_is_refused(served: Driver, changes: dict[str, Any]) -> None:
    assert (await served.call("createInvoiceLink", **{**INVOICE, **changes})).json["error_code"] == 400


@pytest.mark.gen_test
async def test_the_gateway_speaks_with_the_sandbox(
    served: Driver, webhook: Webhook, http: HttpClient, settings: Settings
) -> None:
    gateway = Stars(http, replace(settings, telegram_url=served.server.url))
    credentials, now = {"bot_token": served.token}, datetime.fromtimestamp(FIRST_INSTANT, UTC)
    await served.say()
    made = await gateway.create(credentials, ChargeRequest("a" * 32, 249, "Curso", 600, "", asked_at=now))
    assert isinstance(made, Charge)
    query = (await offer(served, webhook, made.code))["pre_checkout_query"]
    await served.call("answerPreCheckoutQuery", pre_checkout_query_id=query["id"], ok=True)
    seen = await gateway.fetch(credentials, txid=made.txid, provider_id=made.provider_id)
    assert isinstance(seen, Snapshot) and seen.charge == made
    (receipt,) = seen.receipts
    given = {"txid": made.txid, "end_to_end_id": receipt.end_to_end_id, "amount_cents": 249, "idempotency_key": "r"}
    first, again = [await gateway.refund(credentials, **given) for _ in range(2)]
    assert isinstance(first, Refund) and first == again
    seen = await gateway.fetch(credentials, txid=made.txid, provider_id=made.provider_id)
    assert isinstance(seen, Snapshot) and [back.amount_cents for back in seen.returns] == [249]
    twice = await served.call("refundStarPayment", user_id=CHAT, telegram_payment_charge_id=receipt.end_to_end_id)
    assert twice.json["description"] == "Bad Request: CHARGE_ALREADY_REFUNDED"
