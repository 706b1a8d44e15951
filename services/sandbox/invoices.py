"""Invoices in Stars: what a link leads to, and what a checkout that waits for its answer is about."""

from __future__ import annotations

from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

CURRENCY, LINK = "XTR", "https://t.me/$"


def find(sandbox: Sandbox, url: str) -> Row | None:
    """Give the invoice a link leads to."""
    slug = url.removeprefix(LINK) if url.startswith(LINK) else ""
    return sandbox.store.find("SELECT * FROM invoices WHERE slug = :slug", slug=slug)


def note_checkout(sandbox: Sandbox, query_id: str, payload: str, amount: int, currency: str) -> None:
    """Keep what a pre_checkout_query is about until it is answered."""
    sandbox.store.run(
        "INSERT INTO checkouts (query_id, payload, amount, currency) VALUES (:query_id, :payload, :amount, :currency)",
        query_id=query_id,
        payload=payload,
        amount=amount,
        currency=currency,
    )
