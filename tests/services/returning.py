"""Money that goes back, for tests: what a provider would say of it, and what the book then holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grimbots.services import payments, receipts, returns
from grimbots.services.cases import open_case
from grimbots.services.gateways.base import Receipt, Return, ReturnKind
from grimbots.tests.services.shops import PRICE_CENTS, Shop

Query = Callable[..., list[Any]]


async def sell(shop: Shop, chat_id: int = 501, end_to_end_id: str = "E1", fee_cents: int | None = None) -> Any:
    """Sell once; returns the paid payment."""
    payment = await shop.charge(chat_id)
    await receive(shop, payment, end_to_end_id, fee_cents=fee_cents)
    return await shop.read(payment.id)


async def receive(
    shop: Shop, payment: Any, end_to_end_id: str, cents: int = PRICE_CENTS, fee_cents: int | None = None
) -> None:
    """Let a transfer come in, and then its fee be told where it is given."""
    told = {"paid_cents": cents, "paid_at": shop.app.clock(), "end_to_end_id": end_to_end_id}
    which = {"payment_id": payment.id, "account_id": payment.account_id}
    await payments.settle(shop.app, **which, **told, actor="webhook", reason="the provider's event")
    if fee_cents is not None:
        async with open_case(shop.app, payment) as case:
            receipt = Receipt(end_to_end_id, cents, shop.app.clock(), fee_cents)
            await receipts.take_in(case, receipt, actor="webhook", reason="the provider's event", event_id=None)


async def go_back(
    shop: Shop,
    payment: Any,
    return_id: str = "R1",
    kind: str = "refund",
    status: str = "done",
    *,
    cents: int = PRICE_CENTS,
    of: str = "E1",
) -> list[Any]:
    """Let the provider say that money goes back: open, done or void; returns the jobs that follow."""
    told = {"is_settled": status == "done", "is_void": status == "void"}
    back = Return(return_id, of, cents, shop.app.clock(), ReturnKind(kind), **told)
    async with open_case(shop.app, payment) as case:
        return await returns.take_in(case, back, actor="webhook", reason="the provider's event")


def read_book(query: Query, payment: Any) -> dict[str, int]:
    """Return what each place of the book has of a payment; places with nothing are left out."""
    rows = query(
        "SELECT place, sum(part)::bigint FROM ledger_entries CROSS JOIN LATERAL"
        " (VALUES (debit, amount_cents), (credit, -amount_cents)) AS sided (place, part)"
        " WHERE payment_id = %s GROUP BY place HAVING sum(part) <> 0",
        payment.id,
    )
    return dict(rows)


def deliver(query: Query, payment: Any) -> None:
    """Let Telegram have taken what a payment paid for."""
    query("UPDATE messages SET status = 'sent', sent_at = now() WHERE payment_id = %s", payment.id)
    query("UPDATE deliveries SET status = 'delivered', delivered_at = now() WHERE payment_id = %s", payment.id)
