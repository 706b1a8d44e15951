"""Payments of the sandbox's charges: as often as anyone likes, each told of by an event; and their refunds."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from grimbots.services.errors import Conflict, Invalid
from grimbots.services.sandbox import charges, events, faults
from grimbots.services.sandbox.events import Payment
from grimbots.services.sandbox.fault_shapes import check_acts
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

BANK = "00000000"  # the ISPB in the end-to-end ids made here
MOST_TIMES = 20


def pay(
    sandbox: Sandbox, txid: str, amount_cents: int | None, times: int, telling: dict[str, Any], *, is_forged: bool
) -> tuple[dict[str, Any], list[str]]:
    """Pay the charge `times` times, each payment with its own id and event; give the charge and the queues to wake.

    `telling` bends the events as a fault on events does, and goes before one. A forged payment moves no money: there is
    only the event, with a wrong signature unless `telling` says another.

    Raises:
        NotFound: no such charge.
        Invalid: a number out of range.
    """
    charge = charges.get_row(sandbox, txid)
    amount = charge["amount_cents"] if amount_cents is None else amount_cents
    if not 0 < amount <= charges.LIMIT_CENTS:
        raise Invalid("'amount_cents' must be positive.")
    if not 1 <= times <= MOST_TIMES:
        raise Invalid(f"'times' must be from 1 to {MOST_TIMES}.")
    telling = ({"signature": "wrong"} if is_forged else {}) | telling
    check_acts(telling)
    queues = []
    for _ in range(times):
        payment = _make_payment(sandbox, amount)
        if not is_forged:
            _receive(sandbox, charge, payment)
        fault = faults.take(sandbox, "events", txid=txid)
        queues += events.tell(sandbox, charge, payment, replace(fault, **telling))
    return charges.describe(sandbox, charge), queues


def refund(
    sandbox: Sandbox, owner: str, txid: str, refund_id: str, end_to_end_id: str, amount_cents: int
) -> dict[str, Any]:
    """Give back (a part of) a payment of the owner's charge, once per refund id.

    Raises:
        NotFound: no such charge of this owner.
        Invalid: the amount is not positive.
        Conflict: more than was paid, or the id stands for another refund.
    """
    charges.get_owned(sandbox, owner, txid)
    if amount_cents <= 0:
        raise Invalid("'amount_cents' must be positive.")
    wanted = {"id": refund_id, "end_to_end_id": end_to_end_id, "amount_cents": amount_cents}
    found = sandbox.store.find("SELECT id, end_to_end_id, amount_cents FROM refunds WHERE id = :id", id=refund_id)
    if found is None:
        _refund_once(sandbox, txid, wanted)
    elif dict(found) != wanted:
        raise Conflict("This id stands for another refund.")
    return wanted | {"status": "done"}


def _make_payment(sandbox: Sandbox, amount_cents: int) -> Payment:
    now = sandbox.clock()
    end_to_end_id = f"E{BANK}{datetime.fromtimestamp(now, UTC):%Y%m%d%H%M}{secrets.token_hex(8)[:11]}"
    return Payment(end_to_end_id, amount_cents, now)


def _receive(sandbox: Sandbox, charge: Row, payment: Payment) -> None:
    sandbox.store.run(
        "INSERT INTO payments (end_to_end_id, txid, amount_cents, at) VALUES (:id, :txid, :amount_cents, :at)",
        id=payment.end_to_end_id,
        txid=charge["txid"],
        amount_cents=payment.amount_cents,
        at=payment.at,
    )


def _refund_once(sandbox: Sandbox, txid: str, wanted: dict[str, Any]) -> None:
    left = sandbox.store.find(
        """
        SELECT payments.amount_cents - coalesce(sum(refunds.amount_cents), 0) AS cents
        FROM payments
        LEFT JOIN refunds USING (end_to_end_id)
        WHERE payments.end_to_end_id = :end_to_end_id AND payments.txid = :txid
        GROUP BY payments.end_to_end_id
        """,
        end_to_end_id=wanted["end_to_end_id"],
        txid=txid,
    )
    if left is None or left["cents"] < wanted["amount_cents"]:
        raise Conflict("A refund cannot be more than what is left of its payment.")
    sandbox.store.run(
        """
        INSERT INTO refunds (id, txid, end_to_end_id, amount_cents, at)
        VALUES (:id, :txid, :end_to_end_id, :amount_cents, :now)
        """,
        txid=txid,
        now=sandbox.clock(),
        **wanted,
    )
